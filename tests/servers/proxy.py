"""A TCP proxy that stands before a store's server and breaks connections where a test says.

It knows no protocol. What matters is only the order: a request that is cut *after* it was forwarded is cut when
the first byte of its answer arrives, so the server has carried it out and nobody is told. A request that is cut
*in the middle* never reached the server whole. The proxy runs in a thread of its own, so neither a busy event
loop nor a synchronous test stands in its way; every method may be called from any thread.

    with Proxy(6379) as proxy:
        store = open_store(f"redis://127.0.0.1:{proxy.port}/0")
        cut = proxy.cut_after_request(b"order-7")   # the next request with these bytes in it
        …
        assert cut.done
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType

HOST = "127.0.0.1"
_CHUNK = 1 << 16


class Act(Enum):
    """What happens to a request, or to its answer."""

    CUT_ANSWER = "the connection ends when the answer comes; the client gets none of it"
    CUT_REQUEST = "the server gets the beginning of the request, then the connection ends"
    DROP_ANSWER = "the answer is thrown away and the connection stays: the client waits"
    DELAY = "the request is forwarded later"


@dataclass(eq=False)
class Fault:
    """Something that is to happen to the next ``times`` requests in which ``when`` occurs (None: until cleared)."""

    act: Act
    when: bytes = b""
    times: int | None = 1
    length: int = 0  # CUT_REQUEST: how many bytes the server gets
    seconds: float = 0.0  # DELAY
    happened: int = 0
    first: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def done(self) -> bool:
        """Whether it happened as often as it was to."""
        return self.times is not None and self.happened >= self.times

    def takes(self, chunk: bytes) -> bool:
        return not self.done and self.when in chunk

    def note(self) -> None:
        self.happened += 1
        self.first.set()


class Proxy:
    """Listens on ``port`` (an ephemeral one) and forwards to ``target`` on this machine."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.connections = 0  # ever opened
        self.requests = 0  # pieces of data that came from clients
        self.cuts = 0  # connections that were broken by a fault
        self._faults: list[Fault] = []
        self._open: set[_Connection] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._breaks = 0  # how often all connections were ended
        self._silent = False
        self._listening: socket.socket | None = None
        # Bound and never listening: it keeps the port while connections are refused.
        self._keeper = _bound(0)
        self.port: int = self._keeper.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{self.port}", daemon=True)
        self._thread.start()
        self._call(self._listen())

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End all connections and the thread. Idempotent."""
        if not self._thread.is_alive():
            return
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._keeper.close()

    # -- single requests -----------------------------------------------------------------------------

    def cut_after_request(self, when: bytes = b"", times: int | None = 1) -> Fault:
        """The server carries the request out; instead of the answer the client sees the connection end."""
        return self.add(Fault(Act.CUT_ANSWER, when, times))

    def cut_mid_request(self, length: int, when: bytes = b"", times: int | None = 1) -> Fault:
        """The server gets the first ``length`` bytes of the request, then both sides see the connection end."""
        return self.add(Fault(Act.CUT_REQUEST, when, times, length=length))

    def drop_replies(self, when: bytes = b"", times: int | None = 1) -> Fault:
        """The server carries the request out, and the client waits for ever for the answer."""
        return self.add(Fault(Act.DROP_ANSWER, when, times))

    def delay(self, seconds: float, when: bytes = b"", times: int | None = 1) -> Fault:
        """The request reaches the server so much later."""
        return self.add(Fault(Act.DELAY, when, times, seconds=seconds))

    def clear(self) -> None:
        """Forget all faults that have not happened."""
        self._faults = []

    def add(self, fault: Fault) -> Fault:
        """Several proxies may share one fault; it happens ``times`` times in all."""
        self._faults = [*self._faults, fault]
        return fault

    # -- all connections -----------------------------------------------------------------------------

    def reset(self) -> None:
        """Every open connection ends at once, with RST to both sides."""

        async def reset() -> None:
            self._break_all()

        self._call(reset())

    def refuse(self) -> None:
        """Nobody listens, and every open connection ends: as when the server is down. Until ``restore``."""
        self._call(self._refuse())

    def silence(self) -> None:
        """Nothing passes in either direction, and nothing says so: as behind a broken switch. Until ``restore``."""
        self._silent = True

    def restore(self) -> None:
        """End ``refuse`` and ``silence``. What was held back by a silence is lost with its connections."""
        if self._silent:
            self._silent = False
            self.reset()
        self._call(self._listen())

    # -- inside the thread ---------------------------------------------------------------------------

    def _call(self, work: object) -> None:
        assert asyncio.iscoroutine(work)
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _listen(self) -> None:
        if self._listening is None:
            self._listening = _bound(self.port)
            self._listening.listen(100)
            self._listening.setblocking(False)
            self._loop.add_reader(self._listening, self._accept, self._listening)

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            client, _ = listening.accept()
            client.setblocking(False)
            self.connections += 1
            task = self._loop.create_task(self._serve(client))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _refuse(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            self._loop.remove_reader(listening)
            listening.close()
        self._break_all()

    def _break_all(self) -> None:
        self._breaks += 1
        for connection in self._open:
            connection.cut(hard=True)

    async def _end(self) -> None:
        await self._refuse()
        while self._serving:
            await asyncio.wait(self._serving)

    async def _serve(self, client: socket.socket) -> None:
        breaks = self._breaks
        reader, writer = await asyncio.open_connection(sock=client, limit=_CHUNK)
        try:
            answers, requests = await asyncio.open_connection(HOST, self.target, limit=_CHUNK)
        except OSError:
            _end(writer, hard=True)
            await _closed(writer)
            return
        connection = _Connection(self, reader, writer, answers, requests)
        if self._listening is None or breaks != self._breaks:  # it happened while this one was made
            connection.cut(hard=True)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)

    def fault_for(self, chunk: bytes) -> Fault | None:
        for fault in self._faults:
            if fault.takes(chunk):
                return fault
        return None

    @property
    def silent(self) -> bool:
        return self._silent


class _Connection:
    """One client's connection and the one to the server that belongs to it."""

    def __init__(
        self,
        proxy: Proxy,
        requests: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._requests = requests
        self._to_client = to_client
        self._answers = answers
        self._to_server = to_server
        self._answer_fault: Fault | None = None  # what is to happen to the answer
        self._ended = asyncio.Event()

    async def run(self) -> None:
        tasks: list[asyncio.Task[object]] = [
            asyncio.ensure_future(work) for work in (self._pump_requests(), self._pump_answers(), self._ended.wait())
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.cut()
        await asyncio.gather(_closed(self._to_client), _closed(self._to_server))

    def cut(self, *, hard: bool = False) -> None:
        """End both sides; ``hard``: with RST."""
        for writer in (self._to_client, self._to_server):
            _end(writer, hard=hard)
        self._ended.set()

    async def _pump_requests(self) -> None:
        proxy = self._proxy
        while chunk := await self._requests.read(_CHUNK):
            proxy.requests += 1
            if proxy.silent:
                await self._ended.wait()
            fault = proxy.fault_for(chunk)
            if fault is not None:
                fault.happened += fault.act is not Act.CUT_ANSWER  # that one is counted when the answer has come
                if fault.act is Act.CUT_REQUEST:
                    self._to_server.write(chunk[: fault.length])
                    await self._to_server.drain()
                    proxy.cuts += 1
                    fault.first.set()
                    return
                if fault.act is Act.DELAY:
                    fault.first.set()
                    await asyncio.sleep(fault.seconds)
                else:
                    self._answer_fault = fault
            self._to_server.write(chunk)
            await self._to_server.drain()

    async def _pump_answers(self) -> None:
        proxy = self._proxy
        while chunk := await self._answers.read(_CHUNK):
            if proxy.silent:
                await self._ended.wait()
            fault = self._answer_fault
            if fault is not None and fault.act is Act.CUT_ANSWER:
                self._answer_fault = None
                if not fault.done:
                    proxy.cuts += 1
                    fault.note()
                    return
            elif fault is not None:
                fault.first.set()
                continue  # thrown away, and so is all that follows
            self._to_client.write(chunk)
            await self._to_client.drain()


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((HOST, port))
    return bound


def _end(writer: asyncio.StreamWriter, *, hard: bool) -> None:
    transport = writer.transport
    if hard and not transport.is_closing():
        taken: socket.socket | None = transport.get_extra_info("socket")
        if taken is not None:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    transport.abort()


async def _closed(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        await writer.wait_closed()
