"""Journal texts by their numbers: quickly when all are there, one by one when something is missing or is no text.
A text that is compressed is bytes in a column of texts; SQLite keeps each as it is given."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from ..compression import MARK, opened, pack
from ..records import Mail
from ..whole import placed, readable
from .statements import SQL

SHIFT = 28
"""Journal and mail rows are numbered ``no << SHIFT | seq``; statements.sql masks with the same width."""

_TEXT = frozenset({str})
_STORED = frozenset({str, bytes})
Ask = Callable[[str, tuple[int, int, int]], list[Any]]
"""Runs a statement and returns all rows."""


def read(ask: Ask, no: int, first: int, last: int, length: int) -> list[str]:
    """The texts from ``first`` to ``last`` of an execution whose head counts ``length`` entries; rows beyond are there
    too. What is missing or no text is a GAP."""
    span = no << SHIFT | first, no << SHIFT | last, -1
    try:
        texts = [body for (body,) in ask(SQL["read"], span)]
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
        texts = []
    expected = min(last, length)
    if len(texts) == max(expected - first + 1, 0):
        kinds = set(map(type, texts))
        if _TEXT.issuperset(kinds):
            return texts
        if _STORED.issuperset(kinds):
            return [readable(body) for body in texts]
    return placed(ask(SQL["read_numbered"], span), first, expected)


def kept(text: str, above: int) -> str | bytes:
    """A text as it is to be stored; ``above``: from how many bytes on it is compressed, 0 for never."""
    if not above or len(text) * 4 < above:
        return text
    packed = pack(text, above)
    return packed if packed.startswith(MARK) else text


def mail_of(row: Sequence[Any]) -> Mail:
    """The mail of a row: number, lane, time, body. Raises StoreCorrupt."""
    seq, lane, at, body = row
    return Mail(seq, lane, at, opened(body))
