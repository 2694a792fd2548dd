"""Rows as a tree: an operation stands below the one whose id its own begins with. Where that one is in no entry, as
``map`` and ``parallel`` are not, a group stands for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .bar import GROUP, Bar
from .row import DONE, DROPPED, FAILED, INFO, OPEN

Order = tuple[tuple[int, int, str], ...]
_AGAIN = re.compile(r"~\d+")


def path_of(op: str) -> tuple[str, ...]:
    """The parts of an operation's id; how often it was begun anew is none."""
    return tuple(_AGAIN.sub("", op).split(".")) if op else ()


def order(path: tuple[str, ...]) -> Order:
    """By which ids are sorted: numbers as numbers."""
    return tuple((0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in path)


def grown(bars: Sequence[Bar], *, groups: bool) -> list[Bar]:
    """All rows in order, each before those below it, and those below one by when they began. ``groups``: what is in no
    entry, and has several below it, gets a row."""
    first: dict[tuple[str, ...], Bar] = {}
    for bar in bars:
        if bar.op:
            first.setdefault(path_of(bar.op), bar)
    if groups:
        _group(first, bars)
    roots: list[Bar] = []
    for bar in _all(first, bars):
        above = _above(first, bar)
        if above is None:
            roots.append(bar)
        else:
            above.inner.append(bar)
            bar.parent = above.op
    for bar in first.values():
        if bar.kind == GROUP:
            _span(bar)
    return list(_walk(roots, 0))


def _all(first: dict[tuple[str, ...], Bar], bars: Sequence[Bar]) -> Iterator[Bar]:
    yield from bars
    yield from (bar for bar in first.values() if bar.kind == GROUP and bar.entry == 0)


def _group(first: dict[tuple[str, ...], Bar], bars: Sequence[Bar]) -> None:
    below: dict[tuple[str, ...], dict[str, Bar]] = {}
    for bar in bars:
        path = path_of(bar.op)
        for length in range(1, len(path)):
            below.setdefault(path[:length], {}).setdefault(path[length], bar)
    for path, members in below.items():
        if path not in first and len(members) > 1:
            some = list(members.values())
            branch = _shared([bar.branch for bar in some])
            first[path] = Bar(".".join(path), GROUP, branch.rpartition("/")[2], some[0].begin, None, branch=branch)


def _shared(branches: Sequence[str]) -> str:
    """The branch that all of them lie in."""
    shared = branches[0].split("/") if branches[0] else []
    for branch in branches[1:]:
        parts = branch.split("/")
        shared = [one for one, other in zip(shared, parts, strict=False) if one == other]
    return "/".join(shared)


def _above(first: dict[tuple[str, ...], Bar], bar: Bar) -> Bar | None:
    path = path_of(bar.op)
    for length in range(len(path) - 1, 0, -1):
        if (found := first.get(path[:length])) is not None and found is not bar:
            return found
    return None


def _span(group: Bar) -> None:
    """A group is as long as what is in it, and ends when all of that has."""
    members = [bar for bar in _under(group) if bar.kind != GROUP]
    if not members:
        return
    group.begin = min(bar.begin for bar in members)
    ends = [bar.end for bar in members]
    group.end = None if None in ends else max(end for end in ends if end is not None)
    states = {bar.status for bar in members if bar.status != INFO}
    group.status = OPEN if group.end is None else FAILED if states == {FAILED} else DONE
    if states == {DROPPED}:
        group.status = DROPPED


def _under(bar: Bar) -> Iterator[Bar]:
    for one in bar.inner:
        yield one
        yield from _under(one)


def _walk(bars: Sequence[Bar], depth: int) -> Iterator[Bar]:
    for bar in sorted(bars, key=_place):
        bar.depth = depth
        yield bar
        yield from _walk(bar.inner, depth + 1)


def _place(bar: Bar) -> tuple[int, bool, Order, int]:
    """What began at once stands in the order of asking, with what is of no operation after it, but for the start."""
    return bar.begin, not bar.op and bar.kind != "start", order(path_of(bar.op)), bar.entry
