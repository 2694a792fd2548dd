"""The timeline of an execution: what ran when, what was waited for, and how tokens and cost grew. docs/http.md says
what the fields mean. A pure function of a story; ``Reading.timeline`` reads one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from ...state.records import FINAL
from .bar import Bar
from .begins import guess
from .fold import Fold
from .idle import Idle, idle
from .plain import end as end_of
from .plain import plain
from .story import Story
from .tree import grown

if TYPE_CHECKING:
    from ..machine.history.states import Flow

MOST_POINTS = 1000
"""Of tokens and cost: of more than that each stands for several."""


class Timeline(NamedTuple):
    """Times are milliseconds. ``first`` is the number of the first entry that was read: what was before is not in
    it. ``end`` is now while the execution goes on. ``grew``: at which time how many tokens, at which cost, had been
    used. ``lines``: why no more code lines are known, "" when all were looked for, None when nobody has."""

    id: str
    function: str
    kind: str
    status: str
    first: int
    begin: int
    end: int
    now: int
    rows: Sequence[Bar]
    folds: Sequence[Idle]
    grew: Sequence[tuple[int, int, Decimal]]
    lines: str | None = None

    def as_json(self, after: int = 0, limit: int | None = None) -> dict[str, Any]:
        """The document, with ``limit`` rows after the first ``after``; ``next``: where to read on, null at the end."""
        upto = len(self.rows) if limit is None else min(after + limit, len(self.rows))
        return {
            "id": self.id,
            "function": self.function,
            "kind": self.kind,
            "status": self.status,
            "first": self.first,
            "from": self.begin,
            "to": self.end,
            "now": self.now,
            "count": len(self.rows),
            "rows": [bar.as_json() for bar in self.rows[after:upto]],
            "next": upto if upto < len(self.rows) else None,
            "folds": [fold._asdict() for fold in self.folds],
            "grew": [[at, tokens, float(cost)] for at, tokens, cost in self.grew],
            "lines": self.lines,
        }


def timeline(story: Story, now: int, states: Flow | None = None) -> Timeline:
    """The timeline of what was read. ``states``: of a state machine's execution, what it did."""
    fold = Fold()
    for number, entry in story.entries:
        fold.add(number, entry)
    head = story.head
    begin = head.created if fold.started is None else fold.started
    if states is None:
        bars = plain(fold, head, story.first)
        guess(bars, begin)
    else:
        from .machine import staged

        bars = staged(fold, states)
    _order(bars)
    end = end_of(bars, head, now)
    rows = grown(bars, groups=states is None and head.kind == "workflow")
    children = {child.id: child for child in story.children}
    last = end if head.status in FINAL else max(end, now)
    begin = min([begin, *(bar.begin for bar in rows)]) if story.first > 1 else begin
    return Timeline(
        head.id, head.function, head.kind, head.status, story.first, begin, last, now,
        rows, idle(rows, begin, last, children), _grew(rows),
    )  # fmt: skip


def _order(bars: Sequence[Bar]) -> None:
    """Nothing ends before it began, though the clocks of two processes tell of it."""
    for bar in bars:
        if bar.end is not None:
            bar.end = max(bar.end, bar.begin)
        bar.attempts = [
            one._replace(end=max(one.end, one.begin)) if one.end is not None and one.begin is not None else one
            for one in bar.attempts
        ]


def _grew(rows: Sequence[Bar]) -> list[tuple[int, int, Decimal]]:
    """The sums after each call that has used something, in the order in which they ended."""
    found: list[tuple[int, int, Decimal]] = []
    tokens, cost = 0, Decimal(0)
    for at, bar in sorted(
        ((bar.end or bar.begin, bar) for bar in rows if bar.tokens or bar.cost), key=lambda one: one[0]
    ):
        tokens, cost = tokens + bar.tokens, cost + (bar.cost or 0)
        found.append((at, tokens, cost))
    step = -(-len(found) // MOST_POINTS) if found else 1
    return found if step == 1 else [*found[step - 1 : -1 : step], found[-1]]
