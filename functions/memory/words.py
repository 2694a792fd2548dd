"""Texts found by their words, the best first: SQLite's FTS5 in this process's memory (BM25, English stems), or a plain
index where Python's SQLite has none (BM25, words as they are). Neither writes to a disk.
"""

from __future__ import annotations

import math
import re
import sqlite3
import unicodedata
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Protocol

_WORD = re.compile(r"\w+")
_MOST = 64
"""Words of a question that are looked for."""
_WEIGHED = 3_000
"""Texts that one search weighs, at about 1 µs each. Where a question leads to more, its rarest words are taken."""


class Words(Protocol):
    """``texts`` by id; what was added is found until it is dropped with the same text."""

    def add(self, id: str, text: str) -> None: ...
    def drop(self, id: str, text: str) -> None: ...
    def search(self, question: str, most: int) -> list[str]:
        """Ids of texts with any of the words, the best first."""
        ...


def words() -> Words:
    """The best that there is."""
    try:
        return FullText()
    except sqlite3.OperationalError:
        return Plain()


class FullText:
    """By FTS5. It keeps no texts, so that they are in memory once."""

    def __init__(self) -> None:
        # Asked by one thread at a time, which may be another each time.
        self._database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self._database.close)
        tokens = "porter unicode61 remove_diacritics 2"
        self._database.execute(f"CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='{tokens}')")
        self._ids: dict[int, str] = {}
        self._rows: dict[str, int] = {}
        self._holding = Counter[str]()  # word -> how many texts have it, before its stem is taken
        self._next = 0

    def add(self, id: str, text: str) -> None:
        self._next += 1
        self._database.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (self._next, _storable(text)))
        self._ids[self._next], self._rows[id] = id, self._next
        self._holding.update(set(_folded(text)))

    def drop(self, id: str, text: str) -> None:
        row = self._rows.pop(id, None)
        if row is not None:
            del self._ids[row]
            delete = "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)"
            self._database.execute(delete, (row, _storable(text)))
            self._holding.subtract(set(_folded(text)))

    def search(self, question: str, most: int) -> list[str]:
        wanted = " OR ".join(f'"{word}"' for word in _rarest(question, self._holding.__getitem__))
        if not wanted:
            return []
        found = self._database.execute(
            "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank, rowid LIMIT ?", (wanted, most)
        )
        return [self._ids[row] for (row,) in found]


class Plain:
    """By a dictionary of words."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, int]] = {}  # word -> id -> how often
        self._lengths: dict[str, int] = {}
        self._total = 0

    def add(self, id: str, text: str) -> None:
        counts = Counter(_folded(text))
        for word, count in counts.items():
            self._found.setdefault(word, {})[id] = count
        self._lengths[id] = counts.total()
        self._total += counts.total()

    def drop(self, id: str, text: str) -> None:
        if (length := self._lengths.pop(id, None)) is None:
            return
        self._total -= length
        for word in set(_folded(text)):
            ids = self._found.get(word, {})
            ids.pop(id, None)
            if not ids:
                self._found.pop(word, None)

    def search(self, question: str, most: int) -> list[str]:
        scores: dict[str, float] = {}
        average = self._total / len(self._lengths) if self._lengths else 1
        for word in _rarest(question, lambda word: len(self._found.get(word, ()))):
            ids = self._found.get(word, {})
            rarity = math.log(1 + (len(self._lengths) - len(ids) + 0.5) / (len(ids) + 0.5))
            for id, count in ids.items():
                weight = 0.25 + 0.75 * self._lengths[id] / (average or 1)
                scores[id] = scores.get(id, 0.0) + rarity * count * 2.2 / (count + 1.2 * weight)
        return sorted(scores, key=lambda id: -scores[id])[:most]


def _rarest(question: str, holding: Callable[[str], int]) -> list[str]:
    """The words that are worth looking for; ``holding`` is how many texts have one."""
    asked = list(dict.fromkeys(_folded(_storable(question))))[:_MOST]
    taken: list[str] = []
    room = _WEIGHED
    for word in sorted(asked, key=holding):
        room -= holding(word)
        if room < 0 and taken:
            break
        taken.append(word)
    return taken


def _folded(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(char for char in plain if not unicodedata.combining(char)))


def _storable(text: str) -> str:
    """Without halves of surrogate pairs and NUL, which SQLite does not take."""
    return text.encode(errors="replace").decode().replace("\0", " ")
