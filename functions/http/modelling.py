"""``POST /models/{name}``: ask a model that is served as a function. docs/functions.md says what is sent and answered.

The call is made once, however often it is asked for meanwhile, and to its end although whoever asked has gone: what was
paid for is kept, and who asks again gets it.
"""

from __future__ import annotations

import math
import secrets
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from ...orchestrator.errors import failures, traces
from ...orchestrator.errors.groups import lone, text
from ...state.codec import dumps, loads
from ...state.errors import InvalidInput, RateLimited
from ...state.quantities import asked
from ..messages.answer import Answer, Headers, Receive, Scope, Send, json_answer
from ..messages.media import essence
from ..messages.message import read_json
from ..messages.problem import Raised, Settled, Whose, document, kind_of, settle, status_of
from ..models import wire
from ..models.memo import key_of
from ..models.port import Request
from .model_calls import Running
from .presence import while_there
from .service import Call
from .streaming import MEDIA, block

if TYPE_CHECKING:
    from ..models.function import ModelFunction

OPERATION = "overwinter-operation"
_LONGEST = 2000  # characters of an operation's name


async def ask(call: Call) -> Answer:
    """POST /models/{name}: the body is what is asked; the answer, or events when they are accepted."""
    name = call.path("name")
    function: ModelFunction = call.function(name, "model")
    call.query()
    body = await call.body()
    request = wire.request(read_json(call.headers, body), name)
    function.prepared(request)  # raises what is to be said at once
    models, said = call.service.models, _operation(call)
    operation = said or f" {secrets.token_hex(16)}"  # whoever is told to come again is told this
    key = key_of(name, operation, body)
    streams = any(essence(part) == MEDIA for part in call.header("accept").split(","))
    if said and (kept := await models.find(key)) is not None:
        replay = ("idempotent-replay", "true")
        return PieceStream(call, key, kept, [replay]) if streams else _answered(kept, [replay])
    running = models.call(function, request, key, len(body), kept=bool(said))
    if streams:
        return PieceStream(call, key, running)
    found = await call.patiently(running.settled(call.wait(call.service.longest_wait)))
    if found is None:
        running.asked_again = True
        again = [("retry-after", "0"), (OPERATION, dumps(operation))]
        return json_answer({"status": "running", "operation": operation}, 202, again)
    models.heard(key, running)
    return _told(found)


async def embed(call: Call) -> Answer:
    """POST /models/{name}/embeddings: vectors for texts."""
    name = call.path("name")
    function: ModelFunction = call.function(name, "model")
    call.query()
    texts, dimensions, settings = wire.texts(await call.json())
    function.prepared(Request(name, (), settings=settings))  # raises what is to be said at once
    settled = await settle(function.embed(texts, dimensions=dimensions, settings=settings))
    if settled.error is not None or settled.value is None:
        return _failed(settled.error or TypeError("no answer was made"))
    return json_answer(wire.embedded(settled.value))


def _operation(call: Call) -> str:
    """What the caller names its call by; "" for nothing. Raises InvalidInput."""
    said = call.header(OPERATION)
    if not said:
        return ""
    try:
        found: object = loads(said)
    except ValueError:
        found = None
    if not (isinstance(found, str) and 0 < len(found) <= _LONGEST):
        raise InvalidInput(f"{OPERATION} is a JSON text of 1 to {_LONGEST:,} characters")
    return found


def _answered(record: str, headers: Headers = ()) -> Answer:
    return Answer(200, record.encode(), (("content-type", "application/json"), *headers))


def _told(settled: Settled[str]) -> Answer:
    if settled.error is None and settled.value is not None:
        return _answered(settled.value)
    return _failed(settled.error or TypeError("no answer was made"))


def _failed(error: Exception) -> Answer:
    """The error as a problem document, in which the caller finds it whole."""
    one = lone(error)
    status = 429 if isinstance(one, RateLimited) else status_of(Raised(error))
    headers: list[tuple[str, str]] = [Whose.OUTCOME.header]
    if status in (429, 503):
        wait = asked(getattr(one, "retry_after", None))
        headers.append(("retry-after", str(1 if wait is None else max(1, math.ceil(wait)))))
    members = {"failure": traces.without(failures.encode(one))}
    return document(status, kind_of(one), text(one) or type(one).__name__, members, headers)


class PieceStream(Answer):
    """The answer while it is being said: ``delta`` for each piece, and in the end ``answer`` or ``error``. Of one that
    is there already, the end alone."""

    __slots__ = ("_call", "_key", "_running")

    def __init__(self, call: Call, key: str, running: Running | str, headers: Headers = ()) -> None:
        own = (("content-type", MEDIA), ("cache-control", "no-cache, no-transform"), ("x-accel-buffering", "no"))
        super().__init__(200, headers=(*own, *headers))
        self._call = call
        self._key = key
        self._running = running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        with suppress(TimeoutError):  # who has asked is gone, or this server goes: the answer is kept
            await self._call.service.closing.during(while_there(scope, receive, self._send(send)))
        await send({"type": "http.response.body", "body": b""})

    async def _send(self, send: Send) -> None:
        running = self._running
        if isinstance(running, str):
            await _part(send, block("answer", running))
            return
        async with aclosing(running.told()) as pieces:
            async for piece in pieces:
                said = {name: value for name, value in (piece._asdict() if piece else {}).items() if value}
                await _part(send, ": still here\n\n" if piece is None else block("delta", said))
        settled = await running.settled(0)
        if settled is None:
            return  # it was cut off; the client sees that there is no end
        told = _told(settled)
        await _part(send, block("answer" if told.status == 200 else "error", told.body.decode()))
        self._call.service.models.heard(self._key, running)


async def _part(send: Send, said: str) -> None:
    await send({"type": "http.response.body", "body": said.encode("utf-8", "replace"), "more_body": True})
