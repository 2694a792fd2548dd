"""The small state that an agent's head carries: sums for people, and where a replay begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...state.codec import dumps
from ..governance.usage import Usage
from .turn import Turn


def heading(mode: str, turns: int, used: Usage, turn: Turn | None, *records: Mapping[str, Any]) -> str:
    """``turn`` is the one under way; ``records`` are those of the parts that have anything to say."""
    used = used if turn is None else used.plus(turn.usage)
    state: dict[str, Any] = {"mode": mode, "turn": turns, "usage": used.record()}
    for record in records:
        state |= record
    return dumps(state)
