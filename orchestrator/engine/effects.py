"""What one execution has under way in this process: calls, deliveries, blobs being fetched.

Each is a task and ends in exactly one fact, and it counts as running until that fact has been handed over: so
nothing is let go while somebody still has something to tell. A task that dies without a word ends its call
and says so; an execution that waited for it would wait for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, NamedTuple, Protocol

from ...state.errors import StoreCorrupt, StoreError
from ..protocol.decider import Effect, Fact, Invoke
from ..protocol.stuck import damaged
from .cutting import holds
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


class Running(NamedTuple):
    """An effect under way, and what is to be called when its task has ended without a word."""

    task: asyncio.Task[None]
    left: Callable[[asyncio.Task[None]], None]
    call: Invoke | None


class Effects:
    """Those of one activation, by operation. It holds its host only while something runs, so that an execution
    that has gone is freed at once."""

    __slots__ = ("_cut", "_loop", "_performer", "_running")

    def __init__(self, loop: asyncio.AbstractEventLoop, performer: Performer) -> None:
        self._loop = loop
        self._performer = performer
        self._running: dict[str, Running] = {}
        self._cut: list[asyncio.Task[None]] = []  # calls that may end without a word

    def __contains__(self, op: str) -> bool:
        return op in self._running

    def __bool__(self) -> bool:
        return bool(self._running)

    def perform(self, host: Host, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Invoke):
                self._watch(host, effect.op, effect, self._performer.invoke(host.id, effect, host))
            else:
                self.run(host, effect.op, partial(host.deliver, effect))

    def run(self, host: Host, op: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do something that ends in one fact of that operation, as every effect does."""
        self._watch(host, op, None, self._guarded(host, op, work))

    def _watch(self, host: Host, op: str, call: Invoke | None, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        left = partial(self._left, host, op, call)
        task.add_done_callback(left)
        self._running[op] = Running(task, left, call)

    def told(self, fact: Fact) -> None:
        """The fact in which an effect ends has come; ``begun`` alone comes before it."""
        if fact["type"] != "begun":
            running = self._running.pop(fact["op"], None)
            if running is not None:
                running.task.remove_done_callback(running.left)  # it is done with: one callback less of the loop

    def cancel(self, ops: Iterable[str]) -> None:
        for op in ops:
            running = self._running.pop(op, None)
            if running is not None:
                running.task.cancel()

    def hold(self) -> bool:
        """Whether a call is under way for which something is held."""
        return any(holds(running.call) for running in self._running.values())

    def cut(self) -> list[asyncio.Task[None]]:
        """Cut off all calls; what counts of them is still reported."""
        self._cut = [running.task for running in self._running.values() if _code(running.task) is _CALL]
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
        running = self._running.get(op)
        if running is None or running.task is not task:
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
