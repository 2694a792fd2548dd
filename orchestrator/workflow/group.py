"""Branches under way together: starts them as slots permit, counts them against the completion rule, cancels
what is no longer needed and waits until that has cleaned up. Constant work for each branch that ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from ...state.errors import CompletionFailed
from ...state.quantities import count
from ..errors import failures
from .completion import Completion, Outcome, Reason, Results
from .loop import Future, Halt
from .operation import Operation
from .run import Run

Start = Callable[[int], "asyncio.Future[Any]"]


class Group(Operation[Any]):
    """Done when its rule is met. Not in the journal itself: its branches are."""

    __slots__ = (
        "_asked",
        "_concurrency",
        "_error",
        "_failed",
        "_names",
        "_next",
        "_outcomes",
        "_rule",
        "_running",
        "_start",
        "_succeeded",
        "_total",
        "_typed",
        "_verdict",
    )

    def __init__(
        self,
        run: Run,
        op: str,
        total: int,
        start: Start,
        concurrency: int | None,
        rule: Completion | None,
        names: Sequence[str] = (),
    ) -> None:
        if concurrency is not None:
            count(concurrency, 1, "concurrency")
        super().__init__(run, op, "")
        self._names = names
        self._total = total
        self._start = start
        self._concurrency = total if concurrency is None else concurrency
        self._rule = Completion.all() if rule is None else rule
        self._typed = rule is not None
        self._next = 0
        self._succeeded = 0
        self._failed = 0
        self._outcomes: list[Outcome[Any] | None] = [None] * total
        self._running: dict[asyncio.Future[Any], int] = {}
        self._error: BaseException | None = None  # the first failure
        self._verdict: bool | None = None
        self._asked: tuple[Any] | None = None  # cancelled from outside, with this message

    def begin(self) -> None:
        self.run.lending.begin(self)
        self._judge()

    @property
    def slots(self) -> int:
        """How many branches may be at work at once, of those that have not ended."""
        return min(self._concurrency, self._total - sum(outcome is not None for outcome in self._outcomes))

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask the branches to end; when they have cleaned up this is cancelled."""
        if self.done():
            return False
        if self.run.halted or not self._running:
            return self._cancel_now(msg)
        self._asked = (msg,)
        self._cancel_rest(msg)
        return True

    def _cancel_now(self, msg: Any) -> bool:
        return super(Operation, self).cancel(msg)

    def _cancel_rest(self, msg: Any | None = None) -> None:
        for branch in list(self._running):
            branch.cancel(msg)

    def _judge(self) -> None:
        """After each change: fill the free slots, or bring it to an end."""
        closing = self._verdict is not None or self._asked is not None
        if not closing:
            self._verdict = self._rule.met(self._total, self._succeeded, self._failed)
            if self._verdict is None:
                self._fill()
                return
            self._cancel_rest()
        if not self._running:
            self._resolve()

    def _fill(self) -> None:
        while self._next < self._total and len(self._running) < self._concurrency:
            index = self._next
            self._next += 1
            branch = self._launch(index)
            if branch in self._running:  # the same future was given twice
                branch = self.run.loop.create_task(branch)
            self._running[branch] = index
            branch.add_done_callback(self._ended)

    def _launch(self, index: int) -> asyncio.Future[Any]:
        """A branch that can't even start has failed."""
        started: list[asyncio.Future[Any]] = []
        error = self.run.loop.attempt(lambda: started.append(self._start(index)))
        if isinstance(error, Halt):
            raise error
        if error is None:
            return started[0]
        failed: Future[Any] = Future(self.run.loop)
        failed.set_exception(error)
        return failed

    def _ended(self, branch: asyncio.Future[Any]) -> None:
        index = self._running.pop(branch)
        if branch.cancelled():
            wanted = self._verdict is not None or self._asked is not None
            self._outcomes[index] = Outcome(index, "cancelled", name=self._name(index))
            if not wanted:
                self._count(asyncio.CancelledError())
        else:
            error = branch.exception()
            if error is None:
                self._succeeded += 1
                self._outcomes[index] = Outcome(index, "succeeded", branch.result(), name=self._name(index))
            else:
                name = self._name(index)
                self._outcomes[index] = Outcome(index, "failed", error=error, name=name)
                if name:
                    failures.note(error, f"in the branch {name!r} (operation {self.op}.{index})")
                self._count(error)
        self._judge()

    def _name(self, index: int) -> str:
        return self._names[index] if self._names else ""

    def _count(self, error: BaseException) -> None:
        self._failed += 1
        if self._error is None:
            self._error = error

    def _resolve(self) -> None:
        if self.done():
            return
        if self._asked is not None:
            self._cancel_now(*self._asked)
            return
        outcomes = [
            outcome or Outcome(index, "not_started", name=self._name(index))
            for index, outcome in enumerate(self._outcomes)
        ]
        reason: Reason = "all_ended" if self._succeeded + self._failed == self._total else "enough_succeeded"
        if self._verdict:
            results: Results[Any] = Results(outcomes, reason)
            self.set_result(results if self._typed else results.values)
        elif not self._typed and self._error is not None:
            self.set_exception(self._error)
        else:
            results = Results(outcomes, "too_many_failed")
            missed = CompletionFailed(
                f"{self._rule!r} can't be met: {self._succeeded} of {self._total} succeeded, {self._failed} failed",
                results=results,
            )
            missed.__cause__ = self._error
            failures.mark(missed, self.op)
            self.set_exception(missed)
