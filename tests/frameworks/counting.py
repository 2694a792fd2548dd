"""What was really called, counted outside of the runtime, by the key of each call."""

from __future__ import annotations

from collections import Counter

from overwinter import current_call
from overwinter.testing import World

CALLS: Counter[tuple[str, str]] = Counter()


def count(what: str) -> None:
    """It was called, once more."""
    CALLS[what, current_call().idempotency_key] += 1


def check(world: World, execution: str, most: int, *once: str) -> None:
    """No call was made again once it was recorded: a death makes those of one moment again, ``most`` of them beside
    each other, and of those named in ``once`` none."""
    steps = [entry for entry in world.journal(execution) if entry["type"] == "step"]
    assert {f"{execution}/{entry['op']}" for entry in steps} >= {key for _, key in CALLS}, (steps, CALLS)
    assert CALLS.total() <= len(CALLS) + most
    assert all(times == 1 for (what, _), times in CALLS.items() if what in once)
