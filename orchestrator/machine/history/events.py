"""Events in the shape that AWS's GetExecutionHistory gives.

Ids stand where AWS has ARNs, times are texts of ISO 8601, and data are never cut. A Task that names a function is told
as an integration of resource type ``function``; one that names a Lambda function by its ARN, as a Lambda function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from ..definition.resource import parse
from ..language.numbers import json_text
from ..running.context import moment
from ..running.recorder import Event
from .replaying import Replayed

REGION = "local"
_FIELD = re.compile(r"for the field '([^']+)'")
_WHOLE = {"truncated": False}

Details = dict[str, Any]


def aws_events(replayed: Replayed, *, data: bool = True) -> list[dict[str, Any]]:
    """The history of the execution itself. Without ``data``, inputs and outputs are left out."""
    shown: list[dict[str, Any]] = []
    redriven = 0
    for event in replayed.events:
        if event["id"] and not event["run"]:
            redriven += event["type"] == "ExecutionRedriven"
            shown.append(_shaped({**event, "redriven": redriven}, replayed.id, data))
    return shown


def _shaped(event: Event, id: str, data: bool) -> dict[str, Any]:
    kind: str = event["type"]
    shaped = {
        "timestamp": moment(event["at"]),
        "type": kind,
        "id": event["id"],
        "previousEventId": event["previous"],
    }
    for end, key, tell in _TOLD:
        if kind.endswith(end):
            told = {name: value for name, value in tell(event, id).items() if value is not None}
            if not data:
                told = {name: value for name, value in told.items() if not name.startswith(_DATA)}
            shaped[key or f"{kind[0].lower()}{kind[1:]}EventDetails"] = told
            break
    return shaped


_DATA = ("input", "output", "parameters", "assignedVariables")


def _input(event: Event, id: str) -> Details:
    return {"input": json_text(event["input"]), "inputDetails": _WHOLE}


def _output(event: Event, id: str) -> Details:
    return {"output": json_text(event["output"]), "outputDetails": _WHOLE}


def _entered(event: Event, id: str) -> Details:
    return {"name": event["name"], **_input(event, id)}


def _exited(event: Event, id: str) -> Details:
    told = {"name": event["name"], **_output(event, id)}
    if event["assigned"]:
        told["assignedVariables"] = {name: json_text(value) for name, value in event["assigned"].items()}
        told["assignedVariablesDetails"] = _WHOLE
    return told


def _error(event: Event, id: str) -> Details:
    return {"error": event.get("error"), "cause": event.get("cause")}


def _resource(event: Event, id: str) -> Details:
    resource = parse(event["resource"])
    if resource.kind != "integration":
        return {"resourceType": "function", "resource": event["resource"]}
    kind, _, action = resource.name.rpartition(":")
    return {"resourceType": kind, "resource": f"{action}.{resource.pattern}" if resource.pattern else action}


def _limits(event: Event) -> Details:
    return {"timeoutInSeconds": event["timeout"], "heartbeatInSeconds": event["heartbeat"]}


def _scheduled(event: Event, id: str) -> Details:
    given = {"region": REGION, "parameters": json_text(event["input"])}
    return {**_resource(event, id), **given, **_limits(event)}


def _lambda(event: Event, id: str) -> Details:
    return {"resource": event["resource"], **_input(event, id), "timeoutInSeconds": event["timeout"]}


def _activity(event: Event, id: str) -> Details:
    return {"resource": event["resource"], **_input(event, id), **_limits(event)}


def _submitted(event: Event, id: str) -> Details:
    return _resource(event, id) | ({} if event["output"] is None else _output(event, id))


def _succeeded(event: Event, id: str) -> Details:
    return {**_resource(event, id), **_output(event, id)}


def _failed(event: Event, id: str) -> Details:
    return {**_resource(event, id), **_error(event, id)}


def _iteration(event: Event, id: str) -> Details:
    return {"name": event["name"], "index": event["index"]}


def _evaluation(event: Event, id: str) -> Details:
    found = _FIELD.search(event["cause"])
    return {**_error(event, id), "location": found[1] if found else None, "state": event["state"]}


def _redriven(event: Event, id: str) -> Details:
    return {"redriveCount": event["redriven"]}


def _nothing(event: Event, id: str) -> Details:
    return {}


_TOLD: Sequence[tuple[str | tuple[str, ...], str, Callable[[Event, str], Details]]] = (
    ("StateEntered", "stateEnteredEventDetails", _entered),
    ("StateExited", "stateExitedEventDetails", _exited),
    ("MapStateStarted", "", lambda event, _: {"length": event["length"]}),
    (("MapIterationStarted", "MapIterationSucceeded", "MapIterationFailed", "MapIterationAborted"), "", _iteration),
    ("MapRunStarted", "", lambda event, id: {"mapRunArn": event["arn"]}),
    ("ExecutionStarted", "", _input),
    ("MapRunRedriven", "", lambda event, id: {"mapRunArn": event["arn"], **_redriven(event, id)}),
    ("ExecutionRedriven", "", _redriven),
    ("EvaluationFailed", "", _evaluation),
    ("LambdaFunctionScheduled", "", _lambda),
    ("ActivityScheduled", "", _activity),
    ("ActivityStarted", "", _nothing),
    ("TaskScheduled", "", _scheduled),
    ("TaskStarted", "", _resource),
    ("TaskSubmitted", "", _submitted),
    ("TaskSucceeded", "", _succeeded),
    (("TaskFailed", "TaskTimedOut"), "", _failed),
    (("ExecutionSucceeded", "LambdaFunctionSucceeded", "ActivitySucceeded"), "", _output),
    (("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted", "MapRunFailed"), "", _error),
    (("LambdaFunctionFailed", "LambdaFunctionTimedOut", "ActivityFailed", "ActivityTimedOut"), "", _error),
)
"""How a type ends, the key of its details where that is not its own name, and what they are. Types that aren't here
have none."""
