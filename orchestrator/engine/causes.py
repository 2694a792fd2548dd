"""Which executions an event has set going, for a process that works for one event at a time and must not stay for the
work of others (Lambda). Everywhere else nothing is kept here and everything is worked on.

An event causes the executions that it is posted to, and those to which they send in turn: children, parents.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable


class Causes:
    """Of one engine."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: set[str] | None = None

    def begin(self) -> None:
        """From now on only what is posted from outside, and what follows from it, is this process's to work on."""
        self._ids = set()

    def everything(self) -> None:
        """Whatever is due is this process's to work on."""
        self._ids = None

    def note(self, id: str, by: str) -> None:
        """Something was posted to ``id``, by another execution or ("") from outside."""
        if self._ids is not None and (not by or by in self._ids):
            self._ids.add(id)

    def __contains__(self, id: str) -> bool:
        return self._ids is None or id in self._ids

    def among(self, *places: Iterable[str]) -> Collection[str]:
        """Those of the ids that are this process's to work on."""
        return [id for place in places for id in place if id in self]
