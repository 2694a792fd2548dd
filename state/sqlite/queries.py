"""What is only read, on a connection and a thread of its own, so that a long listing holds up no commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..compression import opened, unpack_blob
from ..errors import InvalidInput, StoreCorrupt
from ..heads import impossible, shown
from ..records import STATUSES, Dump, Filter, Head, Mail, Page, Value, unleased
from ..whole import check_whole
from . import schema, texts
from .commands import BUCKET
from .leases import Leases, Owner
from .place import Place
from .statements import SQL
from .texts import SHIFT

_LAST = (1 << SHIFT) - 1
_HEAD = len(Head._fields)
_CREATED = Head._fields.index("created")
_LATEST = 2**63 - 1
_LIST = SQL["find"].partition("WHERE")[0]
_RARE = ("in-doubt", "failed", "stuck", "paused", "cancelled", "terminated")
"""Statuses that ``execution_rare`` covers, as schema.sql has them."""


class Queries:
    """The reader's connection, made at the first question."""

    def __init__(self, path: Path, place: Place, leases: Leases, patience: float) -> None:
        self._path = path
        self._place = place
        self._leases = leases
        self._patience = patience
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _rows(self, statement: str, values: Sequence[Any] = (), *, first: str = "") -> list[Any]:
        if self._connection is None:
            self._place.look()  # that it is the writer's file
            self._connection = schema.open_reader(self._path, self._patience)
        if first:
            self._connection.execute(first)
        return self._connection.execute(statement, values).fetchall()

    # -- what is due ---------------------------------------------------------------------------------

    def due(self, now: int, limit: int) -> list[str]:
        found: list[tuple[int, int, str]] = self._rows(SQL["due"], (now, limit))
        for owner, machine, lock, expires in self._rows(SQL["holders"]):
            if machine is None or not self._leases.alive(Owner(machine, lock, expires), now):
                found.extend(self._rows(SQL["orphans"], (owner, limit)))
        return [id for _, _, id in sorted(found)[: max(limit, 0)]]

    def next_wake(self) -> int | None:
        wake: object = self._rows(SQL["next"])[0][0]
        return wake if type(wake) is int else None  # a damaged one wakes nobody

    def owners(self, now: int) -> dict[str, int]:
        held: dict[str, int] = dict(self._rows(SQL["held"]))
        rows = self._rows(SQL["owners"])
        return {owner: held.get(owner, 0) for owner, *rest in rows if self._leases.alive(Owner._make(rest), now)}

    # -- for people ----------------------------------------------------------------------------------

    def head(self, id: str) -> Head | None:
        rows = self._heads(SQL["find"], (id,))
        return shown(rows[0][:_HEAD]) if rows else None

    def _heads(self, statement: str, values: Sequence[Any], *, first: str = "") -> list[Any]:
        """Rows of heads. A text that is none hides no other: what can be read of it is shown."""
        try:
            return self._rows(statement, values, first=first)
        except sqlite3.OperationalError as error:
            if "decode" not in str(error) or self._connection is None:
                raise
            self._connection.text_factory = _as_far_as_possible
            try:
                return self._rows(statement, values)
            finally:
                self._connection.text_factory = str

    def executions(self, where: Filter, cursor: str | None, limit: int) -> Page:
        conditions, values = _conditions(where)
        if cursor is not None:
            conditions.append("(created, no) < (?, ?)")
            values += _position(cursor)
        limit = max(limit, 1)
        rows = self._heads(
            f"{_LIST} WHERE {' AND '.join(conditions) or 'TRUE'} ORDER BY created DESC, no DESC LIMIT ?",
            (*values, limit + 1),
        )
        heads = [shown(row[:_HEAD]) for row in rows[:limit]]
        return Page(heads, _cursor(rows[limit - 1]) if len(rows) > limit else None)

    def history(self, id: str, after: int, limit: int) -> list[str]:
        rows = self._rows(SQL["number"], (id,))
        if not rows:
            return []
        no, _, length = rows[0]
        first = max(after, 0) + 1
        return texts.read(self._rows, no, first, min(first + max(limit, 0) - 1, _LAST), length)

    def mailbox(self, id: str, limit: int) -> tuple[int, list[str]]:
        rows = self._rows(SQL["number"], (id,))
        if not rows:
            return 0, []
        no, waiting, _ = rows[0]
        mails = self._rows(SQL["mailbox"], (no << SHIFT, no << SHIFT | _LAST, max(limit, 0)))
        return waiting, [opened(mail[3]) for mail in mails]

    def mail(self, id: str, lane: int, after: int, limit: int) -> list[Mail]:
        rows = self._rows(SQL["number"], (id,))
        if not rows:
            return []
        first, last = rows[0][0] << SHIFT | max(after, 0) + 1, rows[0][0] << SHIFT | _LAST
        found = self._rows(SQL["ordinary" if lane else "control"], (first, last, max(limit, 0)))
        return [texts.mail_of(row) for row in found]

    def counts(self) -> dict[str, int]:
        return dict(self._rows(SQL["counts"]))

    def dump(self, id: str) -> Dump | None:
        rows = self._heads(SQL["find"], (id,), first="BEGIN")  # one transaction: one moment's picture
        try:
            if not rows:
                return None
            head, no = Head._make(rows[0][:_HEAD]), rows[0][_HEAD]
            wrong = impossible(head)
            if wrong:
                raise StoreCorrupt(f"the head of {id} can't be: {wrong}")
            first, last = no << SHIFT, no << SHIFT | _LAST
            entries = texts.read(self._rows, no, 1, _LAST, head.length)
            check_whole(id, entries, head.length)
            return Dump(
                head=unleased(head),
                entries=entries,
                mail=sorted(map(texts.mail_of, self._rows(SQL["mailbox"], (first, last, -1)))),
                seen=[(mark, bucket * BUCKET) for mark, bucket in self._rows(SQL["all_seen"], (no,))],
                blobs={digest: unpack_blob(content) for digest, content in self._rows(SQL["all_blobs"], (no,))},
            )
        finally:
            self._rows("ROLLBACK")

    def scopes(self, after: str, limit: int) -> list[str]:
        return [scope for (scope,) in self._rows(SQL["scopes"], (after, max(limit, 0)))]

    def verify(self) -> list[str]:
        """What SQLite itself finds wrong with the file."""
        found = [text for (text,) in self._rows("PRAGMA integrity_check")]
        return [] if found == ["ok"] else [f"{self._path}: {text}" for text in found]

    # -- key-value and blobs -------------------------------------------------------------------------

    def get(self, scope: str, key: str) -> Value | None:
        rows = self._rows(SQL["get"], (scope, key))
        return Value(opened(rows[0][0]), rows[0][1]) if rows else None

    def keys(self, scope: str, prefix: str, limit: int) -> list[str]:
        return [key for (key,) in self._rows(SQL["keys"], (scope, prefix, _after(prefix), max(limit, 0)))]

    def values(self, scope: str, prefix: str, after: str, limit: int) -> list[tuple[str, Value]]:
        first = max(prefix, after)
        rows = self._rows(SQL["values"], (scope, first, _after(prefix), after, max(limit, 0)))
        return [(key, Value(opened(value), etag)) for key, value, etag in rows]

    def blob(self, id: str, digest: str) -> bytes | None:
        rows = self._rows(SQL["blob"], (id, digest))
        return unpack_blob(rows[0][0]) if rows else None


class _NoText(str):
    """What can be read of a text that is none; unlike any other text it is not of the type str itself."""


def _as_far_as_possible(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return _NoText(text.decode(errors="backslashreplace"))


def _conditions(where: Filter) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if where.status:
        # SQLite uses the index of rare statuses where its condition stands in the statement, word for word.
        if set(where.status) <= set(_RARE):
            conditions.append(f"status IN ({', '.join(map(repr, _RARE))})")
        known = ", ".join(f"'{status}'" for status in STATUSES if status in where.status)
        conditions.append(f"status IN ({known})")
    if where.function:
        conditions.append("function = ?")
        values.append(where.function)
    if where.parent is not None:
        conditions.append("parent = ?" if where.parent else "FALSE")
        values += [where.parent] if where.parent else []
    if where.before:
        conditions.append("updated < ?")
        values.append(where.before)
    for column, prefix in (("id", where.prefix), ("awaits", where.awaits)):
        if prefix:
            conditions.append(f"{column} >= ?")
            values.append(prefix)
        if _after(prefix):
            conditions.append(f"{column} < ?")
            values.append(_after(prefix))
    return conditions, values


def _after(prefix: str) -> str:
    """The least text that sorts after all texts with this prefix; empty when there is none."""
    while prefix:
        last = ord(prefix[-1]) + 1
        if last <= 0x10FFFF:
            return prefix[:-1] + chr(0xE000 if 0xD800 <= last <= 0xDFFF else last)
        prefix = prefix[:-1]
    return ""


def _cursor(row: Sequence[Any]) -> str:
    created = row[_CREATED]
    return f"{created if type(created) is int else _LATEST}.{row[_HEAD]}"  # what is no number sorts after all that are


def _position(cursor: str) -> tuple[int, int]:
    created, _, no = cursor.partition(".")
    if not (created.isdecimal() and no.isdecimal()):
        raise InvalidInput(f"{cursor!r} is not a cursor; give back the one that came with the last page")
    return int(created), int(no)
