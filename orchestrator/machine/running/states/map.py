"""Map: does the same with each item of a list or of a data set, so many at a time; the result is the list of what comes
of them.

A distributed Map runs here as an inline one does, with what only it has: its items may be read from a bucket, page by
page, before the first is begun; they may be put together to batches; what comes of them may be written to a bucket.
Reading and writing are calls like those of a Task.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from ....protocol.decider import Invoke
from ...definition.states.map import Map
from ...definition.values import Path, expression, is_expression
from ...language.failure import QUERY, QueryError
from ...language.kinds import is_array, is_object, kind_of
from ...language.numbers import json_text
from .. import cut, map_items, map_results, map_run
from ..execution import Behaviour, Execution
from ..failure import READER_FAILED, RUNTIME, TOO_MANY, WRITER_FAILED, Failure
from ..frame import Frame
from ..map_numbers import Unfit, batches, max_items, numbers
from ..outputs import finish
from ..redriving import take_up
from ..resources import Export, Reading
from ..scope import Scope
from .task import invoke

PAGE = 4 << 20
"""Bytes of a data set that one entry of the journal takes."""
ABREAST = 1000
"""Items of a distributed Map that go on at once where nothing is said; AWS has 10,000."""


def begin(run: Execution, frame: Frame, state: Map) -> None:
    scope = run.scope(frame, frame.input)
    if state.language == "JSONPath":
        scope = scope.of(scope.filtered(state.input_path))
    try:
        frame.doing = _prepared(run, frame, state, scope)
    except Unfit as unfit:
        run.fail(frame, unfit.failure)
        return
    if state.reader is None:
        items, keys = _given(scope, state)
        map_items.extend(frame.doing, items, keys, map_items.STATE_DATA)
    run.history.add("MapStateStarted", run.now, frame, length=len(frame.doing["items"]))
    if state.distributed:
        run.history.add("MapRunStarted", run.now, frame, arn=map_run.run_arn(run.about.machine, frame))
    if state.reader is None:
        _more(run, frame, state)
    else:
        _read(run, frame, state)


def _prepared(run: Execution, frame: Frame, state: Map, scope: Scope) -> dict[str, Any]:
    """What the state remembers. Raises Unfit, QueryError."""
    doing: dict[str, Any] = {"value": scope.data, "items": [], "keys": [], "sources": [], "results": [], "bad": []}
    doing |= {"next": 0, "open": 0, "failed": 0, **numbers(scope, state)}
    field = "Arguments" if state.language == "JSONata" else "Parameters"
    if state.batcher is not None:
        doing["batch"] = batches(scope, state)
    if (reader := state.reader) is not None:
        given: Any = {} if reader.arguments is None else scope.template(reader.arguments, f"ItemReader/{field}")
        doing["reading"] = {"page": 1, "cursor": None, "most": max_items(scope, reader.config.max_items)}
        doing["reading"]["given"] = _object(given, f"ItemReader/{field}")
    if (writer := state.writer) is not None and writer.arguments is not None:
        doing["export"] = _place(scope.template(writer.arguments, f"ResultWriter/{field}"), f"ResultWriter/{field}")
    if state.distributed:
        doing |= {"run": map_run.run_id(run.seed, frame.op), "units": {}, "lost": {}}
    return doing


def _object(given: Any, field: str) -> Any:
    if is_object(given):
        return given
    raise QueryError(RUNTIME, f"The field '{field}' must be an object, not {json.dumps(given)[:200]}")


def _place(given: Any, field: str) -> Any:
    """Where results go. Raises QueryError."""
    for name, value in _object(given, field).items():
        if name not in ("Bucket", "Prefix", "ExpectedBucketOwner") or not isinstance(value, str):
            takes = "Bucket, Prefix and ExpectedBucketOwner, which are texts"
            raise QueryError(RUNTIME, f"{field} takes {takes}, and not {name!r:.80}: {json.dumps(value)[:80]}")
    if not given.get("Bucket"):
        raise QueryError(RUNTIME, "The field 'Bucket' is required but was missing")
    return given


def _given(scope: Scope, state: Map) -> tuple[list[Any], list[str] | None]:
    """Items of the state's input, and keys of those of an object. Raises QueryError."""
    items: Any = scope.items(state.items) if isinstance(state.items, Path) else scope.template(state.items, "Items")
    if is_object(items) and (state.language == "JSONata" or state.distributed):
        return list(items.values()), list(items)
    if not is_array(items):
        raise _no_list(state, items)
    return list(items), None


def _no_list(state: Map, items: Any) -> QueryError:
    """In AWS's words."""
    if isinstance(state.items, Path):
        return QueryError(RUNTIME, f'Reference path "{state.items.text}" must point to array.')
    source = state.items.source
    if not isinstance(source, str) or not is_expression(source):
        return QueryError(RUNTIME, f"A Map goes through a list, not {json_text(items)[:200]}")
    said = f"The JSONata expression '{expression(source).text}' specified for the field 'Items' returned an unexpected"
    kind = kind_of(items)
    return QueryError(QUERY, f"{said} result type. Expected 'array', but was '{kind}' for value: {json_text(items)}")


# -- reading ---------------------------------------------------------------------------------------


def _read(run: Execution, frame: Frame, state: Map) -> None:
    """Have the next page read."""
    frame.doing["call"] = f"{frame.op}.read{frame.doing['reading']['page']}"
    run.call(frame, call_again(run, frame, state))


def _came(run: Execution, frame: Frame, state: Map, found: Any) -> None:
    if isinstance(found, Failure):
        _fail(run, frame, state, _named(found, READER_FAILED))
        return
    doing, reading = frame.doing, frame.doing["reading"]
    for part in found["parts"]:
        map_items.extend(doing, part["items"], part.get("keys"), part["source"])
        if reading["most"] is not None:
            reading["most"] -= len(part["items"])
    if found["next"] is not None:
        reading["page"] += 1
        reading["cursor"] = found["next"]
        _read(run, frame, state)
        return
    del doing["reading"]
    run.history.note("read", run.now, frame, length=len(doing["items"]))
    _more(run, frame, state)


def _named(failure: Failure, error: str) -> Failure:
    """A call that has failed as the state's failure, also when it was not ours that refused."""
    return failure if failure.error == error else Failure(error, f"{failure.error}: {failure.cause}")


def call_again(run: Execution, frame: Frame, state: Map) -> Invoke:
    """The call that is under way, as it was ordered: of a page, or of what writes the results."""
    doing = frame.doing
    reader, reading = state.reader, doing.get("reading")
    if reader is not None and reading is not None:
        given, cursor, most = reading["given"], reading["cursor"], reading["most"]
        room = min(PAGE, run.limit // 4)
        work = run.resources.reads(Reading(reader.resource.name, given, reader.config, cursor, most, room))
    else:
        work = run.resources.writes(_export(run, frame, state))
    return invoke(run, frame, doing["call"], work)


# -- items -----------------------------------------------------------------------------------------


def _more(run: Execution, frame: Frame, state: Map) -> None:
    """Begin as many as may go on at once; when nothing is left, the state is done."""
    doing = frame.doing
    most = doing["most"] or (ABREAST if state.distributed else len(doing["items"]))
    while doing.get("again") and doing["open"] < most:
        doing["open"] += 1
        take_up(run, frame, doing["again"].pop(0))
    try:
        while doing["next"] < len(doing["items"]) and doing["open"] < most:
            _item(run, frame, state)
    except QueryError as error:
        _fail(run, frame, state, run.told(frame, error))
        return
    if not doing["open"] and doing["next"] == len(doing["items"]):
        _complete(run, frame, state)


def _item(run: Execution, frame: Frame, state: Map) -> None:
    doing = frame.doing
    number, item = len(doing["results"]), None if state.distributed else map_items.described(doing, doing["next"])
    given, size = map_items.following(run, frame, state)
    doing["results"].append(None)
    doing["open"] += 1
    inner = frame.begin(number)
    inner.item, inner.input = item, given
    if state.distributed:
        doing["units"][str(number)] = [run.now, size, given, 0]
    run.soon(partial(start, run), inner)


def start(run: Execution, inner: Frame) -> None:
    given = inner.input
    if inner.top is inner:
        run.history.add("ExecutionStarted", run.now, inner, input=given)
    else:
        assert inner.parent is not None
        run.history.add("MapIterationStarted", run.now, inner, name=inner.parent.state, index=inner.index)
    run.enter(inner, inner.flow.start_at, given)


def done(run: Execution, frame: Frame, state: Map, inner: Frame, output: Any) -> None:
    number = inner.index
    if state.distributed:
        run.history.add("ExecutionSucceeded", run.now, inner, output=output)
        output = map_results.succeeded(run, frame, state, number, output)
    else:
        run.history.add("MapIterationSucceeded", run.now, inner, name=frame.state, index=number)
    run.history.join(frame, inner)
    frame.doing["results"][number] = output
    frame.doing["open"] -= 1
    _more(run, frame, state)


def failed(run: Execution, frame: Frame, state: Map, inner: Frame, failure: Failure) -> None:
    doing, number = frame.doing, inner.index
    doing["open"] -= 1
    doing["failed"] += doing["units"][str(number)][1] if state.distributed else 1
    doing["bad"].append(number)
    frame.left[number] = inner
    tolerated = _tolerated(doing)
    run.history.join(frame, inner, failed=not tolerated)
    if not tolerated and failure.error != RUNTIME:
        cut.tell(run.history, frame, run.now)
    if state.distributed:
        run.history.add("ExecutionFailed", run.now, inner, error=failure.error, cause=failure.cause)
        doing["results"][number] = map_results.failed(run, frame, number, failure)
    else:
        if failure.error != RUNTIME:
            run.history.add("MapIterationFailed", run.now, inner, name=frame.state, index=number)
        doing["results"][number] = failure.as_json()
    limits = doing["count"] is not None or doing["percentage"] is not None
    if tolerated:
        _more(run, frame, state)
    elif limits or state.distributed:
        _fail(run, frame, state, Failure(TOO_MANY, "The specified tolerated failure threshold was exceeded"))
    else:
        _fail(run, frame, state, failure)


def _tolerated(doing: dict[str, Any]) -> bool:
    count, percentage = doing["count"], doing["percentage"]
    if count is None and percentage is None:
        return False
    share = 100 * doing["failed"] / max(len(doing["items"]), 1)
    return (count is None or doing["failed"] <= count) and (percentage is None or share <= percentage)


# -- the end ---------------------------------------------------------------------------------------


def _complete(run: Execution, frame: Frame, state: Map) -> None:
    if "export" in frame.doing:
        _write(run, frame, state)
    else:
        _succeed(run, frame, state, map_results.output(frame, state) if state.distributed else frame.doing["results"])


def _succeed(run: Execution, frame: Frame, state: Map, result: Any) -> None:
    if state.distributed:
        run.history.add("MapRunSucceeded", run.now, frame)
    run.history.add("MapStateSucceeded", run.now, frame)
    finish(run, frame, state, result)


def _fail(run: Execution, frame: Frame, state: Map, failure: Failure) -> None:
    """What is under way is stopped; what came of the items is written all the same, where that is asked for."""
    doing = frame.doing
    frame.keep()
    run.quit(frame)
    if "export" in doing and doing["results"] and "broken" not in doing:
        doing["broken"] = list(failure)
        _stop(run, frame, state)
        _write(run, frame, state)
        return
    if state.distributed:
        run.history.add("MapRunFailed", run.now, frame, error=failure.error, cause=failure.cause)
    run.fail(frame, failure)


def _stop(run: Execution, frame: Frame, state: Map) -> None:
    """Note what was under way, and what was never begun."""
    doing = frame.doing
    for number in sorted(map(int, doing["units"])):
        doing["results"][number] = map_results.failed(run, frame, number, None)
        doing["bad"].append(number)
    number, begun = len(doing["results"]), doing["next"]
    pending: list[Any] = []
    while doing["next"] < len(doing["items"]):
        try:
            given, _ = map_items.following(run, frame, state)
        except QueryError:  # what ItemSelector can't select is told of as it is
            given = doing["items"][doing["next"]]
            doing["next"] += 1
        pending.append(map_results.pending(run, frame, number, given))
        number += 1
    doing["pending"], doing["next"] = pending, begun


def _write(run: Execution, frame: Frame, state: Map) -> None:
    again = frame.doing["writes"] = frame.doing.get("writes", 0) + 1
    frame.doing["call"] = f"{frame.op}.write" if again == 1 else f"{frame.op}.write{again}"
    run.call(frame, call_again(run, frame, state))


def _export(run: Execution, frame: Frame, state: Map) -> Export:
    given, writer = frame.doing["export"], state.writer
    prefix = given.get("Prefix", "").rstrip("/")
    folder = f"{prefix}/{frame.doing['run']}/" if prefix else f"{frame.doing['run']}/"
    name, lines = map_run.run_arn(run.about.machine, frame), writer is not None and writer.output_type == "JSONL"
    owner = given.get("ExpectedBucketOwner", "")
    return Export(given["Bucket"], folder, owner, name, map_results.by_status(frame, state), lines)


def _written(run: Execution, frame: Frame, state: Map, found: Any) -> None:
    broken = frame.doing.get("broken")
    if broken is not None:
        _fail(run, frame, state, Failure(*broken))
    elif isinstance(found, Failure):
        frame.doing["broken"] = list(found)  # there is nothing to write any more
        _fail(run, frame, state, _named(found, WRITER_FAILED))
    else:
        told = {"MapRunArn": map_run.run_arn(run.about.machine, frame), "ResultWriterDetails": found}
        _succeed(run, frame, state, told)


def result(run: Execution, frame: Frame, state: Map, found: Any) -> None:
    """A page was read, or the results were written."""
    del frame.doing["call"]
    (_came if "reading" in frame.doing else _written)(run, frame, state, found)


def resume(run: Execution, frame: Frame, state: Map) -> None:
    """Items that have succeeded stay as they are; what failed begins again, also what was tolerated."""
    doing = frame.doing
    doing |= {"open": 0, "failed": 0, "bad": [], "again": sorted(frame.left)}
    if state.distributed:
        for name in ("broken", "pending"):
            doing.pop(name, None)
        for number in doing["again"]:
            began, size, given, redrives = doing["lost"].pop(str(number), None) or doing["units"][str(number)]
            begun = bool(frame.left[number].state)
            doing["units"][str(number)] = [began if begun else run.now, size, given, redrives + begun]
        run.history.add("MapRunRedriven", run.now, frame, arn=map_run.run_arn(run.about.machine, frame))
    _more(run, frame, state)


BEHAVIOUR = Behaviour(begin, start=start, result=result, inner=done, failed=failed, resume=resume, again=call_again)
