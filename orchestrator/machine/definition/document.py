"""A definition as it was written: its plain value, and the line and column of every part.

A part is named by its pointer, the keys and indexes that lead to it. People see it as RFC 6901 writes it
(``/States/Pay/Choices/0/Next``) or as AWS does (``/States/Pay/Choices[0]/Next``, and ``/`` for the whole).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ....state.errors import InvalidInput
from ....state.text import DEPTH

Pointer = tuple[str | int, ...]

__all__ = ["DEPTH", "Document", "Lines", "Mark", "Pointer", "Unreadable", "location", "rfc6901"]


class Mark(NamedTuple):
    """A place in a text; both count from 1."""

    line: int
    column: int


class Duplicate(NamedTuple):
    """A key that stands twice in an object, at its second place."""

    pointer: Pointer
    mark: Mark


@dataclass(frozen=True, slots=True)
class Document:
    """What was read. ``marks`` has the place of each key (of each item, in a list); a value that was never a text has
    none."""

    value: Any
    marks: Mapping[Pointer, Mark] = field(default_factory=dict[Pointer, Mark])
    duplicates: Sequence[Duplicate] = ()
    size: int | None = None  # bytes of the text

    def mark(self, pointer: Pointer) -> Mark | None:
        """Where a part stands; that of the nearest part around it, when it is not there itself."""
        for length in range(len(pointer), -1, -1):
            if (found := self.marks.get(pointer[:length])) is not None:
                return found
        return None


class Unreadable(InvalidInput):
    """This text is no JSON or YAML. The message says why, the mark where; ``location`` is what AWS gives as such."""

    def __init__(
        self, message: str, mark: Mark | None, *, code: str = "", location: str = "", advice: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code or "INVALID_JSON_DESCRIPTION"
        self.mark = mark
        self.location = location
        self.advice = advice


class Lines:
    """Finds the line and column of an offset in a text."""

    def __init__(self, text: str) -> None:
        self._starts = [0]
        at = text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = text.find("\n", at + 1)

    def mark(self, offset: int) -> Mark:
        line = bisect_right(self._starts, offset)
        return Mark(line, offset - self._starts[line - 1] + 1)


def rfc6901(pointer: Pointer) -> str:
    """``""`` for the whole, else ``/key/0/key`` with ``~`` and ``/`` escaped."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in pointer)


def location(pointer: Pointer) -> str:
    """As AWS names places: ``/`` for the whole, else ``/key[0]/key``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f"/{part}" for part in pointer) or "/"
