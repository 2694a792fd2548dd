"""``saga``: what was called in a block is undone, the last first, when the block fails or is cancelled.

Each undoing call is an operation of its own, under a key of its own, so that a process that dies goes on with the next
one. Nothing that interrupts the code interrupts it: the block is left when all is undone that can be. What could not
be is told by name, in the journal and by CompensationFailed, whose cause is what the block failed with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from functools import partial
from types import TracebackType
from typing import Any, Self

from ...state.codec import dumps, plain
from ...state.errors import CompensationFailed, InvalidArgument, InvalidInput, PayloadTooLarge
from ...state.undone import NotUndone
from ..errors import failures
from ..errors.groups import said
from ..usercode.annotations import name_of
from .loop import Halt, Task
from .naming import named
from .run import Run
from .scope import Scope
from .step import order
from .targets import describe, durable_name
from .undoable import Calls, Made, enter, leave

SHOWN = 4 * 1024
"""Characters of a call's arguments that are told of one that could not be undone; of larger ones nothing is."""
NAMED = 5
"""How many of them a text names."""
MOST = 48 * 1024
"""Characters that those may have in the error with their arguments; the journal has them all."""


class Saga:
    """What ``async with ctx.saga() as saga`` gives."""

    __slots__ = ("_calls", "_entered", "_name", "_run", "_undone")

    def __init__(self, run: Run, op: str, name: str) -> None:
        self._run = run
        self._calls = Calls(run, op)
        self._name = name
        self._entered = False
        self._undone = 0  # undoing calls that were made

    def undo(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """From here on, ``fn(*args, **kwargs)`` undoes something that was done in another way than by a call with an
        ``undo``: by a child, by several steps together. Raises InvalidInput when the saga is over."""
        if durable_name(fn) is not None:
            raise InvalidArgument(f"{durable_name(fn)!r} can't undo: saga.undo takes a function or a tool")
        if not self._entered or self._calls.over:
            raise InvalidInput("saga.undo is called within the block of its saga: async with ctx.saga() as saga")
        self._calls.register(partial(fn, *args, **kwargs) if args or kwargs else fn, describe(fn).name)

    async def __aenter__(self) -> Self:
        if self._entered:
            raise InvalidInput("a saga is entered once; ask for another one: async with ctx.saga()")
        self._entered = True
        enter(self._calls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run, calls = self._run, self._calls
        if run.halted or isinstance(error, (Halt, GeneratorExit, KeyboardInterrupt)):
            return
        try:
            if error is None:
                calls.leave()
            else:
                calls.closing = True
                await self._close(error)
        finally:
            calls.over = True
            run.sagas -= 1
            leave(calls)

    async def _close(self, error: BaseException) -> None:
        """Raises what is to be raised instead of ``error``."""
        run = self._run
        task = run.loop.create_task(self._undo(error))
        cancelled = await _over(task)
        left = task.result()
        if self._undone:
            run.passed_on.append(error)
        if left:
            failed = CompensationFailed(_told(left, len(self._calls.made), error), calls=_bounded(left))
            if self._undone:
                failures.mark(failed, self._calls.op)
            raise failed from error
        if cancelled is not None and cancelled is not error:
            raise cancelled from error

    async def _undo(self, error: BaseException) -> list[NotUndone]:
        leave(None)  # what undoes is not undone
        run, calls = self._run, self._calls
        run.unwanted.update(made.call for made in calls.made if made.inner is not None and not made.inner.done())
        # What ``retry`` opens again is not waited for where it was at first: what was undone after it stands in the
        # journal before that. It is made when the journal tells of nothing more.
        reopened, seen = _parts(run.reopened, calls.op), _parts(run.seen, calls.op)
        again = [one for one in calls.made[::-1] if one.op in reopened]
        asked: dict[str, Task[str]] = {}
        for one in calls.made[::-1]:
            if one.op not in reopened or one.op in seen:
                asked[one.op] = run.loop.create_task(self._one(one, error))
            if one.op not in reopened:
                await _over(asked[one.op])
        for one in again:
            if one.op not in asked:
                asked[one.op] = run.loop.create_task(self._one(one, error))
            await _over(asked[one.op])
        left = [self._left(one, why) for one in calls.made[::-1] if (why := asked[one.op].result())]
        if left:
            self._note(left)
        return left

    async def _one(self, made: Made, error: BaseException) -> str:
        """Why it could not be undone; "" when it was, or nothing was to be undone."""
        run, undo = self._run, made.about.undo
        if made.inner is not None:
            await _over(made.inner)
            failed = asyncio.CancelledError() if made.inner.cancelled() else made.inner.exception()
            if failed is not None and not made.possible(failed):
                return ""
            if failed is not None and not undo.unsure:
                return f"it may have taken effect, and nobody knows: {said(failed)}"
        if not self._undone:
            self._begin(error)
        self._undone += 1
        call: Task[Any] = run.loop.create_task(self._call(made))
        await _over(call)
        if call.cancelled():
            return "the workflow's own code has cancelled what was to undo it"
        wrong = call.exception()
        return "" if wrong is None else said(wrong)

    async def _call(self, made: Made) -> None:
        await order(self._run, made.op, made.undoing(self._run.id), (), {}, f"undo {made.about.name}")

    def _begin(self, error: BaseException) -> None:
        """Say in the journal that it is undone, and why."""
        run, calls = self._run, self._calls
        run.undoing[calls.op] = run.number
        why = "cancelled" if isinstance(error, asyncio.CancelledError) else said(error)
        entry = {"type": "saga", "op": calls.op, "name": self._name, "at": run.timers.now, "why": why}
        run.own[calls.op] = entry

    def _left(self, made: Made, why: str) -> NotUndone:
        given = plain(made.about.arguments)
        shown = given if len(dumps(given)) <= SHOWN else None
        undo = name_of(made.about.undo.function)
        return NotUndone(made.about.name, made.call, made.key(self._run.id), shown, undo, why)

    def _note(self, left: list[NotUndone]) -> None:
        run, op = self._run, f"{self._calls.op}.left"
        entry: dict[str, Any] = {"type": "saga", "op": op, "name": self._name, "at": run.timers.now}
        try:
            run.fit(entry | {"data": [one._asdict() for one in left]})
        except PayloadTooLarge:
            left = [one._replace(arguments=None) for one in left]
        run.own[op] = entry | {"data": [one._asdict() for one in left]}


def _parts(ops: Set[str], saga: str) -> set[str]:
    """The undoing calls of a saga that one of these operations is, or is a part of."""
    length = saga.count(".") + 2
    return {".".join(op.split(".")[:length]) for op in ops if op.startswith(f"{saga}.")}


async def _over(future: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Wait until it is done, whatever is cancelled meanwhile; the last of that."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as again:
            cancelled = again
    return cancelled


def _bounded(left: list[NotUndone]) -> list[NotUndone]:
    if len(dumps([one.arguments for one in left])) > MOST:
        return [one._replace(arguments=None) for one in left]
    return left


def _told(left: list[NotUndone], made: int, error: BaseException) -> str:
    each = "; ".join(f"{one.name} ({one.key or one.undo}): {one.why}" for one in left[:NAMED])
    more = f"; and {len(left) - NAMED} more" if len(left) > NAMED else ""
    why = "cancelled" if isinstance(error, asyncio.CancelledError) else said(error)
    return f"{len(left)} of {made} calls could not be undone: {each}{more}. It was to be undone because of {why}"


class Compensating(Scope):
    """The part of a context that undoes."""

    __slots__ = ()

    def saga(self, name: str = "saga") -> Saga:
        """``async with ctx.saga():`` when the block fails or is cancelled, the calls made in it that name an ``undo``
        (a tool's own, or that of ``ctx.step(…, undo=…)``) are undone, the last first, before the error goes on. Raises
        CompensationFailed when something could not be undone, or may have happened and nobody knows."""
        return Saga(self._run, self._next(), named(name, "the name of a saga"))
