"""What a workflow waits for, in words for people."""

from __future__ import annotations

from datetime import UTC, datetime

from .run import Open, Run


def people(run: Run) -> list[Open]:
    """What somebody outside is to do: approvals first, since a person looks for those, then in the order of asking."""
    return sorted(run.people.values(), key=lambda op: op.kind != "approval")


def awaited(run: Run) -> str:
    """For people: what the execution waits for; empty while something runs."""
    if run.calls.running():
        return ""
    for op in people(run):
        return f"{op.kind} {op.name}"
    if doubts := run.calls.doubts():
        return f"doubt {doubts[0].name}" if len(doubts) == 1 else f"{len(doubts)} doubts"
    if run.children:
        return f"child {next(iter(run.children))}" if len(run.children) == 1 else f"{len(run.children)} children"
    if away := run.calls.away():
        return f"answer of {away[0]}" if len(away) == 1 else f"{len(away)} answers"
    retry, timer = run.calls.wake(), run.timers.wake()
    if retry is not None and (timer is None or retry <= timer):
        return f"retry until {_iso(retry)}"
    return "" if timer is None else f"timer until {_iso(timer)}"


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
