"""Map: does the same with each item of a list, so many at a time; the result is the list of what comes of them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from ...definition.states.map import Map
from ...definition.values import Path
from ...language.failure import QueryError
from ...language.kinds import is_array, is_object
from .. import cut
from ..execution import Behaviour, Execution
from ..failure import RUNTIME, TOO_MANY, Failure
from ..frame import Frame
from ..outputs import finish
from ..redriving import take_up


def begin(run: Execution, frame: Frame, state: Map) -> None:
    scope = run.scope(frame, frame.input)
    if state.language == "JSONPath":
        scope = scope.of(scope.filtered(state.input_path))
    items: Any = scope.items(state.items) if isinstance(state.items, Path) else scope.template(state.items, "Items")
    if is_object(items) and state.language == "JSONata":
        items = [{"Key": key, "Value": value} for key, value in items.items()]
    if not is_array(items):
        raise QueryError(RUNTIME, f"A Map goes through a list, not {json.dumps(items)[:200]}")
    most = scope.number(state.max_concurrency, "MaxConcurrency", 0)
    run.history.add("MapStateStarted", run.now, frame, length=len(items))
    if state.distributed:
        run.history.add("MapRunStarted", run.now, frame, number=frame.op)
    frame.doing = {
        "items": items,
        "value": scope.data,
        "results": [None] * len(items),
        "next": 0,
        "open": 0,
        "failed": 0,
        "most": most or len(items),
        "count": scope.number(state.tolerated_count, "ToleratedFailureCount"),
        "percentage": scope.share(state.tolerated_percentage, "ToleratedFailurePercentage"),
    }
    _more(run, frame, state)


def _more(run: Execution, frame: Frame, state: Map) -> None:
    """Begin as many as may go on at once; when nothing is left, the state is done."""
    doing = frame.doing
    while doing.get("again") and doing["open"] < doing["most"]:
        doing["open"] += 1
        take_up(run, frame, doing["again"].pop(0))
    while doing["next"] < len(doing["items"]) and doing["open"] < doing["most"]:
        index = doing["next"]
        doing["next"] += 1
        doing["open"] += 1
        _item(run, frame, state, index)
    if not doing["open"] and doing["next"] == len(doing["items"]):
        if state.distributed:
            run.history.add("MapRunSucceeded", run.now, frame)
        run.history.add("MapStateSucceeded", run.now, frame)
        finish(run, frame, state, doing["results"])


def _item(run: Execution, frame: Frame, state: Map, index: int) -> None:
    value = frame.doing["items"][index]
    inner = frame.begin(index)
    inner.item = {"Index": index, "Value": value}
    given = value
    if state.selector is not None:
        inner.state, inner.entered, inner.input = frame.state, frame.entered, frame.input
        try:
            given = run.scope(inner, frame.doing["value"]).template(state.selector, "ItemSelector")
        except QueryError:  # the item has not begun
            del frame.frames[index]
            frame.doing["next"] -= 1
            raise
        inner.state = ""
    inner.input = given
    run.soon(partial(_start, run), inner, given)


def _start(run: Execution, inner: Frame, given: Any) -> None:
    if inner.top is inner:
        run.history.add("ExecutionStarted", run.now, inner, input=given)
    else:
        assert inner.parent is not None
        run.history.add("MapIterationStarted", run.now, inner, name=inner.parent.state, index=inner.index)
    run.enter(inner, inner.flow.start_at, given)


def done(run: Execution, frame: Frame, state: Map, inner: Frame, output: Any) -> None:
    if inner.top is inner:
        run.history.add("ExecutionSucceeded", run.now, inner, output=output)
    else:
        run.history.add("MapIterationSucceeded", run.now, inner, name=frame.state, index=inner.index)
    run.history.join(frame, inner)
    frame.doing["results"][inner.index] = output
    frame.doing["open"] -= 1
    _more(run, frame, state)


def failed(run: Execution, frame: Frame, state: Map, inner: Frame, failure: Failure) -> None:
    doing = frame.doing
    doing["open"] -= 1
    doing["failed"] += 1
    frame.left[inner.index] = inner
    tolerated = _tolerated(doing)
    run.history.join(frame, inner, failed=not tolerated)
    if not tolerated and failure.error != RUNTIME:
        cut.tell(run.history, frame, run.now)
        frame.keep()
        run.quit(frame)
    if inner.top is inner:
        run.history.add("ExecutionFailed", run.now, inner, error=failure.error, cause=failure.cause)
    elif failure.error != RUNTIME:
        run.history.add("MapIterationFailed", run.now, inner, name=frame.state, index=inner.index)
    if tolerated:
        doing["results"][inner.index] = failure.as_json()
        _more(run, frame, state)
        return
    limits = state.distributed or doing["count"] is not None or doing["percentage"] is not None
    told = Failure(TOO_MANY, "The specified tolerated failure threshold was exceeded") if limits else failure
    if state.distributed:
        run.history.add("MapRunFailed", run.now, frame, error=told.error, cause=told.cause)
    run.fail(frame, told)


def resume(run: Execution, frame: Frame, state: Map) -> None:
    """Items that have succeeded stay as they are; what failed begins again, also what was tolerated."""
    frame.doing |= {"open": 0, "failed": 0, "again": sorted(frame.left)}
    _more(run, frame, state)


def _tolerated(doing: dict[str, Any]) -> bool:
    count, percentage = doing["count"], doing["percentage"]
    if count is None and percentage is None:
        return False
    share = 100 * doing["failed"] / max(len(doing["items"]), 1)
    return (count is None or doing["failed"] <= count) and (percentage is None or share <= percentage)


BEHAVIOUR = Behaviour(begin, inner=done, failed=failed, resume=resume)
