"""When operations began of which the journal tells only the end: sleeps, events that were waited for, calls that were
tried several times before anything was written. Ids are given in the order of asking, so each began after the one
before it was asked for; it is taken that the code went on when that one had ended, unless it ended later."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from .bar import Bar
from .tree import order, path_of

Path = tuple[str, ...]


class _Place(NamedTuple):
    """``own`` is the first row of the operation, None of what only has others below it; ``end`` when all was over."""

    own: Bar | None
    end: int | None


def guess(bars: Sequence[Bar], start: int) -> None:
    """Set ``begin`` of all that is guessed. ``start``: when the execution began."""
    guessed = [bar for bar in bars if bar.guessed and bar.op]
    if guessed:
        scopes = _Scopes(bars, start)
        for bar in sorted(guessed, key=lambda bar: order(path_of(bar.op))):
            bar.begin = scopes.asked(path_of(bar.op), bar.begin)


class _Scopes:
    def __init__(self, bars: Sequence[Bar], start: int) -> None:
        self._start = start
        self._events = sorted(bar.end or bar.begin for bar in bars if bar.kind == "event" and not bar.op)
        self._places: dict[Path, _Place] = {}
        for bar in bars:
            path = path_of(bar.op)
            for length in range(1, len(path) + 1):
                here = path[:length]
                place = self._places.get(here, _Place(None, 0))
                end = None if bar.end is None or place.end is None else max(place.end, bar.end)
                self._places[here] = _Place(place.own or (bar if length == len(path) else None), end)
        inner: dict[Path, list[Path]] = {}
        for path in self._places:
            inner.setdefault(path[:-1], []).append(path)
        self._before: dict[Path, Path] = {}
        for siblings in inner.values():
            siblings.sort(key=order)
            self._before.update(zip(siblings[1:], siblings, strict=False))

    def asked(self, path: Path, latest: int) -> int:
        """When it was asked for, at the latest then."""
        while path:
            before = self._before.get(path)
            if before is None:  # the first in its branch, or of all
                path = path[:-1]
                continue
            place = self._places[before]
            if place.end is not None and place.end <= latest and (place.own is not None or len(path) == 1):
                return self._passed(_missing(before, path), place.end, latest)
            if place.own is not None:
                return min(place.own.begin, latest)
            path = before if len(path) == 1 else path[:-1]  # branches of one group begin together
        return min(self._start, latest)

    def _passed(self, missing: int, begin: int, latest: int) -> int:
        """When so many waits were over that began then, and of which no entry names the operation: those for events."""
        if missing:
            came = [at for at in self._events[bisect_right(self._events, begin) :][:missing] if at <= latest]
            return came[-1] if came else begin
        return begin


def _missing(before: Path, path: Path) -> int:
    """How many numbers there are between two operations of one scope."""
    one, other = before[-1], path[-1]
    return int(other) - int(one) - 1 if one.isdigit() and other.isdigit() else 0
