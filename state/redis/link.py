"""One connection to one server, opened when something is to be sent and again after it broke.

Everything handed in during one turn of the event loop travels together, and so does everything that comes while
an answer is awaited: one write, one read, whatever the number of calls. Redis' own client connects (names, TLS,
passwords, database); from then on the connection is served from here, by callbacks alone. A call whose connection
ends, or says nothing for too long, is given back with its outcome unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from redis.asyncio.connection import Connection
from redis.exceptions import RedisError

from ..errors import StoreError
from ..sizes import Sizes
from .wire import Reader, Reply


class Sent(Protocol):
    """What travels over a link."""

    packed: bytes

    def answer(self, link: Link, reply: Reply) -> None: ...

    def lose(self, link: Link, error: Exception) -> None:
        """The connection ended: whether this was carried out is unknown."""


class Link:
    """``dial`` makes a connected connection to ``place``, host and port; ``timeout`` is for how many seconds a server
    may say nothing. ``sizes`` counts how many calls travel together."""

    def __init__(
        self, place: tuple[str, int], dial: Callable[[], Awaitable[Connection]], timeout: float, sizes: Sizes
    ) -> None:
        self.place = place
        self._sizes = sizes
        self.flights = 0  # writes so far
        self._dial = dial
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Sent] = []  # not sent yet
        self._flying: deque[Sent] = deque()  # sent, not answered
        self._wire: _Wire | None = None
        self._ending: set[asyncio.Future[None]] = set()  # connections that have not ended yet
        self._dialling: asyncio.Task[None] | None = None
        self._scheduled = False
        self._watch: asyncio.TimerHandle | None = None
        self._heard = 0.0

    def send(self, *calls: Sent) -> None:
        self._waiting += calls
        if self._wire is None:
            if self._dialling is None:
                self._dialling = asyncio.ensure_future(self._connect())
        elif not self._scheduled and not self._flying:
            self._scheduled = True
            self._loop.call_soon(self._fly)

    def drop(self, error: Exception) -> None:
        """End the connection; everything on it is given back."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.abort()
        self._give_back(error)

    async def close(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.wait([self._dialling])
        self.drop(ConnectionError("the store was closed"))
        if self._ending:
            await asyncio.wait(self._ending)

    # -- connecting ----------------------------------------------------------------------------------

    async def _connect(self) -> None:
        try:
            connection = await self._dial()
            wire = self._wire = _Wire(connection, self)
            self._ending.add(wire.ended)
            wire.ended.add_done_callback(self._ending.discard)
        except (RedisError, OSError, EOFError, StoreError) as error:
            self._dialling = None
            self._give_back(error)
        except BaseException as error:  # a mistake of ours or the client's: it is logged, and nobody waits for ever
            self._dialling = None
            self._give_back(ConnectionError(f"no connection was made: {error!r}"))
            raise
        else:
            self._dialling = None
            self._fly()

    def _give_back(self, error: Exception) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        lost = [*self._flying, *self._waiting]
        self._flying.clear()
        self._waiting = []
        for call in lost:
            call.lose(self, error)

    # -- sending and hearing -------------------------------------------------------------------------

    def _fly(self) -> None:
        self._scheduled = False
        if self._wire is None or not self._waiting:
            return
        calls, self._waiting = self._waiting, []
        self.flights += 1
        self._sizes.add(len(calls))
        self._heard = self._loop.time()
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout, self._look)
        self._flying.extend(calls)
        self._wire.write(calls[0].packed if len(calls) == 1 else b"".join([call.packed for call in calls]))

    def hear(self, replies: list[Reply]) -> None:
        self._heard = self._loop.time()
        flying = self._flying
        for reply in replies:
            if not flying:
                break  # an error that the server says by itself before it ends the connection
            flying.popleft().answer(self, reply)
        if not flying and self._waiting and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._fly)

    def ended(self, wire: _Wire, error: Exception | None) -> None:
        if self._wire is wire:
            self._wire = None
            self._give_back(error or ConnectionError("the server closed the connection"))

    def _look(self) -> None:
        self._watch = None
        if not self._flying:
            return
        silent = self._loop.time() - self._heard
        if silent >= self._timeout:
            self.drop(TimeoutError(f"the server has said nothing for {silent:.1f} s"))
        else:
            self._watch = self._loop.call_later(self._timeout - silent, self._look)


class _Wire(asyncio.Protocol):
    """The transport of a connected connection, taken over from the client that connected it."""

    def __init__(self, connection: Connection, link: Link) -> None:
        self._link = link
        self._reader = Reader()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # The client has no public way to part with its transport. It keeps its stream objects, which are closed
        # with the transport, so that neither it nor they complain of not having been closed.
        self._connection = cast(Any, connection)
        self._transport: asyncio.Transport = self._connection._writer.transport
        self._former = cast(asyncio.Protocol, self._transport.get_protocol())
        if self._transport.is_closing():  # nobody would tell of its end again
            raise ConnectionError("the server closed the connection at once")
        self._transport.set_protocol(self)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except (StoreError, ValueError) as error:
            self._link.drop(error)
        else:
            self._link.hear(replies)

    def connection_lost(self, exc: Exception | None) -> None:
        self._former.connection_lost(exc)
        self._connection._close()
        if not self.ended.done():
            self.ended.set_result(None)
        self._link.ended(self, exc)


async def hang_up(connection: Connection) -> None:
    """End a connection that no link has taken over, without a farewell that somebody might not answer."""
    held = cast(Any, connection)
    writer: asyncio.StreamWriter | None = held._writer
    if writer is not None:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        held._close()
