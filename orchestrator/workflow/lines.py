"""Which line of the user's code asked for each operation of a workflow, learnt by replaying what is recorded. Nothing
is written down for it while a workflow runs.

No step runs for it and nothing is ordered: code goes over its own history, as it does whenever it is taken up again.
Where code and history disagree, or the time is over, what is known by then is told, and why there is no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, NamedTuple, cast

from ...state.errors import StoreCorrupt
from ..errors import traces
from ..protocol.decider import Fact
from ..protocol.keeping import bring_from
from .decider import Code, WorkflowDecider
from .loop import Loop, Task
from .run import Open, Run

_TURNS = Loop.run.__code__
"""What is below it on the stack has nothing to do with the code."""


class Life(NamedTuple):
    """What is known of the entries from ``first`` on, up to the next checkpoint. ``ops``: lines by operation;
    ``events``: by the number of the entry of an event that was taken; ``open``: by what is waited for without an
    entry that says so, as ``event paid`` or ``sleep``."""

    first: int
    ops: dict[str, str]
    events: dict[int, str]
    open: dict[str, str]


class Lines(NamedTuple):
    """``why``: there is no more than that; "" when all was looked at."""

    lives: Sequence[Life]
    why: str = ""

    def of(self, op: str, entry: int, waits: str = "") -> str:
        """``shop.py:41``, for an operation that an entry tells of (0: none does); "" when it is not known. ``waits``:
        what is waited for, where there is neither."""
        lives = [*(one for one in reversed(self.lives) if one.first <= entry), *reversed(self.lives)]
        if op:
            return next((found for one in lives if (found := _of(one.ops, op))), "")
        if not lives:
            return ""
        return lives[0].events.get(entry, "") if entry else lives[0].open.get(waits, "")


def lines(code: Code, id: str, first: int, entries: Sequence[Fact], seconds: float) -> Lines:
    """Those of a history, whose entries are numbered from ``first``. The code is run in this thread, for about so long.
    Blobs must be in place."""
    until = monotonic() + seconds
    if not entries:
        return Lines(())
    starts = [at for at, entry in enumerate(entries) if not at or entry["type"] == "checkpoint"]
    lives: list[Life] = []
    for start, end in zip(starts, [*starts[1:], len(entries)], strict=True):
        bring_from(entries[start], first, entries)
        decider = _Watching(code, id, first + start, until)
        try:
            decider.replay("", first + start, entries[start:end], 0)
            lives.append(decider.learnt())
            why = decider.stopped
        except StoreCorrupt as error:
            why = str(error)
        finally:
            decider.close()
        if why:
            return Lines(lives, why)
    return Lines(lives)


class _Watching(WorkflowDecider):
    """A decider that replays only, and notes who asks."""

    __slots__ = ("_life", "_until")

    def __init__(self, code: Code, id: str, first: int, until: float) -> None:
        self._life = Life(first, {}, {}, {})
        self._until = until
        super().__init__(code, id)

    def _new_run(self, at: int) -> Run:
        run = _Watched(self._id, self._workflow.name, self._workflow.policy, at, self._life.ops)
        run.accept, run.result, run.limit = self._workflow.accept, self._workflow.result, self._limit
        return run

    def _apply(self, entry: Fact) -> bool:
        run = self._run
        if monotonic() > self._until:
            run.stuck = f"there was no time to look beyond entry {run.number - 1}"
            return False
        if entry["type"] != "event":
            return super()._apply(entry)
        waiting = list(run.listeners.get(str(entry.get("name", "")), ()))
        taken = super()._apply(entry)
        for one in waiting:
            if cast("asyncio.Future[Any]", one).done() and (found := self._place(one)):
                self._life.events[run.number] = found
                break
        return taken

    def learnt(self) -> Life:
        """With what is waited for now."""
        run = self._run
        for name, listeners in run.listeners.items():
            self._life.open[f"event {name}"] = self._place(listeners[0])
        timers = sorted(run.timers.open.values(), key=lambda timer: timer.deadline)
        if timers:
            self._life.open["sleep"] = _of(self._life.ops, timers[0].op)
        return self._life

    @property
    def stopped(self) -> str:
        return self._run.stuck

    def _place(self, listener: object) -> str:
        return _of(self._life.ops, cast("Open", listener).op)


class _Watched(Run):
    """A run that notes which line asks for an operation."""

    __slots__ = ("_ops",)

    def __init__(self, id: str, function: str, policy: Any, at: int, ops: dict[str, str]) -> None:
        self._ops = ops
        super().__init__(id, function, policy, at)
        self.loop: Loop = _Noting(id, self.timers)  # type: ignore[abstract]  # as in Run

    def ask(self, op: str, kind: str, name: str, args: str | None = None) -> Fact | None:
        self._note(op)
        return super().ask(op, kind, name, args)

    def open(self, operation: Open) -> Fact | None:
        self._note(operation.op)
        return super().open(operation)

    def _note(self, op: str) -> None:
        if op not in self._ops and (found := traces.caller(_TURNS) or cast("_Noting", self.loop).made_at()):
            self._ops[op] = found


class _Noting(Loop):
    """A loop that knows which line made a task: what a tool asks for that wants an approval is asked for by a task of
    this library's own."""

    def __init__(self, execution: str, timers: Any) -> None:
        super().__init__(execution, timers)
        self._made: dict[Task[Any], str] = {}

    def _new_task(self, coro: Any, options: dict[str, Any]) -> Task[Any]:
        made = super()._new_task(coro, options)
        self._made[made] = traces.caller(_TURNS) or self.made_at()
        return made

    def made_at(self) -> str:
        task = asyncio.current_task(self)
        return "" if task is None else self._made.get(cast("Task[Any]", task), "")


def _of(ops: Mapping[str, str], op: str) -> str:
    """Its own line; else that of what it lies in, or of the first beside it: ``map`` begins its later items when
    earlier ones have ended, and is itself no operation that is asked for."""
    known: Callable[[str], str] = lambda path: ops.get(path) or ops.get(f"{path}.0", "")  # noqa: E731  # said twice
    while op:
        if found := known(op):
            return found
        op = op.rpartition(".")[0]
    return ""
