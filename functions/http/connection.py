"""One connection: uvicorn's HTTP/1.1 protocol within the bounds of a ``Door``. Refused before the application hears of
it, with a problem document, are heads that are too long or too slow, what is no HTTP, and a second opinion about which
host is meant. After that nothing more is read, and the connection closes. Trailers are dropped, and no other protocol
is spoken: a request to upgrade is answered as what it is.
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum
from functools import partial
from http import HTTPStatus
from typing import Any, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ...security.redaction import redact_logs
from ..messages.answer import Scope
from ..messages.problem import Refused, problem
from .door import Door, Stage
from .presence import PRESENCE, Presence

PIECE = 4096  # bytes that are given to the parser at once: by so much a head may exceed its limit
ARRIVING = 0.3  # seconds that a request gets to arrive whose client had connected when the server was told to stop
PIPELINED = 16  # requests that may wait behind another one on their connection
FRAMING = 16  # bytes around each byte of a chunked body that are taken for clumsiness; more is an attack

FRAMED = (b"content-length", b"transfer-encoding")
SINGLE = frozenset({*FRAMED, b"host", b"content-type", b"authorization", b"idempotency-key"})
"""Headers that mean something else to everybody when they occur twice."""


class Part(Enum):
    """What of a request is arriving."""

    NONE = "none"
    HEAD = "head"
    BODY = "body"


class Connection(HttpToolsProtocol):
    """Made by uvicorn for each connection, see ``config``."""

    def __init__(self, door: Door, **given: Any) -> None:
        super().__init__(**given)
        self._door = door
        self._presence = Presence()
        self._part = Part.NONE
        self._size = 0  # bytes of the head, or of the body with what is around it; but not of the piece it begins in
        self._data = 0  # bytes of the body alone
        self._single: dict[bytes, bytes] = {}
        self._resuming = False  # a new parser is told of a head that is known already
        self._open = 0  # requests without a whole answer
        self._met = False  # something has come
        self._begun = False  # a request begins in the piece that is being parsed
        self._over = False  # nothing more is read; it closes when what was asked before is answered

    # -- the transport -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._door.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.leave(self)
        self._presence.end()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._door.stalls(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._door.flows(self)

    def data_received(self, data: bytes) -> None:
        done = 0 if self._over or len(data) > PIECE else self._read(data)
        if done < len(data):
            rest = memoryview(data)[done:]
            while rest and not self._over:
                rest = rest[self._read(rest[:PIECE]) :]
        self._settle()

    def _read(self, piece: bytes | memoryview) -> int:
        """Have a piece parsed. Returns how much of it was."""
        parser, part, self._begun = self.parser, self._part, False
        if parser is None:  # pyright: ignore[reportUnnecessaryComparison]  # uvicorn drops it with the connection
            return len(piece)
        try:
            parser.feed_data(piece)
        except httptools.HttpParserUpgrade as stopped:
            if self._part is Part.BODY:
                self._resume()
            return int(stopped.args[0])  # what is behind it is HTTP again
        except httptools.HttpParserError as error:
            wrong = error.__context__
            self._refuse(wrong if isinstance(wrong, Refused) else Refused(400, f"this is no HTTP/1.1: {error}"))
            return len(piece)
        if self._part is part and not self._begun:
            self._size += len(piece)
        if self._part is Part.HEAD and self._size > self._door.limits.head:
            self._refuse(_head_too_large(f"has more than {self._door.limits.head} bytes"))
        elif self._part is Part.BODY and self._size > PIECE + FRAMING * self._data:
            self._refuse(Refused(400, "the body is all framing and no data; send larger chunks"))
        elif self._open > PIPELINED:
            self._refuse(Refused(400, f"more than {PIPELINED} requests wait for an answer here; wait for it"))
        return len(piece)

    # -- the parser ----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._resuming:
            return
        self._unset_keepalive_if_required()
        self._begun = self._met = True
        self._part, self._size, self._single = Part.HEAD, 0, {}
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._part is not Part.HEAD:
            return  # a trailer: it may not change what has been decided by the head
        if len(self.headers) >= self._door.limits.fields:
            raise _head_too_large(f"has more than {self._door.limits.fields} headers")
        name = name.lower()
        self.headers.append((name, value))
        if name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        elif name in SINGLE:
            if name in self._single:
                raise Refused(400, f"the header {name.decode()} occurs twice; send it once")
            self._single[name] = value

    def on_headers_complete(self) -> None:
        if self._resuming:
            return
        self._check_target()
        if self._single.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            raise Refused(501, "no transfer coding but chunked is understood; send the body as it is")
        cast("Scope", self.scope)[PRESENCE] = self._presence
        super().on_headers_complete()
        self._part, self._size, self._data = Part.BODY, 0, 0
        self._begun = True
        self._open += 1

    def _check_target(self) -> None:
        """One host, and the same in a target that names one."""
        host = self._single.get(b"host")
        gone = self.parser is None  # pyright: ignore[reportUnnecessaryComparison]  # uvicorn drops it with the connection
        if host is None and not gone and self.parser.get_http_version() == "1.1":
            raise Refused(400, "the header Host is missing; HTTP/1.1 asks for it")
        if not self.url.startswith(b"/"):
            scheme, _, place = self.url.partition(b"://")
            if scheme.lower() not in (b"http", b"https") or place.partition(b"/")[0] != (host or b""):
                raise Refused(400, "the target of the request must be a path, or a URL of the Host that is named")

    def _framing(self) -> bytes:
        """The header that says how long the body is; empty without a body."""
        found = [(name, self._single[name]) for name in FRAMED if self._single.get(name, b"0") != b"0"]
        return b"%s: %s" % found[0] if found else b""

    def _resume(self) -> None:
        """After the head of a request to upgrade the parser takes what follows for another protocol. It is the body all
        the same, and read as another request it would be a way to smuggle one in: a new parser goes on with it."""
        self.parser = httptools.HttpRequestParser(self)
        self._resuming = True
        self.parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n\r\n" % self._framing())
        self._resuming = False

    def on_body(self, body: bytes) -> None:
        self._data += len(body)
        super().on_body(body)
        if self.cycle.response_complete and self._data > self._door.limits.body:
            raise Refused(413, "the body goes on though it was answered")

    def on_message_complete(self) -> None:
        gone = self.parser is None  # pyright: ignore[reportUnnecessaryComparison]  # uvicorn drops it with the connection
        if not gone and self.parser.should_upgrade() and self._framing():
            return  # the parser believes so, see _resume
        self._part = Part.NONE
        super().on_message_complete()

    # -- stages --------------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        self._open -= 1
        super().on_response_complete()
        if self.transport.is_closing():
            self._door.move(self, Stage.PARTING)
        elif self._over and not self._open:
            self._part_ways()
        else:
            self._settle()

    def _settle(self) -> None:
        if self._over or self.transport.is_closing():
            return
        if self._part is Part.BODY and not self.pipeline:
            self._door.move(self, Stage.BODY)
        elif self._open:
            self._door.move(self, Stage.WORK)
        elif self._part is Part.HEAD or not self._met:
            self._door.move(self, Stage.HEAD)
        else:
            self._door.move(self, Stage.IDLE)

    def too_late(self, stage: Stage) -> None:
        if stage is Stage.PARTING:
            if self.unread():
                self._door.stalls(self)  # it still takes its answer
            else:
                self.transport.abort()
        elif self._part is Part.NONE:
            self._part_ways()
        else:
            self._door.counts["late"] += 1
            self._refuse(Refused(408, f"the {stage.value} of the request did not arrive in time; send it faster"))

    def give_way(self) -> None:
        self.transport.abort()

    def unread(self) -> int:
        return self.transport.get_write_buffer_size()

    # -- the end -------------------------------------------------------------------------------------

    def _refuse(self, refused: Refused) -> None:
        """Read nothing more. The client learns why, unless answers to what it asked before stand out."""
        self._over = True
        self._door.counts["refused"] += 1
        unanswered = self._part is not Part.BODY or self._drop_request()
        if not self._open:
            if unanswered:
                self.transport.write(_written(refused))
            self._part_ways()

    def _drop_request(self) -> bool:
        """The rest of a body won't come: let the application know. Whether nothing of its answer is out."""
        cycle = self.cycle
        if cycle.response_complete:
            return False
        cycle.disconnected = True
        cycle.waiting_for_100_continue = False
        cycle.message_event.set()
        if self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()
        self._open -= 1
        return not cycle.response_started

    def _part_ways(self) -> None:
        """Say good-bye, and leave the client a moment to hear it: a close with data unread would cut the answer off."""
        self._over = True
        self._door.move(self, Stage.PARTING)
        self.flow.resume_reading()
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        else:
            self.transport.close()

    def shutdown(self) -> None:
        if self._over and not self.transport.is_closing():
            self.transport.close()
        elif self._part is Part.HEAD or not self._met:  # what it connected for is on its way, and is still answered
            self.loop.call_later(ARRIVING, self._shut_down)
        else:
            super().shutdown()

    def _shut_down(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()


def _head_too_large(what: str) -> Refused:
    return Refused(431, f"the head of the request {what}; send less of it, or in the body")


def _written(refused: Refused) -> bytes:
    """A refusal as it goes over the wire."""
    answer = problem(refused)
    headers = [*answer.headers, ("content-length", str(len(answer.body))), ("connection", "close")]
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", *(f"{k}: {v}" for k, v in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body


def config(app: object, door: Door, **more: Any) -> uvicorn.Config:
    """uvicorn's configuration of a server behind ``door``, whose numbers the app shows with its own; ``more`` goes
    to it as it is."""
    health = getattr(getattr(app, "state", None), "health", None)
    if health is not None:
        health.add_numbers("door", door.numbers)
    kept: dict[str, Any] = {
        "http": cast("type[asyncio.Protocol]", partial(Connection, door)),
        "ws": "none",
        "lifespan": "off",
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": door.limits.idle_time,
        **more,
    }
    made = uvicorn.Config(cast("Any", app), **kept)
    for theirs in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # which it has just given handlers of their own
        redact_logs(logging.getLogger(theirs))
    return made
