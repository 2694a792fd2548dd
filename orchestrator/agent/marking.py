"""What is recorded of calls that have no outcome yet: by op, the last ``begun``, ``retrying``, ``sent``, ``doubt`` or
``resolved`` fact, with what was told of it since. It stands when the call is ordered again.
"""

from __future__ import annotations

from ..protocol.calls import proven
from ..protocol.decider import Fact

UNDONE = frozenset({"begun", "doubt", "resolved"})
"""Marks of a call that may have taken effect."""
_TOLD = ("sends", "heard", "answer", "word")


def marked(marks: dict[str, Fact], op: str, entry: Fact) -> None:
    """An attempt of a call is recorded. What was told of it since it left stays. A word that came since it was asked
    about may be later than what that was answered, so it is asked about once more."""
    before = marks.get(op, {})
    if entry["type"] == "resolved" and before.get("type") == "doubt":
        entry = {"resolved": entry} | before
    elif entry.get("mark") and entry["mark"] == before.get("mark"):
        entry = {name: before[name] for name in _TOLD if name in before} | entry
        if entry["type"] == "sent" and entry.pop("word", False):
            entry["until"] = entry["at"]
    marks[op] = entry


def told(marks: dict[str, Fact], op: str, entry: Fact) -> bool:
    """Note what is said of a call that another process makes. False when it is said of no call that is open."""
    mark = marks.get(op, {})
    if not mark.get("mark"):
        return False
    if "mark" not in entry:
        marks[op] = mark | {"word": True, "until": entry["at"]}
        return True
    said = proven(entry, str(mark["mark"]), int(mark.get("sends", 0)))
    if said is None or "answer" in mark:
        return False
    marks[op] = mark | said
    return True


def doubtful(mark: Fact) -> bool:
    """Whether nobody has said yet what came of it."""
    return mark["type"] == "doubt" and "resolved" not in mark
