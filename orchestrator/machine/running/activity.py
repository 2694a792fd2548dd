"""Where the task of an activity lies until a worker takes it, and where it is noted that one has."""

from __future__ import annotations

import hashlib

from ...protocol import shared


def waiting_place(name: str) -> str:
    """Where tasks of an activity wait."""
    return shared.place_of(f"overwinter.activity/{name}")


def taken_place(name: str) -> str:
    """Where it is noted which of them were taken: one that is put down again, after a crash, is known by that."""
    return shared.place_of(f"overwinter.activity.taken/{name}")


def key_of(execution: str, op: str, at: int) -> str:
    """Of one task: those that were ordered first come first."""
    told = f"{execution}\n{op}"
    return f"{at:015d}-{hashlib.sha256(told.encode()).hexdigest()[:24]}"
