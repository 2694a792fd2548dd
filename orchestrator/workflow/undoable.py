"""The calls of a saga that can be undone: which were ordered, in which order, and what came of each.

A call belongs to the innermost saga around the code that asks for it, also in a branch. What has begun is not given
up there: whoever asked for it may stop waiting, and the saga waits on, so that it knows whether there is something to
undo.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

from ...state.errors import InDoubt, InvalidInput
from ..errors.attributes import attempted
from ..usercode.resilience import Policy
from ..usercode.undoing import Undo, arguments_of
from .operation import Operation
from .run import Run
from .targets import describe


class Prepared:
    """What is known of a call that can be undone before it is ordered."""

    __slots__ = ("arguments", "name", "policy", "undo")

    def __init__(self, name: str, arguments: dict[str, Any], undo: Undo, policy: Policy) -> None:
        self.name = name
        self.arguments = arguments
        self.undo = undo
        self.policy = policy


class Made:
    """A call that was ordered in a saga. ``op`` is the operation under which it is undone, ``call`` its own; ``result``
    is what it gave, before any code could change that."""

    __slots__ = ("about", "call", "inner", "op", "result")

    def __init__(self, op: str, call: str, about: Prepared, inner: Operation[Any] | None) -> None:
        self.op = op
        self.call = call
        self.about = about
        self.inner = inner
        self.result: Any = None

    def key(self, execution: str) -> str:
        return f"{execution}/{self.call}" if self.call else ""

    def undoing(self, execution: str) -> Callable[[], Any]:
        """The call that undoes it."""
        if self.inner is None:
            return self.about.undo.function
        return self.about.undo.given(self.about.arguments, self.result, self.key(execution))

    def possible(self, error: BaseException) -> bool:
        """Whether it may have taken effect although it has failed like this."""
        policy = self.about.policy
        if isinstance(error, InDoubt):
            return True
        if policy.contract is not None and policy.contract.reconcile is not None:
            return False  # its own function was asked
        if isinstance(error, (TimeoutError, ConnectionError)) or not isinstance(error, Exception):
            return True
        if policy.at_most_once:
            return False  # an attempt that ends otherwise has told what came of it
        return attempted(lambda: replace(policy.retry, attempts=2).again(error)) is not False


class Kept(Operation[Any]):
    """What the code awaits of a call in a saga. Cancelling it leaves the call to the saga."""

    __slots__ = ()

    def __init__(self, made: Made, inner: Operation[Any]) -> None:
        super().__init__(inner.run, inner.op, inner.name, None, inner.args)
        inner.add_done_callback(partial(self._ended, made))

    def cancel(self, msg: Any | None = None) -> bool:
        return super(Operation, self).cancel(msg)

    def _ended(self, made: Made, inner: Operation[Any]) -> None:
        if inner.cancelled():
            self.cancel()
            return
        error = inner.exception()
        if error is None:
            result = inner.result()
            copy = attempted(lambda: deepcopy(result))
            made.result = result if copy is None else copy
        if self.done():
            return
        if error is None:
            self.set_result(inner.result())
        else:
            self.set_exception(error)


class Calls:
    """Those of one saga, whose operation is ``op``."""

    __slots__ = ("_kept", "closing", "made", "op", "outer", "over", "run")

    def __init__(self, run: Run, op: str) -> None:
        self.run = run
        self.op = op
        self.outer: Calls | None = None
        self.made: list[Made] = []
        self._kept: list[tuple[Operation[Any], Kept]] = []
        self.closing = False
        self.over = False

    def refuse(self) -> None:
        """Nothing new is begun while it is undone."""
        if self.closing:
            raise InvalidInput(
                f"the saga of operation {self.op} is being undone; nothing that would have to be undone is begun in "
                "it. Await what runs beside it before the saga's block ends (asyncio.TaskGroup, ctx.parallel)"
            )

    def keep(self, about: Prepared, inner: Operation[Any]) -> Operation[Any]:
        made = Made(f"{self.op}.{len(self.made)}", inner.op, about, inner)
        self.made.append(made)
        kept = Kept(made, inner)
        self._kept.append((inner, kept))
        return kept

    def register(self, undo: Callable[[], Any], name: str) -> None:
        """Something that was done otherwise."""
        self.refuse()
        about = Prepared(name, {}, Undo(undo), self.run.policy)
        self.made.append(Made(f"{self.op}.{len(self.made)}", "", about, None))

    def leave(self) -> None:
        """All went well. A saga around it takes over what is to be undone should that fail; without one, what nobody
        waits for any more is given up."""
        self.over = True
        outer = self.outer
        if outer is not None and not outer.over:
            for made in self.made:
                made.op = f"{outer.op}.{len(outer.made)}"
                outer.made.append(made)
            outer._kept += self._kept
            return
        for inner, kept in self._kept:
            if kept.cancelled() and not inner.done():
                inner.cancel()


_current: ContextVar[Calls | None] = ContextVar("overwinter_saga", default=None)


def enter(calls: Calls) -> None:
    calls.outer = around(calls.run)
    calls.run.sagas += 1
    _current.set(calls)


def leave(calls: Calls | None) -> None:
    """From here on the code is in the saga around this one; None: in none at all."""
    if calls is None or _current.get() is calls:  # code that is collected as garbage leaves amid that of another run
        _current.set(None if calls is None else calls.outer)


def around(run: Run) -> Calls | None:
    """The innermost saga around the code that runs."""
    calls = _current.get() if run.sagas else None
    while calls is not None and (calls.over or calls.run is not run):
        calls = calls.outer
    return calls


def prepared(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    name: str,
    undo: Undo,
    policy: Policy,
    key: str,
) -> Prepared | None:
    """None when the call can't be made at all. Raises InvalidInput when it could not be undone. ``key`` is its own."""
    describe(undo.function)
    try:
        arguments = arguments_of(fn, args, kwargs)
    except TypeError:
        return None
    tool: Any = describe(fn).tool
    if own := str(getattr(tool, "key", "")):
        arguments[own] = arguments.get(own) or key
    undo.check(arguments, name)
    copy: dict[str, Any] = {}
    for parameter, value in arguments.items():
        found = attempted(lambda value=value: deepcopy(value))  # type: ignore[misc]  # bound at once
        copy[parameter] = value if found is None else found
    return Prepared(name, copy, undo, policy)
