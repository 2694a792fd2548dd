"""What must be true of every journal, read entry by entry: one beginning, one result of each operation, one end."""

from __future__ import annotations

from ...state.codec import dumps
from ...state.errors import InvalidInput
from ...state.records import FINAL, Head
from .decider import Fact

RESULTS = frozenset({"step", "model", "tool", "check", "listed", "summary", "hook", "child", "timer", "callback"})
"""Entries that are the one result of the operation they name."""
ONCE = {"start": "", "message": "id", "event": "id", "reply": "to"}
"""Entries that appear once for each value of a field."""
_BEGINS = frozenset({"start", "message", "checkpoint", "deliver"})
_BEFORE = frozenset({"event", "cancel", "paused", "resumed", "terminated", "stuck", "cancelled", "failed", "retry"})
"""What may stand in a journal before there is anything to go on with."""
_OTHER = frozenset(
    {
        "answered",
        "beat",
        "begun",
        "dead",
        "decided",
        "delegated",
        "doubt",
        "forked",
        "handoff",
        "lost",
        "machine",
        "resolved",
        "retrying",
        "revoked",
        "sent",
        "ordered",
        "observed",
        "routed",
        "saga",
        "compacted",
        "offered",
        "passed",
        "skipped",
        "warned",
    }
)
_OF_SCHEDULES = frozenset({"due", "changed", "run", "withdrawn"})
KNOWN = RESULTS | frozenset(ONCE) | _BEGINS | _BEFORE | _OTHER | _OF_SCHEDULES | FINAL
"""Types of entries that this release knows."""


class Rules:
    """What the entries of one journal may be, one after the other. ``wrong`` and ``remarks`` are sentences,
    ``children`` those that were ordered and have not been heard of again, ``ordered`` the operation that ordered each
    id the last time, ``ending`` the type of the final entry unless that was opened again, ``machine`` whether it is a
    state machine's: what it orders follows from its definition, and is not written down."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.remarks: list[str] = []
        self.children: list[str] = []
        self.ordered: dict[str, str] = {}
        self.ending = ""
        self.machine = False
        self._begun = False
        self._results: dict[str, tuple[int, bool]] = {}  # operation -> entry, whether it is an error
        self._called: set[str] = set()  # of these, what a call or a child has given
        self._once: set[tuple[str, str]] = set()
        self._needs: dict[str, int] = {}  # how many are to approve each operation, where it is more than one
        self._left: dict[str, int] = {}  # how many still may; when it is denied, fewer than none
        self._unknown: set[str] = set()
        self._unread = False

    def unreadable(self, number: int, why: str) -> None:
        self.wrong.append(f"entry {number} can't be read: {why[:160]}")
        self._unread = True

    def take(self, number: int, fact: Fact) -> None:
        """The next entry."""
        kind = str(fact["type"])
        if type(fact.get("at")) is not int:
            self.wrong.append(f"entry {number} ({kind}) has no time")
        if self.ending and kind not in ("retry", "sent"):
            self.wrong.append(f"entry {number} ({kind}) follows the end ({self.ending})")
        if kind not in KNOWN:
            if kind not in self._unknown:
                self.remarks.append(f"entry {number} is of a type that this release does not know: {kind[:40]}")
            self._unknown.add(kind)
        elif kind in _BEGINS:
            self._begun = True
        elif kind not in _BEFORE and not self._begun:
            self._begun = True  # said once
            if not self._unread:
                self.wrong.append(f"entry {number} ({kind}) comes before there was a start")
        self._once_only(number, kind, fact)
        self._follow(number, kind, fact)

    def _once_only(self, number: int, kind: str, fact: Fact) -> None:
        if kind in ONCE:
            what = (kind, _text(fact.get(ONCE[kind], "")))
            if what in self._once:
                self.wrong.append(f"entry {number} is a second {kind} {what[1]}".rstrip())
            self._once.add(what)

    def _follow(self, number: int, kind: str, fact: Fact) -> None:
        """What the entry changes for those after it."""
        if kind in RESULTS:
            id = _text(fact.get("id"))
            op = _text(fact.get("op") or self.ordered.get(id, id))  # what tells of a child may carry its id only
            if kind == "callback" and op in self._called:
                op = f"{op} token"  # a state machine's: the function that was handed the token has given something too
            if kind in ("step", "child"):
                self._called.add(op)
            if op in self._results:
                self.wrong.append(f"entry {number} ({kind}) is a second result of operation {op}")
            self._results[op] = number, "error" in fact or went_wrong(fact)
        elif kind == "decided":
            self._decided(number, fact)
        if kind == "ordered":
            self.ordered[_text(fact.get("id"))] = _text(fact.get("op"))
            self._left.pop(_text(fact.get("op")), None)
            if fact.get("kind") == "approval" and type(fact.get("needs")) is int:
                self._needs[_text(fact.get("op"))] = fact["needs"]
        if kind == "child":
            self.children = [child for child in self.children if child != fact.get("id")]
        elif kind == "ordered" and fact.get("kind") == "child" and not fact.get("detached"):
            self.children.append(_text(fact.get("id")))
        elif kind == "machine":
            self.machine = True
        elif kind == "checkpoint":
            state = fact.get("state")
            self.machine = self.machine or (isinstance(state, dict) and "definition" in state)
            self._left.clear()
            self._results.clear()
            self._called.clear()
            self.children.clear()
        elif kind == "retry":
            self.ending = ""
            self._results = {op: found for op, found in self._results.items() if not found[1]}
            self._left = {op: left for op, left in self._left.items() if left >= 0}
        elif kind in FINAL:
            self.ending = kind

    def _decided(self, number: int, fact: Fact) -> None:
        op = _text(fact.get("op", ""))
        needs = self._needs.get(op, 1)
        left = self._left.get(op, needs)
        if left <= 0:
            self.wrong.append(f"entry {number} is a second decided {op}".rstrip())
        edited = "data" in fact  # whoever has approved before, approved something else
        self._left[op] = -1 if went_wrong(fact) else needs - 1 if edited else left - 1

    def holds(self, op: str) -> bool:
        """Whether there is a result of an operation."""
        return op in self._results

    def has(self, kind: str, which: str) -> bool:
        """Whether there is an entry of a type that appears once for each value of a field."""
        return (kind, which) in self._once


class Journal(Rules):
    """A whole journal, and whether it is the one that ``head`` counts."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.length = 0
        self._head = head

    def end(self, length: int) -> None:
        """There were ``length`` entries: they agree with the head."""
        self.length = length
        head = self._head
        if length != head.length:
            self.wrong.append(f"its head counts {head.length} entries, {length} are there")
        elif (head.status in FINAL or self.ending) and head.status != self.ending and not self._unread:
            last = f"ends with {self.ending}" if self.ending else "has no end"
            self.wrong.append(f"it is {head.status}, but its journal {last}")


def _text(value: object) -> str:
    """A field that should be text, as something to compare by."""
    if isinstance(value, str):
        return value
    try:
        return dumps(value)
    except InvalidInput:
        return repr(value)


def went_wrong(entry: Fact) -> bool:
    """Whether what became of an operation is a failure, so that a retry opens it again."""
    kind = entry["type"]
    if kind == "timer":
        return bool(entry.get("kind") != "sleep")
    if kind == "decided":
        return entry.get("approved") is not True
    if kind == "child":
        return bool(entry.get("status", "failed") != "completed")
    return kind in ("step", "callback", "sent") and "error" in entry
