"""Which kind of execution of an agent this is, and what comes to it from outside."""

from __future__ import annotations

from enum import Enum


class Mode(Enum):
    """What kind of execution this is; its first fact tells."""

    NEW = "new"
    ONCE = "once"  # one run, from start to completed or failed
    SESSION = "session"  # lives on, a turn for each message


FACTS = frozenset((
    "start", "message", "model", "tool", "begun", "retrying", "child", "decided", "delegated", "revoked", "timer",
    "sent", "cancel", "check", "retry", "answered", "resolved", "doubt", "listed", "summary", "hook",
    "step"))  # fmt: skip
"""What comes from outside. The loop's own entries don't move its clock."""
