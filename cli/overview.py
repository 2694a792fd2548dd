"""What goes on in a store, for who looks at it every second. However many executions there are, one look reads a
bounded number of them: the newest, the rare ones (stuck, in doubt, paused) by their index, and one page further of all
the others, so that in time everything has been seen. How many there are by status takes long on a large store, and is
asked for so seldom that it costs a twentieth of the time.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from ..orchestrator.timeline.fold import Fold
from ..orchestrator.timeline.row import OPEN, WORK
from ..state.records import FINAL, IN_DOUBT, Filter, Head, Page

Entry = dict[str, Any]
NEWEST = 200  # executions of a page
RARE = 50
KNOWN = 2_000  # executions kept in mind that go on
ASKED = 50  # of those that wait for a person: looked at again each time
TAILS = 40  # executions whose last entries are read
ENTRIES, BYTES = 60, 1 << 20
MINUTE, RECENT = 60_000, 300_000
SHARE = 20  # counting takes one part in so many of the time


class Standing(NamedTuple):
    """``due``: the oldest that is due, "" when nobody says which, None when nothing is; ``lag`` for how many ms."""

    now: int
    owners: Mapping[str, int]
    due: str | None
    lag: int


class Source(Protocol):
    """Where it is read. Raises StoreError, or Exit of what can't be reached."""

    async def standing(self) -> Standing:
        """Who works there, and what waits for that."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """How many executions of each status there are."""
        ...

    async def page(self, where: Filter, cursor: str | None, limit: int) -> Page:
        """Executions, newest first."""
        ...

    async def again(self, heads: Sequence[Head]) -> list[Head | None]:
        """These as they are now; None: it is gone."""
        ...

    async def excerpt(self, id: str, after: int, limit: int, most: int) -> list[Entry]:
        """Entries after that number."""
        ...


class Operation(NamedTuple):
    """A call that took long, or that runs. ``ms``: how long, until now where it is ``open``."""

    execution: str
    op: str
    kind: str
    name: str
    ms: int
    open: bool


class Spent(NamedTuple):
    """Tokens and cost of model calls that ended in the last minute."""

    tokens: int
    cost: Decimal


class Picture(NamedTuple):
    """One look. ``heads`` are those that go on, as far as they are known; ``seen``: how many executions were looked at
    in the round that is under way or was ended. ``due``: the oldest that is due ("": nobody says which), ``lag``: for
    how many ms it has been."""

    now: int
    counts: Mapping[str, int]
    counted: int  # when
    seen: int
    owners: Mapping[str, int]
    due: str | None
    lag: int
    heads: Sequence[Head]
    approvals: Sequence[Head]
    doubts: Sequence[Head]
    stuck: Sequence[Head]
    operations: Sequence[Operation]
    spent: Spent
    costs: Mapping[str, Decimal]  # by execution, of the last minute

    @property
    def active(self) -> int:
        """Executions that some process holds."""
        return sum(self.owners.values())

    def functions(self) -> dict[str, Counter[str]]:
        """By function how many of each status, of those that are known to go on."""
        found: dict[str, Counter[str]] = {}
        for head in self.heads:
            found.setdefault(head.function, Counter())[head.status] += 1
        return found


class _Tail(NamedTuple):
    """What the last entries of an execution tell: calls with when they ended (None: they run) and what they used."""

    version: int
    calls: Sequence[tuple[int, int | None, Operation]]
    used: Sequence[tuple[int, int, Decimal]]


class Overview:
    """Looks at a store again and again, or at a server's."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._counts: Mapping[str, int] = {}
        self._counted, self._again = 0, 0.0
        self._known: OrderedDict[str, Head] = OrderedDict()
        self._cursor: str | None = None
        self._round = self._whole = 0
        self._tails: dict[str, _Tail] = {}

    async def look(self) -> Picture:
        standing = await self._source.standing()
        now = standing.now
        await self._count(now)
        newest = await self._source.page(Filter(), None, NEWEST)
        self._note(newest.heads)
        await self._further(newest)
        doubts, stuck, _ = [await self._rare(status) for status in (IN_DOUBT, "stuck", "paused")]
        asked = sorted((head for head in self._known.values() if _asks(head)), key=lambda head: head.updated)
        for head, fresh in zip(asked[:ASKED], await self._source.again(asked[:ASKED]), strict=True):
            self._note([head._replace(status="terminated") if fresh is None else fresh])
        tails = await self._read(now, newest.heads)
        heads = list(self._known.values())
        costs = _costs(tails, now)
        tokens = sum(tokens for tail in tails.values() for at, tokens, _ in tail.used if at > now - MINUTE)
        return Picture(
            now, self._counts, self._counted, max(self._round, self._whole), standing.owners,
            standing.due, standing.lag, heads,
            sorted((head for head in heads if _asks(head)), key=lambda head: head.updated),
            doubts, stuck, _slowest(tails, now), Spent(tokens, sum(costs.values(), Decimal(0))), costs,
        )  # fmt: skip

    async def _count(self, now: int) -> None:
        began = time.monotonic()
        if began < self._again:
            return
        self._counts, self._counted = await self._source.counts(), now
        took = time.monotonic() - began
        self._again = began + took * SHARE

    async def _further(self, newest: Page) -> None:
        """One page of those that are not the newest; at the end of all it begins anew."""
        if self._cursor is None:
            self._whole, self._round, self._cursor = self._round, len(newest.heads), newest.cursor
        if self._cursor is None:
            return
        page = await self._source.page(Filter(), self._cursor, NEWEST)
        self._note(page.heads)
        self._round += len(page.heads)
        self._cursor = page.cursor

    async def _rare(self, status: str) -> Sequence[Head]:
        page = await self._source.page(Filter((status,)), None, RARE)
        gone = [head for head in self._known.values() if head.status == status]
        if page.cursor is None:
            for head in gone:
                self._known.pop(head.id, None)
        self._note(page.heads)
        return page.heads

    def _note(self, heads: Sequence[Head]) -> None:
        for head in heads:
            if head.status in FINAL:
                self._known.pop(head.id, None)
                continue
            self._known[head.id] = head
            self._known.move_to_end(head.id)
        for _ in range(len(self._known) - KNOWN):
            id, head = self._known.popitem(last=False)
            if _asks(head) and len(self._known) < 2 * KNOWN:
                self._known[id] = head  # somebody is to see it, however many others there are

    async def _read(self, now: int, newest: Sequence[Head]) -> dict[str, _Tail]:
        """The last entries of what has changed last, read again only when there are more."""
        recent = {head.id: head for head in (*newest, *self._known.values()) if head.updated > now - RECENT}
        chosen = sorted(recent.values(), key=lambda head: head.updated, reverse=True)[:TAILS]
        for head in chosen:
            known = self._tails.get(head.id)
            if known is None or known.version != head.version:
                first = max(head.length - ENTRIES, 0)
                entries = await self._source.excerpt(head.id, first, ENTRIES, BYTES)
                self._tails[head.id] = _tail(head, first, entries)
        self._tails = {head.id: self._tails[head.id] for head in chosen}
        return self._tails


def _asks(head: Head) -> bool:
    return head.awaits.startswith("approval") and head.status not in FINAL


def _tail(head: Head, first: int, entries: Sequence[dict[str, object]]) -> _Tail:
    fold = Fold()
    for number, entry in enumerate(entries, first + 1):
        fold.add(number, entry)
    calls: list[tuple[int, int | None, Operation]] = []
    used: list[tuple[int, int, Decimal]] = []
    for row in fold.rows():
        if row.kind in WORK or row.kind == "child":
            runs = row.state == OPEN and head.status not in FINAL
            end = None if runs else row.end
            calls.append((row.at, end, Operation(head.id, row.op, row.kind, row.name, row.ms or 0, runs)))
        if row.usage is not None and row.end is not None:
            used.append((row.end, row.usage.tokens, row.usage.cost))
    if head.status == "running" and not any(end is None for _, end, _ in calls):  # of what runs no entry tells yet
        calls.append((head.updated, None, Operation(head.id, "", "running", head.function, 0, True)))
    return _Tail(head.version, calls, used)


def _slowest(tails: Mapping[str, _Tail], now: int) -> list[Operation]:
    """Calls that run, or ended in the last five minutes, the longest first."""
    found = [
        operation._replace(ms=max(now - begin, 0)) if end is None else operation
        for tail in tails.values()
        for begin, end, operation in tail.calls
        if end is None or end > now - RECENT
    ]
    return sorted(found, key=lambda one: one.ms, reverse=True)[:NEWEST]


def _costs(tails: Mapping[str, _Tail], now: int) -> dict[str, Decimal]:
    sums = {id: sum((cost for at, _, cost in tail.used if at > now - MINUTE), Decimal(0)) for id, tail in tails.items()}
    return {id: cost for id, cost in sums.items() if cost}
