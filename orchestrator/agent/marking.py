"""What is recorded of a call that has no outcome yet: its last ``begun``, ``retrying``, ``sent``, ``doubt`` or
``resolved`` fact, with what was told of it since. It stands when the call is ordered again. Pure: facts in, facts out.
"""

from __future__ import annotations

from ..protocol.calls import proven
from ..protocol.decider import Fact

UNDONE = frozenset({"begun", "doubt", "resolved"})
"""Marks of a call that may have taken effect."""
_TOLD = ("sends", "heard", "answer", "word")


def marked(before: Fact, entry: Fact) -> Fact:
    """The mark that follows on the one before. A word that came since the call was asked about may be later than what
    that was answered, so it is asked about once more."""
    if entry["type"] == "resolved" and before.get("type") == "doubt":
        return {"resolved": entry} | before
    if entry.get("mark") and entry["mark"] == before.get("mark"):
        entry = {name: before[name] for name in _TOLD if name in before} | entry
        if entry["type"] == "sent" and entry.pop("word", False):
            entry["until"] = entry["at"]
    return entry


def told(mark: Fact, entry: Fact) -> Fact | None:
    """The mark with what is said of a call that another process makes. None: it is said of no call that is open."""
    if not mark.get("mark"):
        return None
    if "mark" not in entry:
        return mark | {"word": True, "until": entry["at"]}
    said = proven(entry, str(mark["mark"]), int(mark.get("sends", 0)))
    return None if said is None or "answer" in mark else mark | said


def doubtful(mark: Fact) -> bool:
    """Whether nobody has said yet what came of it."""
    return mark["type"] == "doubt" and "resolved" not in mark
