"""What a turn waits for, in words for people."""

from __future__ import annotations

from datetime import UTC, datetime

from ..protocol.calls import OpenCalls
from .call import Stage
from .turn import Phase, Turn


def awaited(turn: Turn, calls: OpenCalls) -> str:
    """ "approval refund, child desk/1/t1.m1.0"; "" when it is at work and waits for nobody."""
    parts: list[str] = []
    if turn.outside():
        parts = [f"approval {call.name}" for call in turn.approvals()]
        parts += [f"doubt {call.name}" for call in turn.doubts()]
        children = [call.child for call in turn.unfinished() if call.stage is Stage.CHILD]
        if children:
            parts.append(f"child {children[0]}" if len(children) == 1 else f"{len(children)} children")
    until = calls.wake()
    if until is not None and not turn.doubts():
        lists, thinks, checks = turn.listing() in calls, turn.phase is Phase.THINK, turn.found is not None
        what = "list of tools" if lists else "model" if thinks else "check" if checks else "tool"
        parts += [f"answer of {name}" for name in calls.away()] or [f"retry {what} until {_moment(until)}"]
    return ", ".join(parts[:4])


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
