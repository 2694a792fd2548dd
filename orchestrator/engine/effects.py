"""What one execution has under way in this process: calls, deliveries, blobs being fetched.

Each is a task and ends in exactly one fact, and it counts as running until that fact has been handed over: so
nothing is let go while somebody still has something to tell. A task that dies without a word ends its call
and says so; an execution that waited for it would wait for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Protocol

from ...state.errors import StoreCorrupt, StoreError
from ..protocol.decider import Effect, Fact, Invoke
from ..protocol.stuck import damaged
from .performing import Performer, Sink

log = logging.getLogger("overwinter")


class Host(Sink, Protocol):
    """The execution that the effects are of."""

    id: str

    async def deliver(self, effect: Effect) -> None:
        """Carry out what leaves the execution; it ends in a report."""
        ...

    def give_up(self, message: str) -> None:
        """Something of the execution can't be read."""
        ...

    def lose(self) -> None:
        """It can't go on in this process."""
        ...

    def interrupted(self) -> bool:
        """Whether the process ends in disorder, so that what is cancelled says nothing about the calls."""
        ...


class Effects:
    """Those of one activation, by operation. It holds its host only while something runs, so that an execution
    that has gone is freed at once."""

    __slots__ = ("_cut", "_loop", "_performer", "_running")

    def __init__(self, loop: asyncio.AbstractEventLoop, performer: Performer) -> None:
        self._loop = loop
        self._performer = performer
        self._running: dict[str, asyncio.Task[None]] = {}
        self._cut: list[asyncio.Task[None]] = []  # calls that may end without a word

    def __contains__(self, op: str) -> bool:
        return op in self._running

    def __bool__(self) -> bool:
        return bool(self._running)

    def perform(self, host: Host, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Invoke):
                task = self._loop.create_task(self._performer.invoke(host.id, effect, host))
                self._running[effect.op] = task
                task.add_done_callback(partial(self._left, host, effect.op, effect))
            else:
                self.run(host, effect.op, partial(host.deliver, effect))

    def run(self, host: Host, op: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do something that ends in one fact of that operation, as every effect does."""
        self._running[op] = task = self._loop.create_task(self._guarded(host, op, work))
        task.add_done_callback(partial(self._left, host, op, None))

    def told(self, fact: Fact) -> None:
        """The fact in which an effect ends has come; ``begun`` alone comes before it."""
        if fact["type"] != "begun":
            self._running.pop(fact["op"], None)

    def cancel(self, ops: Iterable[str]) -> None:
        for op in ops:
            task = self._running.pop(op, None)
            if task is not None:
                task.cancel()

    def cut(self) -> list[asyncio.Task[None]]:
        """Cut off all calls; what counts of them is still reported."""
        self._cut = [task for task in self._running.values() if _code(task) is _CALL]
        for task in self._cut:
            task.cancel()
        return self._cut

    def cancel_all(self) -> None:
        self.cancel(list(self._running))

    async def _guarded(self, host: Host, op: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except StoreCorrupt as error:
            self._running.pop(op, None)
            host.give_up(damaged(error))
        except StoreError as error:
            log.warning("execution %s: operation %s is begun again (%s)", host.id, op, error)
            host.lose()
        except Exception:  # the edge to stores: an effect that can't end must not hold the execution for ever
            log.exception("execution %s: operation %s can't be carried out; it is begun again", host.id, op)
            host.lose()

    def _left(self, host: Host, op: str, call: Invoke | None, task: asyncio.Task[None]) -> None:
        """A task is done: it has reported or was given up, or else it died."""
        if self._running.get(op) is not task:
            return
        if task in self._cut and task.cancelled():
            del self._running[op]
            return
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if call is None or isinstance(error, KeyboardInterrupt) or host.interrupted():
            host.lose()
        else:
            host.report(self._performer.died(call, error))


_CALL = Performer.invoke.__code__


def _code(task: asyncio.Task[None]) -> object:
    return getattr(task.get_coro(), "cr_code", None)
