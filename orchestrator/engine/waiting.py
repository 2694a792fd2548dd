"""Who waits in this process for a reply or an end. They are told at the commit that carries it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..protocol.decider import Fact

T = TypeVar("T")
Waiting = dict["asyncio.Future[Fact]", Callable[["asyncio.Future[Fact]"], None]]
"""Who waits, and what takes each of them out when it waits no more."""


class Waiters:
    """Futures of final entries and replies, for executions that end or answer in this process."""

    def __init__(self) -> None:
        self._ends: dict[str, Waiting] = {}
        self._replies: dict[tuple[str, str], Waiting] = {}

    def announce(self, id: str, function: str, notable: Sequence[Fact]) -> None:
        """Tell who waits: the entry and the function's name."""
        for fact in notable:
            replies = fact["type"] == "reply"
            waiters = self._replies.pop((id, fact["to"]), None) if replies else self._ends.pop(id, None)
            for waiter, forget in waiters.items() if waiters else ():
                waiter.remove_done_callback(forget)
                if not waiter.done():
                    waiter.set_result(fact | {"function": function})

    def end(self, id: str) -> asyncio.Future[Fact]:
        """A future of the final entry, if the execution ends in this process."""
        return _added(self._ends, id)

    def reply(self, id: str, message: str) -> asyncio.Future[Fact]:
        """A future of the reply to a message, if it is given in this process."""
        return _added(self._replies, (id, message))

    def __len__(self) -> int:
        return sum(map(len, self._ends.values())) + sum(map(len, self._replies.values()))

    def cancel(self) -> None:
        for waiters in (*self._ends.values(), *self._replies.values()):
            for waiter in waiters:
                waiter.cancel()


class Awaited:
    """Waiters that were set up before their cause, so that a quick answer is not missed. At most ``most`` of them, of
    which the oldest makes room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, ...], asyncio.Future[Fact]] = OrderedDict()

    def remember(self, key: tuple[str, ...], waiter: asyncio.Future[Fact]) -> asyncio.Future[Fact]:
        """Keep it in the place of another one."""
        replaced = self._kept.pop(key, None)
        if replaced is not None:
            replaced.cancel()
        self._kept[key] = waiter
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)[1].cancel()
        return waiter

    def take(self, key: tuple[str, ...]) -> asyncio.Future[Fact] | None:
        """Whoever waits has it from now on."""
        return self._kept.pop(key, None)

    def forget(self, key: tuple[str, ...], waiter: asyncio.Future[Fact]) -> None:
        """Its cause may be over already: whoever waits is to look first."""
        if self._kept.get(key) is waiter:
            del self._kept[key]
            waiter.cancel()

    def cancel(self) -> None:
        for waiter in self._kept.values():
            waiter.cancel()


async def heard(waiter: asyncio.Future[Fact], told: asyncio.Event | None, timeout: float) -> bool:
    """Wait until the waiter is done or the store tells of something. Whether the waiter is done."""
    if told is None:
        return (await settled(waiter, timeout)).done()
    telling: asyncio.Future[Any] = asyncio.ensure_future(told.wait())
    either: list[asyncio.Future[Any]] = [waiter, telling]
    try:
        await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        telling.cancel()
    told.clear()
    return waiter.done()


async def settled(future: asyncio.Future[T], timeout: float | None = None) -> asyncio.Future[T]:
    """The same, when it is done, or after so many seconds; who stops waiting does not stop it. What ``asyncio.wait``
    and ``asyncio.shield`` do, for one future and at a third of their price."""
    if future.done():
        return future
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def end(_: object = None) -> None:
        if not over.done():
            over.set_result(None)

    timer = None if timeout is None else loop.call_later(timeout, end)
    future.add_done_callback(end)
    try:
        await over
    finally:
        if timer is not None:
            timer.cancel()
        future.remove_done_callback(end)
    return future


def outdated(waiter: asyncio.Future[Fact]) -> bool:
    """Whether its answer, given before anybody asked, may hold no longer: a failed execution may have been retried
    since, a stuck one resumed, here or by another process. The store knows."""
    return waiter.cancelled() or (waiter.done() and waiter.result()["type"] in ("failed", "stuck"))


def _added(waiters: dict[Any, Waiting], key: Any) -> asyncio.Future[Fact]:
    waiter: asyncio.Future[Fact] = asyncio.get_running_loop().create_future()

    def forget(done: asyncio.Future[Fact]) -> None:
        left = waiters.get(key)
        if left is not None:
            left.pop(done, None)
            if not left:
                del waiters[key]

    waiters.setdefault(key, {})[waiter] = forget
    waiter.add_done_callback(forget)
    return waiter
