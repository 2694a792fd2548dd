"""HTTP clients that keep their connections from call to call, one for each event loop that asks.

Connections belong to the loop they were opened on. A client is closed with its loop: it is held by an asynchronous
generator, and whoever ends a loop in order (``asyncio.run`` does) ends those first. httpx is imported at the first
call.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it takes a tenth of a second
    import httpx

CONNECT = 10.0
"""Seconds within which a server has to take a connection."""
_MOST, _KEPT = 1000, 100
"""Connections to one server at a time, and those kept while nobody asks."""


class Connections:
    """Clients for one server."""

    def __init__(self, *, encrypted: bool) -> None:
        self._encrypted = encrypted
        self._clients: dict[asyncio.AbstractEventLoop, tuple[httpx.AsyncClient, AsyncGenerator[None]]] = {}

    async def client(self) -> httpx.AsyncClient:
        """The client of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            await library()
            for old in [old for old in self._clients if old.is_closed()]:
                del self._clients[old]
        if loop not in self._clients:  # nobody else came first while httpx was imported
            client = self._made()
            held = _held(client)
            self._clients[loop] = (client, held)
            await anext(held)
        return self._clients[loop][0]

    def _made(self) -> httpx.AsyncClient:
        import ssl

        import httpx

        # To read all certificates takes long and is of no use where none is shown; without any, a redirection to a
        # server that shows one is refused.
        trusted: ssl.SSLContext | bool = True if self._encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        limits = httpx.Limits(max_connections=_MOST, max_keepalive_connections=_KEPT)
        return httpx.AsyncClient(verify=trusted, limits=limits, follow_redirects=True)


async def library() -> Any:
    """httpx. It is imported beside the loop, which others use."""
    return sys.modules.get("httpx") or await asyncio.to_thread(importlib.import_module, "httpx")


async def _held(client: httpx.AsyncClient) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await client.aclose()
