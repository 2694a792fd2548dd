"""Calls and their answers: each goes to the server that has its partition, and again when the server says so, when it
can't be reached, or when the connection ended before the answer came, until ``patience`` is over.

A call that is sent again may have been carried out before. So every script recognises a repetition of the same call
and answers it as it did, or would have, the first time; nothing is concluded from a lost connection.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar

from ..errors import InvalidInput, OverwinterError, PayloadTooLarge, StoreCorrupt, StoreError, StoreUnavailable
from . import failures
from .keys import Partition
from .link import Link
from .scripts import Script
from .servers import Servers
from .wire import Refusal, Reply, pack

T = TypeVar("T")
Decode = Callable[[Any], T]

LIMIT = 256 * 1024 * 1024
"""What one call may weigh, in bytes; a server takes texts up to 512 MB (proto-max-bulk-len)."""

_REDIRECTIONS = 8  # at once; then with pauses
_MOVING = Refusal("TRYAGAIN the keys are being moved")


class Exchange:
    """All calls of one store. ``limit`` is what a call may weigh, ``patience`` for how many seconds it is tried."""

    def __init__(self, servers: Servers, name: str, patience: float) -> None:
        self.servers = servers
        self.name = name
        self.patience = patience
        self.limit = LIMIT
        self._loop = asyncio.get_running_loop()
        self.requests: Counter[str] = Counter()  # what was sent, by script, also what was sent again
        self._open = 0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    # -- handing in ----------------------------------------------------------------------------------

    def run(
        self,
        partition: Partition,
        packed: bytes,
        decode: Decode[T],
        script: Script | None = None,
        *,
        patience: float | None = None,
        link: Link | None = None,
    ) -> asyncio.Future[T]:
        """Send a packed call; ``link`` to a certain server. The future holds what ``decode`` makes of the reply."""
        future: asyncio.Future[T] = self._loop.create_future()
        if len(packed) > self.limit:
            future.set_exception(
                PayloadTooLarge(
                    f"{len(packed):,} bytes at once are too much for {self.name} (at most {self.limit:,}). Store big"
                    " values elsewhere and pass a reference"
                )
            )
            return future
        if not self._open:
            self._idle.clear()
        self._open += 1
        deadline = self._loop.time() + (self.patience if patience is None else patience)
        self.submit(_Call(self, partition, packed, decode, script, future, deadline, link))
        return future

    def ask(self, partition: Partition, decode: Decode[T], *parts: bytes) -> asyncio.Future[T]:
        """One of Redis' own commands that only reads."""
        return self.run(partition, pack(*parts), decode)

    def call(
        self,
        partition: Partition,
        script: Script,
        keys: list[bytes],
        arguments: list[bytes],
        decode: Decode[T],
        *,
        patience: float | None = None,
    ) -> asyncio.Future[T]:
        return self.run(partition, script.call(keys, arguments), decode, script, patience=patience)

    async def close(self) -> None:
        """Wait for what was handed in, then disconnect."""
        try:
            async with asyncio.timeout(self.patience * 2):
                await self._idle.wait()
        except TimeoutError:
            pass  # what is left is answered with StoreUnavailable
        self._closed = True
        await self.servers.close()

    # -- sending again -------------------------------------------------------------------------------

    def submit(self, call: _Call[Any]) -> None:
        if self._closed:
            call.fail(StoreUnavailable(f"{self.name}: the store was closed before this was answered"))
            return
        self.requests["read" if call.script is None else call.script.name] += 1
        link = call.link or self.servers.link(call.partition)
        if link is None:
            self.retry(call, self.servers.trouble)
        else:
            link.send(call)

    def retry(self, call: _Call[Any], error: Exception | Refusal) -> None:
        if self._closed or call.future.done() or self._loop.time() >= call.deadline or not failures.passes(error):
            call.fail(failures.translate(error, self.name))
            return
        pause = min(0.5, 0.01 * 2**call.tries) * random.uniform(0.5, 1)
        call.tries += 1
        self._loop.call_later(pause, self.submit, call)

    def refused(self, call: _Call[Any], link: Link, refusal: Refusal) -> None:
        code = refusal.code
        if code == "NOSCRIPT" and call.script is not None:
            call.packed = call.script.bringing_text(call.packed)
            link.send(call)
        elif code in ("MOVED", "ASK") and call.tries < _REDIRECTIONS:
            call.tries += 1
            self._redirect(call, link, refusal)
        else:
            if code in ("READONLY", "CLUSTERDOWN", "MOVED", "ASK"):
                self.servers.suspect(link)
            self.retry(call, _MOVING if code in ("MOVED", "ASK") else refusal)

    def _redirect(self, call: _Call[Any], link: Link, refusal: Refusal) -> None:
        code, slot, place = refusal.text.split(" ")
        host, _, port = place.rpartition(":")
        target = self.servers.at(host or link.place[0], int(port))
        if target is None:
            call.fail(InvalidInput(f"{self.name} is a node of a cluster; write redis+cluster://{place}"))
        elif code == "MOVED":
            self.servers.moved(int(slot), *target.place)
            target.send(call)
        else:
            target.send(_Asking(), call)

    def done(self) -> None:
        self._open -= 1
        if not self._open:
            self._idle.set()


class _Call(Generic[T]):
    __slots__ = ("deadline", "decode", "exchange", "future", "link", "packed", "partition", "script", "tries")

    def __init__(
        self,
        exchange: Exchange,
        partition: Partition,
        packed: bytes,
        decode: Decode[T],
        script: Script | None,
        future: asyncio.Future[T],
        deadline: float,
        link: Link | None,
    ) -> None:
        self.exchange = exchange
        self.partition = partition
        self.packed = packed
        self.decode = decode
        self.script = script
        self.future = future
        self.deadline = deadline
        self.link = link
        self.tries = 0

    def answer(self, link: Link, reply: Reply) -> None:
        try:
            if type(reply) is Refusal:
                self.exchange.refused(self, link, reply)
                return
            value = self.decode(reply)
        except StoreError as error:
            self.fail(error)
        except (ValueError, TypeError, LookupError) as error:
            self.fail(StoreCorrupt(f"{self.exchange.name} holds what this release can't read: {error!r}"))
        except BaseException as error:  # a mistake of ours: it is logged, and nobody waits for ever
            self.fail(StoreCorrupt(f"an answer of {self.exchange.name} can't be read: {error!r}"))
            raise
        else:
            if not self.future.done():
                self.future.set_result(value)
            self.exchange.done()

    def lose(self, link: Link, error: Exception) -> None:
        self.exchange.servers.suspect(link)
        self.exchange.retry(self, error)

    def fail(self, error: OverwinterError) -> None:
        if not self.future.done():
            self.future.set_exception(error)
        self.exchange.done()


class _Asking:
    """Goes before a call to a node that is just receiving its slot."""

    packed = pack(b"ASKING")

    def answer(self, link: Link, reply: Reply) -> None:
        pass

    def lose(self, link: Link, error: Exception) -> None:
        pass


async def together(futures: Iterable[Awaitable[T]]) -> list[T]:
    """All answers, or the first error once all are there."""
    answers = await asyncio.gather(*futures, return_exceptions=True)
    found: list[T] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        found.append(answer)
    return found
