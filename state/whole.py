"""A journal is whole when there is a text for every number. What is missing, or is no text, stands as GAP in its
place, so that the others keep their numbers and whoever reads it can say which one it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .compression import unpack
from .errors import StoreCorrupt

GAP = ""
"""Stands for an entry that can't be read. No entry is an empty text."""


def placed(rows: Iterable[tuple[int, object]], first: int, last: int) -> list[str]:
    """The texts of numbered rows from ``first`` to ``last``, each in its place; rows after ``last`` follow."""
    found: list[str] = []
    for number, body in rows:
        found += [GAP] * (number - first - len(found))
        found.append(readable(body))
    return found + [GAP] * (last - first + 1 - len(found))


def decoded(bodies: Sequence[bytes], first: int, last: int) -> list[str]:
    """The texts from ``first`` to ``last``, of which these bodies are all that is there."""
    try:
        texts = [body.decode() for body in bodies]
    except UnicodeDecodeError:
        texts = [readable(body) for body in bodies]
    return texts + [GAP] * (last - first + 1 - len(texts))


def readable(body: object) -> str:
    """A stored body as text, or GAP."""
    if isinstance(body, bytes):
        try:
            return unpack(body)
        except (UnicodeDecodeError, StoreCorrupt):
            return GAP
    return body if isinstance(body, str) else GAP


def check_whole(id: str, entries: Sequence[str], length: int) -> None:
    """Raises StoreCorrupt naming the first entry that is missing of a journal of ``length``, or is one too many."""
    missing = next((number for number, text in enumerate(entries, 1) if text == GAP), min(len(entries), length) + 1)
    if missing <= max(length, len(entries)):
        what = "is missing or no text" if missing <= length else f"is there, though its head counts {length}"
        raise StoreCorrupt(f"entry {missing} of {id} {what}")
