"""Parallel: runs its branches beside each other, each with the same input; the result is the list of theirs."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...definition.states.parallel import Parallel
from ..execution import Behaviour, Execution
from ..failure import Failure
from ..frame import Frame
from ..outputs import arguments, finish
from ..redriving import take_up


def begin(run: Execution, frame: Frame, state: Parallel) -> None:
    given = arguments(run.scope(frame), state, state.arguments)
    run.history.add("ParallelStateStarted", run.now, frame)
    frame.doing = {"results": [None] * len(state.branches), "open": len(state.branches)}
    for index in range(len(state.branches)):
        inner = frame.begin(index)
        inner.input = given
        run.soon(partial(start, run), inner)


def start(run: Execution, inner: Frame) -> None:
    run.enter(inner, inner.flow.start_at, inner.input)


def done(run: Execution, frame: Frame, state: Parallel, inner: Frame, output: Any) -> None:
    run.history.join(frame, inner)
    frame.doing["results"][inner.index] = output
    frame.doing["open"] -= 1
    if not frame.doing["open"]:
        run.history.add("ParallelStateSucceeded", run.now, frame)
        finish(run, frame, state, frame.doing["results"])


def failed(run: Execution, frame: Frame, state: Parallel, inner: Frame, failure: Failure) -> None:
    run.history.join(frame, inner, failed=True)
    frame.left[inner.index] = inner
    run.fail(frame, failure)


def resume(run: Execution, frame: Frame, state: Parallel) -> None:
    """Branches that have succeeded stay as they are."""
    if not frame.left:  # it was its result that could not be handed on
        finish(run, frame, state, frame.doing["results"])
    frame.doing["open"] = len(frame.left)
    for index in sorted(frame.left):
        take_up(run, frame, index)


BEHAVIOUR = Behaviour(begin, start=start, inner=done, failed=failed, resume=resume)
