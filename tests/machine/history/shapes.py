"""What every history has, whatever it tells: AWS's shapes, and an order that makes sense."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

ENDS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted")
_KINDS = {"string": str, "long": int, "integer": int, "boolean": bool, "timestamp": str}


def check_shape(shape: Any, value: Any, place: str = "") -> None:
    """Whether a value has a shape of botocore's model of the service, with all that it requires and nothing else."""
    if shape.type_name == "structure":
        assert isinstance(value, dict), place
        assert set(shape.required_members) <= set(value) <= set(shape.members), (place, value)
        for name, inner in value.items():
            check_shape(shape.members[name], inner, f"{place}.{name}")
    elif shape.type_name == "map":
        for name, inner in value.items():
            check_shape(shape.value, inner, f"{place}.{name}")
    else:
        assert type(value) is _KINDS[shape.type_name], (place, value)
        assert not getattr(shape, "enum", None) or value in shape.enum, (place, value)


def check_order(events: list[dict[str, Any]], *, over: bool) -> None:
    """Numbers from 1 on, each event after the one that it follows; no state is left more often than it was entered; one
    end, and nothing after it."""
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert all(0 <= event["previousEventId"] < event["id"] for event in events)
    assert all(one["timestamp"] <= other["timestamp"] for one, other in pairwise(events))
    assert events[0]["type"] == "ExecutionStarted"
    assert [event["type"] in ENDS for event in events[:-1]] == [False] * (len(events) - 1)
    assert (events[-1]["type"] in ENDS) is over
    entered, exited = _names(events, "Entered"), _names(events, "Exited")
    for name, count in exited.items():
        assert count <= entered.get(name, 0), name
    if over and events[-1]["type"] == "ExecutionSucceeded":
        cut = sum("StateAborted" in event["type"] or event["type"] == "FailStateEntered" for event in events)
        lost = sum(entered.values()) - sum(exited.values())
        assert lost == 0 or cut or any(event["type"].endswith("Failed") for event in events)


def _names(events: list[dict[str, Any]], what: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for event in events:
        if event["type"].endswith(f"State{what}"):
            name = event[f"state{what}EventDetails"]["name"]
            found[name] = found.get(name, 0) + 1
    return found
