"""What a distributed Map and its items are called, where AWS has a Map Run and an execution for each item. Names follow
from the execution's seed, so that they are the same after a crash."""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import NamedTuple

from .frame import Frame

_UNFIT = re.compile(r"[\s?*<>{}\[\]:;,\\|^~$#%&`\"/\x00-\x1f\x7f-\x9f]+")
LABEL = 40


class Child(NamedTuple):
    """The execution that AWS would have for an item or a batch."""

    name: str
    arn: str
    machine: str


def run_id(seed: str, op: str) -> str:
    return _uuid(f"{seed}/{op}")


def run_arn(machine: str, frame: Frame) -> str:
    return f"arn:aws:states:::mapRun:{_labelled(machine, frame)}:{frame.doing['run']}"


def child(machine: str, frame: Frame, number: int) -> Child:
    """The item or batch of a number, of the Map that the frame is in."""
    called, name = _labelled(machine, frame), _uuid(f"{frame.doing['run']}/{number}")
    return Child(name, f"arn:aws:states:::execution:{called}:{name}", f"arn:aws:states:::stateMachine:{called}")


def _labelled(machine: str, frame: Frame) -> str:
    """``machine/label``; without a label, what of the state's name can be one."""
    label = getattr(frame.here, "label", None) or _UNFIT.sub("-", frame.state)[:LABEL]
    return f"{machine}/{label}"


def _uuid(text: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=3))
