"""Rows that come into a table of a database, by a watermark: a column that grows, as a number that is counted up or the
time of the last change does.

What is committed after a row with a higher watermark was read is not found: let the column grow in the order of commits
(as in SQLite), or write it last. Rows that share one watermark are told apart by ``key``. A row without a watermark
(NULL) has no place in that order, and is not found before it has one.
"""

from __future__ import annotations

import asyncio
import math
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any, cast
from urllib.parse import quote

from ...state.codec import mended
from ...state.errors import InvalidInput
from ...state.quantities import Duration
from ..events.attributes import held
from ..events.event import CloudEvent
from .source import Found, Source, fitting

MOST = 200  # rows of one look
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?")
_SQLITE = "sqlite:///"
_MARKS = {"qmark": "?", "format": "%s", "pyformat": "%s"}


class Table(Source):
    """``database``: ``sqlite:///shop.db``, or a function that gives a connection of DB-API 2.0 (with ``name``, which
    says which database that is, and its ``paramstyle``). ``watermark``: the column that grows; ``key``: one that tells
    rows of one watermark apart, by default the same. ``since``: the watermark after which to begin. An event has the
    type ``overwinter.row``, the key as its subject and the row as its data."""

    def __init__(
        self,
        database: str | Callable[[], Any],
        table: str,
        *,
        watermark: str = "id",
        key: str = "",
        since: int | float | str | None = None,
        name: str = "",
        paramstyle: str = "qmark",
        every: Duration = "10s",
    ) -> None:
        key = key or watermark
        for one in (table, watermark, key):
            if not _NAME.fullmatch(str(one)):
                raise InvalidInput(f"{one!r:.80} is no name of a table or a column")
        if not isinstance(begin := cast("object", since), (int, float, str, type(None))) or _endless(begin):
            raise InvalidInput(f"since={since!r:.80} is no watermark to begin after; give a number or a text")
        if isinstance(database, str):
            if not database.startswith(_SQLITE):
                raise InvalidInput("a table is in sqlite:///FILE; for another database give a function that connects")
            path, name = database[len(_SQLITE) :], name or database
            self._connect: Callable[[], Any] = lambda: sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
        else:
            self._connect = database
            if not name:
                raise InvalidInput("say name= for the database: it is what makes the ids of its rows")
        if paramstyle not in _MARKS:
            raise InvalidInput(f"paramstyle {paramstyle[:20]!r} is none of: {', '.join(_MARKS)}")
        self._table, self._watermark, self._key, self._begin = table, watermark, key, since
        self._mark, self._origin = _MARKS[paramstyle], name
        super().__init__(f"table {name} {table} {watermark} {key}", every)

    async def look(self, since: Any) -> Found:
        return await asyncio.to_thread(self._look, since)

    def _look(self, since: list[Any] | None) -> Found:
        where, values = self._where(since)
        order = ", ".join(dict.fromkeys((self._watermark, self._key)))
        query = f"SELECT * FROM {self._table}{where} ORDER BY {order} LIMIT {MOST + 1}"  # names are checked
        with closing(self._connect()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(query, values)
            names = [str(column[0]) for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchmany(MOST + 1)]
        more, rows = len(rows) > MOST, rows[:MOST]
        if not rows:
            return Found([], since)
        events = [self._event(row) for row in rows]
        count = fitting(events)
        more, rows, events = more or count < len(rows), rows[:count], events[:count]
        numbers = any(_is_number(mark) for mark in (since or [None])[:1] + [row[self._watermark] for row in rows])
        last = next((row for row in reversed(rows) if self._is_position(row, numbers)), None)
        refused = [
            (event.id, "another row has its watermark; say key=, which tells them apart") for event in _doubled(events)
        ]
        after = since if last is None else [_plain(last[self._watermark]), _plain(last[self._key])]
        return Found(events, after, more and after != since, refused=refused)

    def _is_position(self, row: dict[str, Any], numbers: bool) -> bool:
        """Whether a look can go on after it. A text among numbers (SQLite takes any) comes after all of them."""
        mark = row[self._watermark]
        return not _endless(mark) and (_is_number(mark) or not numbers)

    def _where(self, since: list[Any] | None) -> tuple[str, tuple[Any, ...]]:
        watermark, key, mark = self._watermark, self._key, self._mark
        if since is None and self._begin is None:
            return f" WHERE {watermark} IS NOT NULL", ()
        if since is None:
            return f" WHERE {watermark} > {mark}", (self._begin,)
        if key == watermark:
            return f" WHERE {watermark} > {mark}", (since[0],)
        later = f"{watermark} > {mark} OR ({watermark} = {mark} AND {key} > {mark})"
        return f" WHERE {later}", (since[0], since[0], since[1])

    def _event(self, row: dict[str, Any]) -> CloudEvent:
        key, mark = str(_plain(row[self._key])), str(_plain(row[self._watermark]))
        same = self._key == self._watermark
        return CloudEvent(
            type="overwinter.row",
            source=f"{quote(self._origin, safe=':/')}#{quote(self._table)}",
            id=held(key if same else f"{key}@{mark}") or '""',
            subject=held(key) or None,
            data={name: _plain(value) for name, value in row.items()},
        )


def _plain(value: Any) -> Any:
    """A value of a column as JSON: bytes as hexadecimal digits, what JSON does not know as its text."""
    if _endless(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return mended(value)
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, memoryview):
        return value.tobytes().hex()
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _endless(value: Any) -> bool:
    """Whether it is a number that JSON does not know. No look can go on after one: it would come back as a text."""
    return isinstance(value, float) and not math.isfinite(value)


def _doubled(events: list[CloudEvent]) -> list[CloudEvent]:
    """Those of one id with another: of these only the first begins something, so the others are told of."""
    first: dict[str, CloudEvent] = {}
    return [event for event in events if first.setdefault(event.id, event).data != event.data]
