"""What failed attempts of a model call were billed for, as the facts about that call tell it.

``{"first", "usage", "cost"}`` is the sum of the attempts that one process has made, from the ``first`` on; it stands
with the error (``data.billed``) or, when a later attempt was answered, with the answer (``value.billed``).
"""

from __future__ import annotations

from typing import Any, cast

from ..governance.usage import NOTHING, Usage, reported
from ..protocol.decider import Fact


class Billed:
    """Of the model call that is open. A later sum of a process has its earlier ones in it; others are added."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[int, Usage] = {}

    def more(self, entry: Fact) -> Usage:
        """What the fact adds to what was known."""
        record = billed(entry)
        if record is None:
            return NOTHING
        first, used = record.get("first"), reported(record)
        first = first if isinstance(first, int) else 0
        before = self._sums.get(first, NOTHING)
        self._sums[first] = used
        return used.minus(before)


def billed(entry: Fact) -> dict[str, Any] | None:
    """The sum that a fact brings; None when nothing was billed for nothing."""
    told = _fields(entry.get("error")).get("data") if "error" in entry else entry.get("value")
    return _fields(_fields(told).get("billed")) or None


def _fields(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
