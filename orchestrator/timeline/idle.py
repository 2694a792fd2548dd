"""Stretches of an execution in which nothing of its own ran: who draws a timeline squeezes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ...state.records import Head
from .bar import GROUP, IN_DOUBT, TURN, Bar

LEAST = 10_000
"""Milliseconds: what is shorter stays as it is."""
RESTING = frozenset({"waiting", "idle", "paused", IN_DOUBT, "stuck"})
_NAMED = 3


class Idle(NamedTuple):
    """From when to when, and what was waited for, in words."""

    begin: int
    end: int
    why: str


def idle(bars: Sequence[Bar], begin: int, end: int, children: Mapping[str, Head]) -> list[Idle]:
    """The stretches between ``begin`` and ``end``, in order. ``children``: as far as they are known, so that one that
    rests itself is no work."""
    found: list[tuple[int, int]] = []
    reached = begin
    for busy, over in sorted(span for bar in bars for span in _busy(bar, end, children)):
        if busy - reached > LEAST:
            found.append((reached, busy))
        reached = max(reached, over)
    if end - reached > LEAST:
        found.append((reached, end))
    waits = sorted((bar for bar in bars if bar.end != bar.begin and _rests(bar)), key=lambda bar: bar.begin)
    return list(_named(found, waits))


def _rests(bar: Bar) -> bool:
    return bar.wait or bar.kind == "child" or bool(bar.attempts)


def _busy(bar: Bar, now: int, children: Mapping[str, Head]) -> Iterator[tuple[int, int]]:
    """When it was at work. A wait is at its begin and at its end: then something happened."""
    if bar.kind in (GROUP, TURN) or (bar.inner and bar.kind in ("map", "parallel", "item", "branch")):
        return
    end = now if bar.end is None else bar.end
    if bar.wait:
        yield bar.begin, bar.begin
        if bar.end is not None:
            yield end, end
    elif bar.kind == "child" and bar.open and (head := children.get(bar.child)) and head.status in RESTING:
        yield bar.begin, max(head.updated, bar.begin)
    elif bar.attempts:
        for attempt in bar.attempts:
            over = attempt.end if attempt.end is not None else end
            yield (over if attempt.begin is None else attempt.begin), over
    else:
        yield bar.begin, end


def _named(stretches: Sequence[tuple[int, int]], waits: Sequence[Bar]) -> Iterator[Idle]:
    """``stretches`` and ``waits`` are in order: each wait is looked at while it is open."""
    opened: list[Bar] = []
    following = iter(waits)
    coming = next(following, None)
    for begin, end in stretches:
        while coming is not None and coming.begin < end:
            opened.append(coming)
            coming = next(following, None)
        opened = [bar for bar in opened if bar.end is None or bar.end > begin]
        words = list(dict.fromkeys(_words(bar) for bar in opened))
        more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
        yield Idle(begin, end, (", ".join(words[:_NAMED]) + more) or "nothing to do")


def _words(bar: Bar) -> str:
    if bar.kind == "child":
        return f"child {bar.child or bar.name}"
    name = bar.name if bar.name and bar.name != bar.kind else ""
    kind = bar.kind if bar.wait else f"another try of {bar.kind}"
    return f"{kind} {name}".rstrip()
