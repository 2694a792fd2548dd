"""What is only read, on a connection and a thread of its own, so that a long listing holds up no commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..compression import opened, unpack_blob
from ..errors import StoreCorrupt
from ..heads import impossible, shown
from ..records import Dump, Filter, Head, Mail, Page, Scan, Value, unleased
from ..whole import check_whole
from . import schema, texts
from .commands import BUCKET
from .leases import Leases, Owner
from .listing import HEAD, after_all, look
from .place import Place
from .statements import SQL
from .texts import SHIFT

_LAST = (1 << SHIFT) - 1


class Queries:
    """The reader's connection, made at the first question."""

    def __init__(self, path: Path, place: Place, leases: Leases, patience: float, *, frozen: bool = False) -> None:
        self._path, self._frozen = path, frozen
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
            opened = schema.open_frozen(self._path) if self._frozen else schema.open_reader(self._path, self._patience)
            self._connection = opened
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
        return shown(rows[0][:HEAD]) if rows else None

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
        return Page(*look(self._heads, where, cursor, limit, None)[:2])

    def scan(self, where: Filter, cursor: str | None, limit: int, most: int) -> Scan:
        return look(self._heads, where, cursor, limit, max(most, 1))

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
            head, no = Head._make(rows[0][:HEAD]), rows[0][HEAD]
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
        """What SQLite itself finds wrong with the file, and counts that are not those of the executions."""
        found = [text for (text,) in self._rows("PRAGMA integrity_check")]
        wrong = [] if found == ["ok"] else [f"{self._path}: {text}" for text in found]
        self._rows("SELECT 1", first="BEGIN")  # both as of one moment
        try:
            told, counted = (dict(self._rows(SQL[name])) for name in ("counts", "counted"))
        finally:
            self._rows("ROLLBACK")
        for status in sorted(told.keys() | counted.keys(), key=str):
            there, said = counted.get(status, 0), told.get(status, 0)
            if there != said:
                wrong.append(f"{self._path}: {there} executions are {status}, and its count says {said}")
        return wrong

    # -- key-value and blobs -------------------------------------------------------------------------

    def get(self, scope: str, key: str) -> Value | None:
        rows = self._rows(SQL["get"], (scope, key))
        return Value(opened(rows[0][0]), rows[0][1]) if rows else None

    def keys(self, scope: str, prefix: str, limit: int) -> list[str]:
        return [key for (key,) in self._rows(SQL["keys"], (scope, prefix, after_all(prefix), max(limit, 0)))]

    def values(self, scope: str, prefix: str, after: str, limit: int) -> list[tuple[str, Value]]:
        first = max(prefix, after)
        rows = self._rows(SQL["values"], (scope, first, after_all(prefix), after, max(limit, 0)))
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
