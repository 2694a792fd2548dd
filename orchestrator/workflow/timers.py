"""Workflow time and its timers: the clock moves with the journal, a timer fires by a ``timer`` fact.

A timer is also what asyncio calls a TimerHandle, so ``asyncio.sleep`` and ``asyncio.timeout`` are durable.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context
from typing import Any

from ...state.quantities import LATEST, deadline
from ..protocol.decider import Fact


class Timer(asyncio.TimerHandle):
    """One deadline in milliseconds. ``kind`` and ``name`` identify in the journal what waits for it."""

    __slots__ = ("deadline", "kind", "name", "op", "timers")

    def __init__(
        self,
        timers: Timers,
        op: str,
        identity: tuple[str, str],
        deadline: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: Context,
    ) -> None:
        self.timers = timers
        self.op = op
        self.kind, self.name = identity
        self.deadline = deadline
        self._callback = callback
        self._args = args
        self._context = context
        self._cancelled = False
        self._when = deadline / 1000

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<Timer {self.op} at {self.deadline}>"

    def cancel(self) -> None:
        self._cancelled = True
        self.timers.drop(self)

    def let_go(self) -> None:
        """It will never fire: what it would call is free to go."""
        self._callback, self._args = _nothing, ()


class Timers:
    """All open timers of a run, and its clock ``now`` in milliseconds."""

    __slots__ = ("_context", "_count", "_due", "_heap", "_serial", "ask", "now", "open")

    def __init__(self, now: int, ask: Callable[[str, str, str], object]) -> None:
        self.now = now
        self.ask = ask  # checks a new timer of asyncio's against the journal
        self.open: dict[str, Timer] = {}
        self._heap: list[tuple[int, int, Timer]] = []
        self._due: list[Timer] = []
        self._serial = 0
        self._count = 0
        self._context = Context()

    def __len__(self) -> int:
        return len(self.open)

    def add(
        self,
        op: str,
        identity: tuple[str, str],
        at: int,
        callback: Callable[..., object],
        args: tuple[Any, ...] = (),
        context: Context | None = None,
    ) -> Timer:
        at = min(at, LATEST)
        timer = Timer(self, op, identity, at, callback, args, context or self._context)
        self.open[op] = timer
        self._serial += 1
        heapq.heappush(self._heap, (at, self._serial, timer))
        return timer

    def at(self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> Timer:
        """A timer of asyncio's, whose times may be any: named t0, t1 … in the order of asking."""
        op = f"t{self._count}"
        self._count += 1
        self.ask(op, "timer", "asyncio")
        return self.add(op, ("timer", "asyncio"), deadline(when), callback, args, context)

    def drop(self, timer: Timer) -> None:
        """The timer is cancelled."""
        if self.open.get(timer.op) is timer:
            del self.open[timer.op]
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self.open):
            self._heap = [entry for entry in self._heap if self.open.get(entry[2].op) is entry[2]]
            heapq.heapify(self._heap)

    def take(self, op: str) -> Timer | None:
        """The open timer of that operation, which fires now."""
        return self.open.pop(op, None)

    def due(self, now: int) -> list[Fact]:
        """Timer facts of what is due, earliest first."""
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].cancelled()):
            self._due.append(heapq.heappop(self._heap)[2])
        self._due = [timer for timer in self._due if self.open.get(timer.op) is timer]
        return [
            {"type": "timer", "op": timer.op, "at": now, "kind": timer.kind, "name": timer.name} for timer in self._due
        ]

    def wake(self) -> int | None:
        """The earliest deadline."""
        heap = self._heap
        while heap and self.open.get(heap[0][2].op) is not heap[0][2]:
            heapq.heappop(heap)
        for timer in self._due:
            if self.open.get(timer.op) is timer:
                return timer.deadline
        return heap[0][0] if heap else None

    def clear(self) -> None:
        """The run is over: nothing is asked for any more, and who was asked is let go."""
        self.ask = _nobody
        for timer in self.open.values():
            timer.let_go()
        self.open.clear()
        self._heap.clear()
        self._due.clear()


def _nobody(op: str, kind: str, name: str) -> None:
    raise RuntimeError(f"timer {op} ({kind} {name}) was asked for after the end of its run")


def _nothing() -> None:
    """What a timer calls that is of no use any more."""
