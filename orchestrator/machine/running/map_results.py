"""What a distributed Map gives: the outputs of its items, or what AWS says of their executions.

An item that has failed is always told of as an execution. ``doing["results"]`` has what is given of each item or batch
in their order, ``doing["bad"]`` the numbers of those that failed, ``doing["units"]`` what is under way: since when, of
how many items, with which input, how often redriven. ``doing["lost"]`` has the same of what has failed.
"""

from __future__ import annotations

from typing import Any

from ..definition.states.map import Map
from ..language.numbers import json_text
from . import map_run
from .context import moment
from .execution import Execution
from .failure import Failure
from .frame import Frame


def transformation(state: Map) -> str:
    """NONE, COMPACT or FLATTEN."""
    writer = state.writer
    if writer is None:
        return "COMPACT"
    return writer.transformation or ("COMPACT" if writer.resource is None else "NONE")


def succeeded(run: Execution, frame: Frame, state: Map, number: int, output: Any) -> Any:
    """What is given of an item that is done."""
    began, _, given, redrives = frame.doing["units"].pop(str(number))
    if transformation(state) != "NONE":
        return output
    told = {"Output": json_text(output), "OutputDetails": {"Included": True}}
    return _execution(run, frame, number, given, "SUCCEEDED", told, [began, run.now], redrives)


def failed(run: Execution, frame: Frame, number: int, failure: Failure | None) -> dict[str, Any]:
    """What is given of an item that has failed, or was stopped since others have."""
    unit = frame.doing["lost"][str(number)] = frame.doing["units"].pop(str(number))
    began, _, given, redrives = unit
    if failure is None:
        return _execution(run, frame, number, given, "ABORTED", {}, [began, run.now], redrives)
    told = {name: text for name, text in (("Error", failure.error), ("Cause", failure.cause)) if text is not None}
    return _execution(run, frame, number, given, "FAILED", told, [began, run.now], redrives)


def pending(run: Execution, frame: Frame, number: int, given: Any) -> dict[str, Any]:
    """What is given of an item that was never begun."""
    return _execution(run, frame, number, given, "PENDING", {}, [])


def output(frame: Frame, state: Map) -> Any:
    """The Map's result, when it is not written anywhere."""
    writer = state.writer
    results = _flattened(frame) if transformation(state) == "FLATTEN" else frame.doing["results"]
    if writer is not None and writer.output_type == "JSONL":
        return "\n".join(map(json_text, results))
    return results


def by_status(frame: Frame, state: Map) -> dict[str, list[Any]]:
    """The results as they are written."""
    bad = set(frame.doing["bad"])
    results: list[Any] = frame.doing["results"]
    well = [one for number, one in enumerate(results) if number not in bad]
    if transformation(state) == "FLATTEN":
        well = _flat(well)
    return {
        "FAILED": [results[number] for number in sorted(bad)],
        "PENDING": frame.doing.get("pending", []),
        "SUCCEEDED": well,
    }


def _flattened(frame: Frame) -> list[Any]:
    bad = set(frame.doing["bad"])
    found: list[Any] = []
    for number, one in enumerate(frame.doing["results"]):
        found += [one] if number in bad else _flat([one])
    return found


def _flat(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for one in values:
        found += one if isinstance(one, list) else [one]
    return found


def _execution(
    run: Execution,
    frame: Frame,
    number: int,
    given: Any,
    status: str,
    told: dict[str, Any],
    times: list[int],
    redrives: int = 0,
) -> dict[str, Any]:
    """As ListExecutions and DescribeExecution tell of one, by the alphabet."""
    child = map_run.child(run.about.machine, frame, number)
    found: dict[str, Any] = {
        **told,
        "ExecutionArn": child.arn,
        "Input": json_text(given),
        "InputDetails": {"Included": True},
        "Name": child.name,
        "RedriveCount": redrives,
        "StateMachineArn": child.machine,
        "Status": status,
    }
    if times:
        found |= {"StartDate": moment(times[0]), "StopDate": moment(times[1])}
        found |= {"RedriveStatus": "NOT_REDRIVABLE"}
        found |= {"RedriveStatusReason": f"Execution is {status} and cannot be redriven"}
    return dict(sorted(found.items()))
