"""What is known of the attempts of calls that have no outcome yet."""

from __future__ import annotations

from ..protocol.calls import proven
from ..protocol.decider import Fact
from .call import Stage
from .gating import gate_of
from .turn import Turn

_TOLD = ("sends", "heard", "answer", "word")
"""What is known of a call that another process makes, beside its last attempt."""


def expected(turn: Turn, op: str) -> bool:
    """Whether the turn waits for the outcome of a call of that op."""
    call = turn.calls.get(op) or turn.hooked(op)
    checks = (turn.judging() and op == turn.checking()) or gate_of(turn, op) is not None
    return turn.thinks(op) or checks or turn.lists(op) or (call is not None and call.stage is not Stage.DONE)


def marked(turn: Turn, op: str, entry: Fact) -> None:
    """An attempt of a call is recorded. What was told of it since it left stays. A word that came since it was
    asked about may be later than what that was answered, so it is asked about once more."""
    before = turn.marks.get(op, {})
    if entry.get("mark") and entry["mark"] == before.get("mark"):
        entry = {name: before[name] for name in _TOLD if name in before} | entry
        if entry["type"] == "sent" and entry.pop("word", False):
            entry["until"] = entry["at"]
    turn.marks[op] = entry


def told(turn: Turn, op: str, entry: Fact) -> bool:
    """Note what is said of a call that another process makes. False when it is said of no call that is open."""
    mark = turn.marks.get(op, {})
    if not mark.get("mark"):
        return False
    if "mark" not in entry:
        turn.marks[op] = mark | {"word": True, "until": entry["at"]}
        return True
    told = proven(entry, str(mark["mark"]), int(mark.get("sends", 0)))
    if told is None or "answer" in mark:
        return False
    turn.marks[op] = mark | told
    return True
