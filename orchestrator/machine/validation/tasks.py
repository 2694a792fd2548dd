"""Task: what it calls, how, and with what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..definition.plain import is_object
from ..definition.resource import Resource, parse
from . import kinds
from .diagnostic import did_you_mean
from .place import Place

INVALID = "INVALID_RESOURCE"
"""What AWS would know, and what does not run here."""

_ONCE, _TOKEN, _ALL = ("",), ("", "waitForTaskToken"), ("", "sync", "sync:2", "waitForTaskToken")

INTEGRATIONS: Mapping[str, tuple[str, ...]] = {
    "lambda:invoke": _TOKEN,
    "http:invoke": _ONCE,
    "states:startExecution": _ALL,
    "sqs:sendMessage": _TOKEN,
    "sns:publish": _TOKEN,
    "events:putEvents": _TOKEN,
    "dynamodb:getItem": _ONCE,
    "dynamodb:putItem": _ONCE,
    "dynamodb:updateItem": _ONCE,
    "dynamodb:deleteItem": _ONCE,
}
"""Integrations that run here, and the patterns that each can be used by. aws-sdk:SERVICE:ACTION is one too."""

NEEDED: Mapping[str, tuple[str, ...]] = {
    "lambda:invoke": ("FunctionName",),
    "http:invoke": ("ApiEndpoint", "Method"),
    "states:startExecution": ("StateMachineArn",),
    "sqs:sendMessage": ("QueueUrl", "MessageBody"),
    "sns:publish": ("Message",),
    "events:putEvents": ("Entries",),
    "dynamodb:getItem": ("TableName", "Key"),
    "dynamodb:putItem": ("TableName", "Item"),
    "dynamodb:updateItem": ("TableName", "Key"),
    "dynamodb:deleteItem": ("TableName", "Key"),
}


def resource(place: Place, value: Any) -> None:
    """What stands in Resource."""
    if not isinstance(value, str):
        return kinds.wrong_type(place, value, "a string")
    try:
        found = parse(value)
    except ValueError as error:
        return place.error("resource", str(error), advice=_forms(value))
    if found.kind == "integration":
        return _integration(place, found)
    if found.kind == "function" and place.aws:
        place.error("resource", "AWS takes nothing but ARNs", advice="Leave out --aws where it runs here alone.")
    if found.kind == "activity" and place.express:
        place.error("pattern", "an EXPRESS machine can't use activities", advice="STANDARD machines can.")
    return None


def _forms(value: str) -> str:
    if not value.startswith("arn:"):
        return "Write the function's name, as overwinter knows it, or an ARN."
    return "Such are arn:aws:lambda:REGION:ACCOUNT:function:NAME and arn:aws:states:::SERVICE:ACTION."


def _integration(place: Place, found: Resource) -> None:
    service, _, action = found.name.partition(":")
    if service == "aws-sdk":
        if action.count(":") != 1 or not all(action.split(":")):
            advice = "Write arn:aws:states:::aws-sdk:SERVICE:ACTION."
            return place.error("resource", f"{found.name!r} names no call of an API", advice=advice)
        patterns: tuple[str, ...] = _TOKEN
    elif found.name in INTEGRATIONS:
        patterns = INTEGRATIONS[found.name]
    else:
        near = did_you_mean(found.name, INTEGRATIONS)
        sdk = "Where it is a call of the service's API, arn:aws:states:::aws-sdk:SERVICE:ACTION reaches it."
        advice = near or (sdk if found.name.count(":") == 1 else "")
        return place.error("resource", f"the integration {found.name} does not run here", code=INVALID, advice=advice)
    if found.pattern not in patterns:
        known = ", ".join(f".{pattern}" for pattern in patterns if pattern) or "none"
        what = f"{found.name} can't be used with .{found.pattern}"
        return place.error("pattern", what, advice=f"Patterns that it has: {known}.")
    if place.express and found.pattern:
        return place.error("pattern", f"an EXPRESS machine can't use .{found.pattern}", advice="STANDARD machines can.")
    return None


def task(place: Place, members: Mapping[str, Any]) -> None:
    """What the fields of a Task say together."""
    timeout: Any = members.get("TimeoutSeconds")
    heartbeat: Any = members.get("HeartbeatSeconds")
    if _number(timeout) and _number(heartbeat) and heartbeat >= timeout:
        place.at("HeartbeatSeconds").error(
            "timeouts", f"a heartbeat of {heartbeat} s is no less than the timeout of {timeout} s"
        )
    text = members.get("Resource")
    try:
        found = parse(text) if isinstance(text, str) else None
    except ValueError:
        return
    if found is None or found.kind != "integration":
        return
    name = "Arguments" if place.jsonata else "Parameters"
    given: Any = members.get(name, {})
    if is_object(given):
        names = {key.removesuffix(".$") for key in given}
        missing = [one for one in NEEDED.get(found.name, ()) if one not in names]
        if missing:
            what = f"{found.name} needs {' and '.join(missing)} in {name}"
            (place.at(name) if name in members else place).warning("required", what, code="MISSING_PARAMETER")
    if found.pattern == "waitForTaskToken" and "Task.Token" not in json.dumps(given):
        token = "{% $states.context.Task.Token %}" if place.jsonata else "$$.Task.Token"
        inner = place.at(name) if name in members else place
        inner.warning(
            "pattern",
            "nobody is told the token that this state waits for",
            code="NO_TASK_TOKEN",
            advice=f"Hand on {token}.",
        )


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
