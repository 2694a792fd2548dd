"""The console as a function of its own: its pages, and behind them the API of a server elsewhere.

``overwinter console`` serves it on this machine. Anywhere else an ASGI server does, with where the API is and the token
that both ask for in the environment: ``uvicorn --factory overwinter.console.function:create_app``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..functions.http.guard import Guard
from ..functions.messages.answer import Answer, Receive, Scope, Send
from ..state.errors import InvalidInput
from .proxy import Proxy
from .serving import PREFIX, Console, is_console

if TYPE_CHECKING:
    import httpx


class ConsoleFunction:
    """An ASGI application. ``token`` None: nobody is asked for one here, which is for a loopback address alone, where
    web pages of other sites stay out; the API asks for its own all the same."""

    def __init__(self, api: str, token: str | None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.proxy = Proxy(api, transport)
        self._console = Console()
        self._guarded = Guard(self.proxy, token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            await Answer(307, headers=[("location", f"{PREFIX}/")])(scope, receive, send)
        elif scope["type"] == "http" and is_console(scope["path"]):
            await self._console(scope, receive, send)
        elif scope["type"] == "http":
            await self._guarded(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self.proxy.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


def create_app() -> ConsoleFunction:
    """As the environment says. Raises InvalidInput without a token: it can't be seen from here who reaches this."""
    api, token = os.environ.get("OVERWINTER_URL", ""), os.environ.get("OVERWINTER_TOKEN", "")
    if not api:
        raise InvalidInput("set OVERWINTER_URL to the address of the API, like https://api.example.com")
    if len(token) < 16:
        raise InvalidInput("set OVERWINTER_TOKEN to the API's token, of at least 16 characters")
    return ConsoleFunction(api, token)
