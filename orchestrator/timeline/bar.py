"""One row of a timeline: from when to when, where it stands, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ..errors import traces
from ..errors.groups import lone_in, said_in
from .entry import Entry
from .row import DONE, OPEN, Attempt

IN_DOUBT = "in-doubt"
GROUP, TURN = "group", "turn"
LONGEST_ERROR = 500  # characters
MOST_ATTEMPTS = 100  # the last ones


@dataclass(slots=True)
class Bar:
    """``begin`` and ``end`` in milliseconds; an ``end`` of None: it is open still. ``status``: ``open``, ``done``,
    ``failed``, ``dropped`` (given up, because what it was for had ended), ``in-doubt``, or ``info`` of what is a mere
    moment. ``wait``: it waits for time or for somebody. ``guessed``: the journal does not say when it began; ``begin``
    is when it can have been, after what was asked for before it. ``line``: where an error came from; ``code``: which
    line asked for it, as far as somebody has looked."""

    op: str
    kind: str
    name: str
    begin: int
    end: int | None
    status: str = DONE
    branch: str = ""
    wait: bool = False
    until: int | None = None
    child: str = ""
    line: str = ""
    code: str = ""
    tokens: int = 0
    cost: Decimal | None = None
    entry: int = 0
    error: str = ""
    guessed: bool = False
    tried: int = 1
    attempts: Sequence[Attempt] = ()
    parent: str = ""
    depth: int = 0
    inner: list[Bar] = field(default_factory=list["Bar"], repr=False)

    @property
    def open(self) -> bool:
        return self.status in (OPEN, IN_DOUBT)

    def as_json(self) -> dict[str, Any]:
        return {
            "op": self.op,
            "kind": self.kind,
            "name": self.name,
            "begin": self.begin,
            "end": self.end,
            "status": self.status,
            "depth": self.depth,
            "parent": self.parent,
            "branch": self.branch,
            "tried": self.tried,
            "attempts": [_attempt(one) for one in self.attempts[-MOST_ATTEMPTS:]],
            "wait": self.wait,
            "until": self.until,
            "child": self.child,
            "line": self.line,
            "code": self.code,
            "tokens": self.tokens,
            "cost": None if self.cost is None else float(self.cost),
            "entry": self.entry,
            "error": self.error,
            "guessed": self.guessed,
        }


def _attempt(one: Attempt) -> dict[str, Any]:
    return {"n": one.n, "begin": one.begin, "end": one.end, "error": error_text(one.error)}


def error_text(error: Entry | None) -> str:
    """ "ValueError: no such order"; "" without an error."""
    return "" if error is None else said_in(error)[:LONGEST_ERROR]


def line_of(error: Entry | None) -> str:
    """ "shop.py:31", where an error came from; "" when nobody knows."""
    if error is None:
        return ""
    frames = traces.read(lone_in(error).get("trace")) or traces.read(error.get("trace"))
    return f"{frames[-1][0]}:{frames[-1][1]}" if frames else ""
