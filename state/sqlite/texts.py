"""Journal texts by their numbers: quickly when all are there, one by one when something is missing or is no text."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from ..whole import placed
from .statements import SQL

SHIFT = 28
"""Journal and mail rows are numbered ``no << SHIFT | seq``; statements.sql masks with the same width."""

_TEXT = frozenset({str})
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
    if len(texts) == max(expected - first + 1, 0) and _TEXT.issuperset(map(type, texts)):
        return texts
    return placed(ask(SQL["read_numbered"], span), first, expected)
