"""One thing that ran, waited or was told of in an execution, as its journal has it."""

from __future__ import annotations

from typing import Any, NamedTuple

from .entry import Entry
from .usage import Usage

OPEN, DONE, FAILED, INFO, DROPPED = "open", "done", "failed", "info", "dropped"
WORK = frozenset({"step", "model", "tool", "check", "listed", "summary", "hook"})
"""Kinds of rows in which something was computed; the others wait or tell."""


ENDS = frozenset({"reply", "completed", "failed", "cancelled", "terminated"})


class Attempt(NamedTuple):
    """One time that a call was made, the ``n``-th. Times are milliseconds; None: not recorded, or not over."""

    n: int
    begin: int | None
    end: int | None
    error: Entry | None = None


class Row:
    """One thing. ``at`` is when it began, ``ms`` how long it took (None: open, or a mere moment)."""

    __slots__ = (
        "at", "attempts", "branch", "error", "facts", "kind", "ms", "name", "number",
        "op", "state", "sure", "to", "tries", "until", "usage", "value", "what",
    )  # fmt: skip

    def __init__(self, number: int, kind: str, at: int, *, op: str = "", name: str = "", state: str = INFO) -> None:
        self.number = number  # of the journal entry that told of it last
        self.kind = kind
        self.at = at
        self.op = op
        self.name = name
        self.branch = ""  # of a workflow, in which it lies
        self.state = state
        self.ms: int | None = None
        self.sure = True  # whether the journal says when it began: else ``at`` is when it was first heard of
        self.attempts = 1
        self.tries: list[Attempt] = []  # those of which the journal tells
        self.until: int | None = None
        self.usage: Usage | None = None
        self.value: Any = None
        self.error: Entry | None = None
        self.to = ""  # of a reply: the id of the message
        self.what = ""  # of a timer: the kind of what has waited for it
        self.facts: Entry = {}  # what else is worth telling: role, digest, by, reason, child id

    @property
    def end(self) -> int | None:
        """When it was over; None while it is open. Answers and ends are told of when they come, with how long it took
        until then."""
        if self.ms is not None and self.kind not in ENDS:
            return self.at + self.ms
        return None if self.state == OPEN else self.at


class Turn(NamedTuple):
    """Rows that belong together: a message to a session with all that followed, or a whole workflow."""

    message: Row | None
    rows: list[Row]
