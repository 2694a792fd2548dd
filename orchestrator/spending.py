"""What was spent, from the journals' own records: tokens and money by agent, user, tenant, model or day, exact to the
last record.

Counted are answers of models, summaries, attempts that failed and were billed or may have been (``agent.billing``), and
what was lost with a process, or under way when a turn ended (``lost``). Each is counted in the journal that it stands
in: what a child took, with the child, once. User and tenant are those of whoever ordered the execution, or has sent the
message that is answered; its agent is the one that has the conversation; a model is the one that was asked, a day one
of UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, cast, get_args

from ..state.errors import InvalidInput
from ..state.records import EVERYTHING, Head
from .agent.billing import Billed
from .governance.budgets.amount import amount_of
from .governance.usage import NOTHING, Usage, reported
from .protocol.callers import caller_of
from .protocol.decider import Fact
from .protocol.journal import RESULTS
from .protocol.resuming import Stood, from_there, stood
from .reading import Reading
from .upkeep.moving import Report, silent

By = Literal["agent", "user", "tenant", "model", "day"]
GROUPS: tuple[By, ...] = get_args(By)
STEP = 100
"""Executions between two reports."""
_ANSWERS = frozenset({"model", "summary"})
_ENDINGS = frozenset({"completed", "failed", "cancelled", "reply"})
_BEGINNINGS = frozenset({"start", "message"})


class Spent(NamedTuple):
    """Of one agent, user … (``of``; "" is nobody's). ``answers`` counts what models gave, ``unpriced`` what
    of it has no price that anybody knows."""

    of: str
    usage: Usage

    def record(self) -> dict[str, Any]:
        """``{"of", "tokens", "cost", "answers", "unpriced"}``, the cost as decimal text."""
        used, all = self.usage, self.usage.amount
        return {
            "of": self.of,
            "tokens": all.tokens,
            "cost": format(all.cost, "f"),
            "answers": used.iterations,
            "unpriced": used.unpriced,
        }


class Span(NamedTuple):
    """From ``since`` on, before ``until``; in ms, None: no bound."""

    since: int | None = None
    until: int | None = None

    def __contains__(self, at: object) -> bool:
        if not isinstance(at, int):
            return self == Span()
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def may_be_in(self, head: Head) -> bool:
        """Whether any entry can be: none is older than its execution, or newer than its last change."""
        return (self.since is None or head.updated >= self.since) and (self.until is None or head.created < self.until)


async def spending(reading: Reading, by: By, span: Span = Span(), report: Report = silent) -> list[Spent]:
    """The dearest first, then those with most tokens. Every journal is read once, a page at a time."""
    if by not in GROUPS:
        raise InvalidInput(f"spending is told by {', '.join(GROUPS)}, not by {str(by)[:40]!r}")
    sums: dict[str, Usage] = {}
    total, done = sum((await reading.counts()).values()), 0
    async for head in reading.all(EVERYTHING):
        if span.may_be_in(head):
            await _add(reading, head, by, span, sums)
        done += 1
        if done % STEP == 0:
            report("reading journals", done, total)
    report("reading journals", done, total)
    return _dearest(sums)


class Page(NamedTuple):
    """A part of it. ``scanned``: how many executions and entries were looked at. ``cursor`` is where the next page
    begins, None at the end; what was spent is the sum of all pages."""

    spent: list[Spent]
    scanned: int
    cursor: str | None


async def page(reading: Reading, by: By, span: Span, cursor: str | None, most: int) -> Page:
    """What was spent by executions from where ``cursor`` stood. It ends after the first one with which ``most`` are
    looked at: a journal is read as a whole. Raises InvalidInput for a cursor that was not given out."""
    at, sums = Stood() if cursor is None else stood(cursor), dict[str, Usage]()
    scanned = 0
    async with aclosing(from_there(reading.store, EVERYTHING, at)) as heads:
        async for stand, head in heads:
            if head.id == at.id:
                continue  # it was counted
            scanned += 1
            if span.may_be_in(head):
                scanned += await _add(reading, head, by, span, sums)
            if scanned >= most:
                return Page(_dearest(sums), scanned, stand.text())
    return Page(_dearest(sums), scanned, None)


def _dearest(sums: Mapping[str, Usage]) -> list[Spent]:
    found = [Spent(of, used) for of, used in sums.items() if used != NOTHING]
    return sorted(found, key=lambda one: (-one.usage.amount.cost, -one.usage.amount.tokens, one.of))


async def _add(reading: Reading, head: Head, by: By, span: Span, sums: dict[str, Usage]) -> int:
    """Add what one journal says. How many entries it has."""
    journal, count = _Journal(head.function), 0
    async for _, entry in reading.numbered(head.id):
        count += 1
        whole = await reading.entire(head.id, entry) if entry["type"] in _ANSWERS else entry
        used = journal.take(whole)
        if used is not NOTHING and entry.get("at") in span:
            of = journal.of(by, whole)
            sums[of] = sums.get(of, NOTHING).plus(used)
    return count


def _lost(record: object) -> Usage:
    """What nobody knows, and counts as used: a call that was under way when a process died, or a turn ended."""
    lost = amount_of(record)
    if not lost.tokens and not lost.cost:
        return NOTHING
    return reported({"usage": {"input": lost.tokens}, "cost": format(lost.cost, "f")})


class _Journal:
    """One journal, read entry by entry."""

    def __init__(self, function: str) -> None:
        self._agent = function
        self._caller: Mapping[str, Any] = {}
        self._billed: dict[str, Billed] = {}

    def take(self, entry: Fact) -> Usage:
        """What the entry adds to what was spent."""
        kind, op = str(entry["type"]), str(entry.get("op", ""))
        if kind in _BEGINNINGS:
            self._caller = caller_of(entry)
        elif kind == "handoff":
            self._agent = str(entry.get("name", self._agent))
        elif kind == "lost":
            return _lost(entry)
        elif kind in _ENDINGS:
            return _lost(entry.get("lost"))
        elif op and (kind in _ANSWERS or kind not in RESULTS):
            return self._attempted(kind, op, entry)
        return NOTHING

    def _attempted(self, kind: str, op: str, entry: Fact) -> Usage:
        used = self._billed.setdefault(op, Billed()).more(entry)
        if kind in _ANSWERS:
            del self._billed[op]
            value = entry.get("value")
            if isinstance(value, dict) and "error" not in entry:
                used = used.plus(reported(cast("dict[str, Any]", value), 1))
        return used

    def of(self, by: By, entry: Fact) -> str:
        if by == "agent":
            return self._agent
        if by == "day":
            return datetime.fromtimestamp(int(entry["at"]) / 1000, UTC).date().isoformat()
        if by == "model":
            return str(entry.get("name") or entry.get("model") or "")
        return str(self._caller.get(by) or (self._caller.get("by") if by == "user" else "") or "")
