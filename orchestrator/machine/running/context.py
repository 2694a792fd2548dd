"""The context object: what a definition can ask about its own execution, as ``$$`` or ``$states.context``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from . import map_run
from .frame import Frame


class About(NamedTuple):
    """What is the same for all of an execution. ``id`` is its id here, which stands where AWS gives an ARN."""

    id: str
    name: str
    machine: str
    role: str
    input: Any
    started: int
    redrives: int = 0

    def as_json(self) -> dict[str, Any]:
        return self._asdict()


def moment(at: int) -> str:
    """Milliseconds as AWS writes them."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"


def context(about: About, frame: Frame, token: str = "") -> Mapping[str, Any]:
    """The object as the state that the frame is in sees it."""
    found: dict[str, Any] = {
        **(_whole(about) if frame.within is None else _item(about, frame.within)),
        "State": {
            "Name": frame.state,
            "EnteredTime": moment(frame.entered),
            "RetryCount": sum(frame.attempts.values()),
        },
    }
    item = next((one.item for one in frame.above() if one.item is not None), None)
    if item is not None:
        found["Map"] = {"Item": item}
    if token:
        found["Task"] = {"Token": token}
    return found


def _whole(about: About) -> dict[str, Any]:
    return {
        "Execution": {
            "Id": about.id,
            "Input": about.input,
            "Name": about.name,
            "RoleArn": about.role,
            "StartTime": moment(about.started),
            "RedriveCount": about.redrives,
        },
        "StateMachine": {"Id": about.machine, "Name": about.machine},
    }


def _item(about: About, frame: Frame) -> dict[str, Any]:
    """What is an execution of its own on AWS: an item of a distributed Map."""
    outer = frame.parent
    assert outer is not None
    child = map_run.child(about.machine, outer, frame.index)
    began, _, given, redrives = outer.doing["units"][str(frame.index)]
    told = {"Input": given, "Name": child.name, "RoleArn": about.role, "StartTime": moment(began)}
    told["RedriveCount"] = redrives
    name = child.machine.rpartition(":")[2]
    return {"Execution": {"Id": child.arn, **told}, "StateMachine": {"Id": child.machine, "Name": name}}
