"""Listings: which index serves which filter, and how far it is gone through for one page.

Every index used here has its rows in the order of the listing, which is gone through from either end, so a page costs
what it shows, wherever it is. What no
index tells apart is looked at row by row: as far as it takes, or up to a bound, at which the page ends with a cursor.
With several statuses their rows, each in order, are merged down to where all of them are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ..errors import InvalidInput
from ..heads import shown
from ..records import STATUSES, Filter, Head, Scan
from .statements import SQL

HEAD = len(Head._fields)
FEW = 2000
"""Executions whose ids begin alike that are rather sorted than found among all."""
_CREATED = Head._fields.index("created")
_LATEST = 2**63 - 1
_LIST = SQL["find"].partition("FROM")[0]
_DENSE = ("completed", "idle")
"""Statuses that ``execution_status`` leaves out, as schema.sql has them."""
_PARTIAL = f"status NOT IN {_DENSE}"

Rows = Callable[[str, Sequence[Any]], list[Any]]
Place = tuple[int, int]
"""Where a row stands: ``created`` and ``no``."""
_END: Place = (-1, -1)
_FAR_END: Place = (_LATEST, _LATEST)
"""The end of a listing of the newest first, and of the oldest first."""


class Part(NamedTuple):
    """Conditions and their values."""

    conditions: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()

    def plus(self, condition: str, *values: Any) -> Part:
        return Part((*self.conditions, condition), (*self.values, *values))

    def join(self, other: Part) -> Part:
        return Part(self.conditions + other.conditions, self.values + other.values)

    def __str__(self) -> str:
        return " AND ".join(self.conditions) or "TRUE"


class Source(NamedTuple):
    """Rows in the order of the listing, by an index, and what it does not tell apart. ``sorted``: they come in another
    order, and are few."""

    through: str
    by: Part
    rest: Part
    sorted: bool = False


class Span(NamedTuple):
    """From ``low`` on, and before ``high``. One bound on each side: of several SQLite would begin at any."""

    low: Place | None
    high: Place | None

    def within(self, by: Part) -> Part:
        if self.low is not None:
            by = by.plus("(created, no) >= (?, ?)", *self.low)
        return by if self.high is None else by.plus("(created, no) < (?, ?)", *self.high)


class Piece(NamedTuple):
    """What a source has for a page. All of it that stands at ``up_to`` or before that in the listing is known."""

    rows: list[Any]
    up_to: Place
    looked: int


class Way(NamedTuple):
    """From which end the listing goes."""

    oldest: bool

    @property
    def order(self) -> str:
        return "ORDER BY created, no" if self.oldest else "ORDER BY created DESC, no DESC"

    @property
    def end(self) -> Place:
        return _FAR_END if self.oldest else _END

    def first(self, places: Iterable[Place]) -> Place:
        """Which of them the listing comes to first."""
        return min(places) if self.oldest else max(places)

    def span(self, where: Filter, cursor: str | None) -> Span:
        low = (where.since, 0) if where.since else None
        high = (where.until, 0) if where.until else None
        if cursor is None:
            return Span(low, high)
        created, no = position(cursor)
        if self.oldest:
            return Span(max(low or (0, 0), (created, no + 1)), high)
        return Span(low, min(high or _FAR_END, (created, no)))

    def up_to(self, span: Span, place: Place) -> Span:
        """As far as a row, and with it."""
        return span._replace(high=(place[0], place[1] + 1)) if self.oldest else span._replace(low=place)


def look(rows: Rows, where: Filter, cursor: str | None, limit: int, most: int | None) -> Scan:
    """A page of at most ``limit``, made by looking at about ``most`` rows (None: as many as it takes)."""
    way, limit = Way(where.oldest), max(limit, 1)
    span = way.span(where, cursor)
    sources = _sources(rows, where)
    share = None if most is None else max(1, most // len(sources))
    pieces = [_piece(rows, source, span, limit, share, way) for source in sources]
    up_to = way.first(piece.up_to for piece in pieces)
    known = [row for piece in pieces for row in piece.rows if way.first((_place(row), up_to)) == _place(row)]
    found = sorted(known, key=_place, reverse=not way.oldest)
    last = _place(found[limit - 1]) if len(found) > limit else up_to
    heads = [shown(row[:HEAD]) for row in found[:limit]]
    looked = max(sum(piece.looked for piece in pieces), len(heads))
    return Scan(heads, None if last == way.end else f"{last[0]}.{last[1]}", looked)


def _sources(rows: Rows, where: Filter) -> list[Source]:
    statuses = _statuses(where)
    if where.parent == "":
        return [_nothing()]
    if where.parent is not None:
        children = Part(("parent = ?",), (where.parent,))
        return [Source("execution_parent", children, _rest(where).join(statuses), sorted=True)]
    if where.status and not set(where.status) & set(_DENSE):
        known = [status for status in STATUSES if status in where.status]
        each = [Part((_PARTIAL, "status = ?"), (status,)) for status in known]
        return [Source("execution_status", one, _rest(where)) for one in each] or [_nothing()]
    if where.prefix:
        alike = starts("id", where.prefix)
        begin = f"SELECT count(*) FROM (SELECT 1 FROM execution WHERE {alike} LIMIT {FEW + 1})"
        if rows(begin, alike.values)[0][0] <= FEW:
            return [Source("sqlite_autoindex_execution_1", alike, _rest(where).join(statuses), sorted=True)]
    if where.function:
        by = Part(("function = ?",), (where.function,))
        return [Source("execution_function", by, _rest(where).join(statuses))]
    return [Source("execution_created", Part(), _rest(where).join(statuses))]


def _nothing() -> Source:
    return Source("execution_created", Part(("FALSE",)), Part())


def _statuses(where: Filter) -> Part:
    known = ", ".join(f"'{status}'" for status in STATUSES if status in where.status)
    return Part((f"status IN ({known})",)) if where.status else Part()


def _rest(where: Filter) -> Part:
    rest = starts("id", where.prefix).join(starts("awaits", where.awaits))
    if where.function:
        rest = rest.plus("function = ?", where.function)
    if where.kind:
        rest = rest.plus("kind = ?", where.kind)
    return rest.plus("updated < ?", where.before) if where.before else rest


def starts(column: str, prefix: str) -> Part:
    """The texts that begin so."""
    part = Part((f"{column} >= ?",), (prefix,)) if prefix else Part()
    after = after_all(prefix)
    return part.plus(f"{column} < ?", after) if after else part


def after_all(prefix: str) -> str:
    """The least text that sorts after all texts with this prefix; empty when there is none."""
    while prefix:
        last = ord(prefix[-1]) + 1
        if last <= 0x10FFFF:
            return prefix[:-1] + chr(0xE000 if 0xD800 <= last <= 0xDFFF else last)
        prefix = prefix[:-1]
    return ""


def _piece(rows: Rows, source: Source, span: Span, limit: int, most: int | None, way: Way) -> Piece:
    table, by = f"FROM execution INDEXED BY {source.through}", span.within(source.by)
    end: Place | None = None
    if most is not None and source.rest.conditions and not source.sorted:  # else no more are gone through than fit
        bound = rows(f"SELECT created, no {table} WHERE {by} {way.order} LIMIT 1 OFFSET ?", (*by.values, most - 1))
        end = _sorting(*bound[0]) if bound else None
    whole = (by if end is None else way.up_to(span, end).within(source.by)).join(source.rest)
    found = rows(f"{_LIST}{table} WHERE {whole} {way.order} LIMIT ?", (*whole.values, limit + 1))
    if len(found) > limit:
        last = _place(found[-1])
        looked = _between(rows, table, way.up_to(span, last).within(source.by)) if source.rest.conditions else limit
        return Piece(found, last, looked)
    if end is None:
        return Piece(found, way.end, len(found))
    assert most is not None
    return Piece(found, end, most)


def _between(rows: Rows, table: str, among: Part) -> int:
    """How many rows were gone through."""
    counted: int = rows(f"SELECT count(*) {table} WHERE {among}", among.values)[0][0]
    return counted


def _place(row: Sequence[Any]) -> Place:
    return _sorting(row[_CREATED], row[HEAD])


def _sorting(created: Any, no: int) -> Place:
    return created if type(created) is int else _LATEST, no  # what is no number sorts after all that are


def position(cursor: str) -> Place:
    created, _, no = cursor.partition(".")
    if not (created.isdecimal() and no.isdecimal()):
        raise InvalidInput(f"{cursor!r} is not a cursor; give back the one that came with the last page")
    return int(created), int(no)
