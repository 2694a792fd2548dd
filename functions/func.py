"""An app as a function of Knative Functions (``func``, its Python templates): the whole HTTP API and CloudEvents, in
one function.

    # function/func.py
    from overwinter.functions.func import Function
    import shop

    def new():
        return Function(shop)

func's middleware hands each request to ``handle``. Its ``http`` template does so as it comes. Its ``cloudevents`` one
has read the body already and wants events sent; what it has read is told to the app anew, as a structured event, and
answers go out as they are. Everything runs on a loop in a thread of its own, so that leases are handed over before the
process ends, however its server ends. OVERWINTER_STATE, OVERWINTER_TOKEN, OVERWINTER_DELIVERY_TOKEN, OVERWINTER_WAIT
and K_SINK mean what they mean to ``serve``.
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from ..state.codec import dumps
from ..state.quantities import size
from .framework.process_runtime import ProcessRuntime
from .http.guard import guard
from .http.presence import WHOLE
from .invocation.loading import functions_of
from .messages.answer import Receive, Scope, Send
from .messages.media import STRUCTURED
from .messages.message import read_body
from .messages.problem import problem, settle

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from .runtime import Runtime

EVERYWHERE = "[::]:8080"  # where func listens when LISTEN_ADDRESS does not say
KEEP_OPEN = "240s"
_OF_EVENTS = (b"content-type", b"content-length", b"transfer-encoding")
_KEPT = (
    "type",
    "http_version",
    "method",
    "scheme",
    "path",
    "raw_path",
    "query_string",
    "root_path",
    "client",
    "server",
)


class Function:
    """Serves ``functions``: a module, or tools, workflows and agents themselves. Raises InvalidInput where it could be
    reached by strangers and no token is set."""

    def __init__(self, functions: ModuleType | Iterable[object] | Mapping[str, object]) -> None:
        from .http.app import MAX_BODY

        served: Any = functions_of(functions) if isinstance(functions, ModuleType) else functions
        self._token = os.environ.get("OVERWINTER_TOKEN") or None
        self._delivery_token = os.environ.get("OVERWINTER_DELIVERY_TOKEN") or None
        for address in os.environ.get("LISTEN_ADDRESS", EVERYWHERE).split(","):
            guard(address.rpartition(":")[0].strip("[]"), self._token, self._delivery_token)
        self._late = _late_replies()
        unnamed = [self._late.function] if self._late else []
        self._process = ProcessRuntime(lambda: served, unnamed)
        self._app: tuple[Runtime, Starlette] | None = None
        self._limit = size(MAX_BODY)

    # -- what func asks for --------------------------------------------------------------------------

    def start(self, cfg: Mapping[str, str]) -> None:
        """Before the first request."""
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGTERM)

            def ended(number: int, frame: FrameType | None) -> None:
                self.stop()  # requests that wait are answered before the server cuts them off
                if callable(before):
                    before(number, frame)

            signal.signal(signal.SIGTERM, ended)

    def stop(self) -> None:
        """The process ends. What still runs is handed over before it does."""
        self._process.call(self._cut)

    def alive(self) -> tuple[bool, str]:
        return True, "alive"

    def ready(self) -> tuple[bool, str]:
        return (False, "stopping") if self._process.stopping else (True, "ready")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        out: Send = getattr(send, "http", send)  # of the cloudevents template: as it is
        event: Any = scope.get("event")
        headers: list[tuple[bytes, bytes]] = [(bytes(name).lower(), bytes(value)) for name, value in scope["headers"]]
        if event is None:
            settled = await settle(read_body(scope, receive, self._limit))
            if settled.error is not None:
                await problem(settled.error)(scope, receive, out)
                return
            body = settled.value or b""
        else:
            body = structured(event)
            headers = [pair for pair in headers if pair[0] not in _OF_EVENTS and not pair[0].startswith(b"ce-")]
            headers.append((b"content-type", STRUCTURED.encode()))
        inner: Scope = {name: scope[name] for name in _KEPT if name in scope} | {"headers": headers, WHOLE: True}
        for message in await asyncio.wrap_future(self._process.submit(self._answered(inner, body))):
            await out(message)

    # -- on the loop of the runtime ------------------------------------------------------------------

    async def _answered(self, scope: Scope, body: bytes) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        given = [{"type": "http.request", "body": body, "more_body": False}]
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if given:
                return given.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(dict(message))

        settled = await settle(self._opened())
        if settled.value is None:
            await problem(settled.error or TypeError("no app was made"))(scope, receive, send)
        else:
            await settled.value(scope, receive, send)
        return sent

    async def _opened(self) -> Starlette:
        from .http.app import create_app

        runtime = await self._process.runtime()
        if self._app is None or self._app[0] is not runtime:
            wait = os.environ.get("OVERWINTER_WAIT", KEEP_OPEN)
            token, delivery = self._token, self._delivery_token
            made = create_app(runtime, token=token, delivery_token=delivery, longest_wait=wait, late=self._late)
            self._app = runtime, made
        return self._app[1]

    def _cut(self) -> None:
        if self._app is not None:
            self._app[1].state.closing.cut()


def _late_replies() -> Any:
    if not os.environ.get("K_SINK"):
        return None
    from .http.events import reply_of
    from .http.late import from_environment

    return from_environment(reply_of)


def structured(event: Any) -> bytes:
    """An event that the SDK has read, as the structured one that it may have been."""
    if hasattr(event, "get_attributes"):
        attributes, data = dict(event.get_attributes()), event.get_data()
    else:  # before version 2 of the SDK
        attributes, data = {name: event[name] for name in event}, event.data
    item = {name: _text(value) for name, value in attributes.items() if value is not None}
    if isinstance(data, (bytes, bytearray)):
        item["data_base64"] = base64.b64encode(data).decode()
    elif data is not None:
        item["data"] = data
    return dumps(item).encode()


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
