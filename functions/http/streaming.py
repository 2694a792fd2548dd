"""What happens to an execution as server-sent events (``text/event-stream``), which any process goes on with.

Each event has an ``id``; who sends it as ``Last-Event-ID`` is told what comes after it. A client that reads slowly
holds nothing up but its own connection: what it has not read yet is read from the store when it is its turn. What comes
to nothing any more after that id is answered by 204, which tells browsers to come no more.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from ...orchestrator.streaming.journal import Since
from ...orchestrator.streaming.position import position
from ...orchestrator.streaming.told import StreamEvent
from ...state.codec import dumps
from ..messages.answer import NO_CONTENT, Answer, Headers, Receive, Scope, Send
from ..messages.media import essence
from ..messages.problem import Refused, problem, settle
from .agui import AgUi
from .outcome import message_url, result_url
from .presence import WHOLE, while_there
from .service import Call, Service, single

MEDIA = "text/event-stream"
AGAIN = 1000
"""Milliseconds after which a browser comes again, when a connection has ended too early."""
ALIVE = 15.0
"""Seconds without an event after which a comment is sent, so that nobody on the way takes the connection for dead."""
_AT_ONCE = 0.25  # seconds in which it shows whether there is anything to tell, and who asks for what is not there
_PROTOCOLS = ("ag-ui",)
WORDS = ("protocol", "thread", "run")
"""Query parameters that say how it is told."""


_REFUSED = re.compile(r";\s*q\s*=\s*0(\.0*)?\s*(;|$)", re.IGNORECASE)


class Vocabulary(Protocol):
    """Makes of each event what is sent: names ("" for none) and data."""

    def begin(self) -> Sequence[tuple[str, Any]]: ...
    async def event(self, event: StreamEvent) -> Sequence[tuple[str, Any]]: ...

    @property
    def over(self) -> bool:
        """Whether nothing is told after that event, whatever happens."""
        ...


class Own:
    """The events as they are."""

    over = False

    def begin(self) -> Sequence[tuple[str, Any]]:
        return ()

    async def event(self, event: StreamEvent) -> Sequence[tuple[str, Any]]:
        return [(event.type, event.data)]


class Words(NamedTuple):
    """In which vocabulary it is told ("" for our own), and what that calls the execution and what is told of it."""

    protocol: str = ""
    thread: str = ""
    run: str = ""

    def place(self, url: str) -> str:
        """Where it is told on in the same words."""
        said = urlencode({name: value for name, value in self._asdict().items() if value})
        return f"{url}{'&' if '?' in url else '?'}{said}" if said else url


def wanted(call: Call, named: str = "") -> bool:
    """Whether the client wants events instead of an outcome: it accepts them, or names a vocabulary. Raises
    InvalidInput for a Last-Event-ID that is none, and Refused where none can be sent, before anything is taken."""
    if named:
        check_flows(call)
    elif call.scope.get(WHOLE):
        return False
    accepts = [part for name, value in call.headers if name == b"accept" for part in value.decode("latin-1").split(",")]
    wants = bool(named) or any(essence(part) == MEDIA and not _REFUSED.search(part) for part in accepts)
    if wants:
        position(last_event(call))
    return wants


def check_flows(call: Call) -> None:
    """Raises Refused where the answer could not be sent before its end: it would be kept, and there may be none."""
    if call.scope.get(WHOLE):
        raise Refused(
            501, "answers are sent whole here, and this one goes on; ask a server that `overwinter serve` runs"
        )


def words(query: dict[str, list[str]]) -> Words:
    """In which words events are wanted. Raises Refused."""
    named = single(query, "protocol")
    if named and named not in _PROTOCOLS:
        raise Refused(400, f"there is no protocol {named[:40]!r}; {', '.join(_PROTOCOLS)}, or leave it out")
    return Words(named, single(query, "thread"), single(query, "run"))


def last_event(call: Call) -> str:
    """The id after which the client goes on."""
    return call.header("last-event-id")


async def told(
    call: Call,
    execution: str,
    words: Words = Words(),
    *,
    message: str = "",
    since: Since | None = None,
    after: str = "",
    again: bool | None = None,
) -> Answer:
    """What happens to an execution, or becomes of one message. ``again``: of what was sent with this request, whether
    it had come before. Raises what is known before anything is told."""
    call.stay.release()
    after = last_event(call) or after
    if again is not None and after and position(after).seq > (await call.runtime.show(execution)).length:
        after = ""  # it has been taken: what is told of it is told from its beginning
    events = call.runtime.events(execution, message=message, after=after, since=None if after else since)
    vocabulary: Vocabulary = Own()
    if words.protocol == "ag-ui":
        run = words.run or message or execution
        vocabulary = AgUi(call.runtime, execution, words.thread or execution, run, position(after))
    headers = [("location", words.place(message_url(execution, message) if message else result_url(execution)))]
    if again:
        headers.append(("idempotent-replay", "true"))
    begun = Begun(events)
    if await begun.over(_AT_ONCE):
        return NO_CONTENT
    return EventStream(call.service, begun, vocabulary, headers)


async def stream(call: Call) -> Answer:
    """GET /stream/{id}: what happens to an execution, from its beginning or after Last-Event-ID."""
    id = call.path("id")
    query = call.query(*WORDS)
    check_flows(call)
    return await told(call, id, words(query))


class Begun:
    """Events of which the next is always asked for already: so it is known early whether there is any, and a silence is
    not taken for the end. Whoever has it closes it, begun upon or not."""

    def __init__(self, events: AsyncGenerator[StreamEvent]) -> None:
        self._events = events
        self._next = asyncio.ensure_future(anext(events, None))

    async def over(self, within: float) -> bool:
        """Whether it shows in that time that there is nothing to tell. Raises what the first event raises."""
        try:
            await asyncio.wait([self._next], timeout=within)
            return self._next.done() and self._next.result() is None
        except asyncio.CancelledError:
            await self.aclose()
            raise

    async def lively(self) -> AsyncIterator[StreamEvent | None]:
        """The events, and None in place of a long silence."""
        while True:
            await asyncio.wait([self._next], timeout=ALIVE)
            if not self._next.done():
                yield None
                continue
            event = self._next.result()
            if event is None:
                return
            self._next = asyncio.ensure_future(anext(self._events, None))
            yield event

    async def aclose(self) -> None:
        """Nobody listens any more."""
        self._next.cancel()
        await asyncio.wait([self._next])
        await self._events.aclose()


class EventStream(Answer):
    """An answer that goes on for as long as there is something to tell."""

    __slots__ = ("_events", "_service", "_vocabulary")

    def __init__(self, service: Service, events: Begun, vocabulary: Vocabulary, headers: Headers = ()) -> None:
        own = (("content-type", MEDIA), ("cache-control", "no-cache, no-transform"), ("x-accel-buffering", "no"))
        super().__init__(200, headers=(*own, *headers))
        self._service = service
        self._events = events
        self._vocabulary = vocabulary

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        async with aclosing(self._events):
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            with suppress(TimeoutError):  # the client has gone, or this server goes: it is told the rest elsewhere
                await self._service.closing.during(while_there(scope, receive, self._send(send)))
        await send({"type": "http.response.body", "body": b""})

    async def _send(self, send: Send) -> None:
        """Everything there is to tell, also that something has gone wrong: the answer has begun."""
        begun = "".join(block(name, data) for name, data in self._vocabulary.begin())
        await _part(send, f"retry: {AGAIN}\n\n{begun}")
        settled = await settle(self._tell(send))
        if settled.error is not None:
            await _part(send, block("error", problem(settled.error).body.decode()))

    async def _tell(self, send: Send) -> None:
        async for event in self._events.lively():
            if event is None:
                await _part(send, ": still here\n\n")
                continue
            said = await self._vocabulary.event(event)
            last = len(said) - 1  # who is cut off before it is told all of the event again
            ids = ("" if index < last else event.id for index in range(len(said)))
            await _part(send, "".join(block(name, data, id) for (name, data), id in zip(said, ids, strict=True)))
            if self._vocabulary.over:
                return


def block(name: str, data: Any, id: str = "") -> str:
    """One event as it is sent. JSON has no line breaks of its own."""
    text = data if isinstance(data, str) else dumps(data)
    lines = [f"id: {id}"] if id else []
    if name:
        lines.append(f"event: {name}")
    return "\n".join([*lines, f"data: {text}", "", ""])


async def _part(send: Send, text: str) -> None:
    if text:
        body = text.encode("utf-8", "replace")
        await send({"type": "http.response.body", "body": body, "more_body": True})
