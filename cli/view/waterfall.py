"""A timeline drawn along time: a line for each thing that ran or waited, a bar from when to when. Idle stretches are
squeezed to a few columns; siblings that are many become one line. Everything is said by marks and letters too, so that
colours may be missing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.text import Text

from ...orchestrator.timeline.bar import GROUP, IN_DOUBT, TURN, Bar
from ...orchestrator.timeline.row import DONE, DROPPED, FAILED, INFO, OPEN
from ...orchestrator.timeline.timeline import Timeline
from ...state.quantities import span
from .lines import STYLES, cut, left, right
from .text import clean, counted, excerpt

MARKS = {
    DONE: ("✓", "green"), FAILED: ("✗", "red"), OPEN: ("○", "yellow"), IN_DOUBT: ("?", "bold yellow"),
    DROPPED: ("–", "dim"), INFO: ("·", "dim"),
}  # fmt: skip
WORKS, WAITS, WENT_WRONG, PAUSES, HOLDS, SQUEEZED, MOMENT, GOES_ON = "█", "░", "▒", "·", "─", "┊", "◆", "▸"
FOLD = 3  # columns of an idle stretch
SIBLINGS = 24
"""How many rows below one other are shown as they are."""
_FIRST, _LAST, _NOTABLE = 8, 2, 6  # of more than that, and of those that failed or are open
_TOOK = 7


class Gap(NamedTuple):
    """Siblings in a row that are not shown."""

    bars: Sequence[Bar]
    depth: int


class Axis:
    """Where a time stands in ``width`` columns: what is live has room as it is long, a fold ``FOLD`` columns, or less
    when there are many."""

    def __init__(self, found: Timeline, width: int) -> None:
        self.width = width
        folded = sum(fold.end - fold.begin for fold in found.folds)
        live = max(found.end - found.begin - folded, 0)
        count = len(found.folds)
        each = min(FOLD, width * (0.4 if live else 1.0) / count) if count else 0.0
        scale = (width - each * count) / live if live else 0.0
        self._times, self._places = [found.begin], [0.0]
        self.folds: list[tuple[float, float, int]] = []
        for fold in found.folds:
            here = self._places[-1] + (fold.begin - self._times[-1]) * scale
            self._times += [fold.begin, fold.end]
            self._places += [here, here + each]
            self.folds.append((here, here + each, fold.end - fold.begin))
        self._times.append(max(found.end, self._times[-1] + 1))
        self._places.append(float(width) if live or count else 1.0)

    def at(self, time: int) -> float:
        number = min(max(bisect_right(self._times, time) - 1, 0), len(self._times) - 2)
        begin, end = self._times[number : number + 2]
        share = (time - begin) / (end - begin) if end > begin else 0.0
        place = self._places[number] + share * (self._places[number + 1] - self._places[number])
        return min(max(place, 0.0), float(self.width))

    def cells(self, begin: int, end: int) -> tuple[int, int]:
        """The columns from one time to another, one at the least."""
        first = min(int(self.at(begin)), self.width - 1)
        return first, min(max(first + 1, round(self.at(end))), self.width)


class Shape(NamedTuple):
    """Widths of the columns; 0: it is not there."""

    width: int
    op: int
    label: int
    bar: int
    code: int = 0


def waterfall(found: Timeline, width: int, *, full: bool = False) -> Iterator[Text]:
    """The lines, top to bottom."""
    shown = list(_shown([bar for bar in found.rows if bar.depth == 0 and bar.kind != "start"], full))
    if not shown:
        yield Text("nothing has happened yet", "dim")
        return
    bars = [row for row in shown if isinstance(row, Bar)]
    op = min(max((len(bar.op) for bar in bars), default=0), 12) if width >= 100 else 0
    longest = max((len(_label(bar)) + bar.depth for bar in bars), default=8)
    label = min(max(longest, 14), max(width * 3 // 10, 14))
    code = min(max((len(clean(bar.code)) for bar in bars), default=0), max(width // 4, 12))
    rest = width - label - (op + 1 if op else 0) - _TOOK - 5 - (code + 2 if code else 0)
    shape = Shape(width, op, label, max(rest, 8), code)
    axis = Axis(found, shape.bar)
    lead = 2 + (op + 1 if op else 0) + label + 1
    yield _scale(axis, found, lead)
    for row in shown:
        yield _gap(row, shape, axis) if isinstance(row, Gap) else _line(row, shape, axis, found.end)
        if isinstance(row, Bar) and row.error and row.kind not in (GROUP, TURN):
            yield Text(cut(f"{' ' * (3 + row.depth)}{_complaint(row)}", width), "red", no_wrap=True)
    yield from _legend(found, width)


# -- which rows there are --------------------------------------------------------------------------------


def _shown(siblings: Sequence[Bar], full: bool) -> Iterator[Bar | Gap]:
    siblings = sorted(siblings, key=lambda bar: bar.begin)
    kept = {id(bar) for bar in siblings} if full or len(siblings) <= SIBLINGS else _kept(siblings)
    hidden: list[Bar] = []
    for bar in siblings:
        if id(bar) not in kept:
            hidden.append(bar)
            continue
        if hidden:
            yield Gap(hidden, bar.depth)
            hidden = []
        yield bar
        yield from _shown(bar.inner, full)
    if hidden:
        yield Gap(hidden, hidden[0].depth)


def _kept(siblings: Sequence[Bar]) -> set[int]:
    kept = {id(bar) for bar in (*siblings[:_FIRST], *siblings[-_LAST:])}
    for states in ((FAILED,), (OPEN, IN_DOUBT)):
        kept.update(id(bar) for bar in [one for one in siblings if one.status in states][:_NOTABLE])
    return kept


# -- one line --------------------------------------------------------------------------------------------


def _line(bar: Bar, shape: Shape, axis: Axis, now: int) -> Text:
    mark, style = MARKS.get(bar.status, MARKS[INFO])
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{mark} ", style)
    if shape.op:
        text.append(left(bar.op, shape.op) + " ", "dim")
    label = " " * min(bar.depth, shape.label // 2) + _label(bar)
    text.append(left(label, shape.label) + " ", "bold" if bar.depth == 0 else "")
    cells = _cells(bar, axis, now)
    text.append("".join(cells), _style(bar))
    took = span(max((now if bar.end is None else bar.end) - bar.begin, 0)) + ("…" if bar.end is None else "")
    text.append(right("" if MOMENT in cells else took, _TOOK + 1), "dim")
    if shape.code and bar.code:
        text.append(f"  {_end_of(clean(bar.code), shape.code)}", "dim")
    return text


def _cells(bar: Bar, axis: Axis, now: int) -> list[str]:
    cells = [" "] * axis.width
    for begin, _, _ in axis.folds:
        cells[min(int(begin), axis.width - 1)] = SQUEEZED
    first, last = axis.cells(bar.begin, now if bar.end is None else bar.end)
    holds = bar.kind in (GROUP, TURN, "item", "branch") or bool(bar.inner and bar.kind in ("map", "parallel", "child"))
    if bar.status == INFO or bar.kind in ("completed", "failed", "cancelled", "terminated"):
        cells[first] = MOMENT
        return cells
    sign = HOLDS if holds else WAITS if bar.wait else PAUSES if bar.attempts else WORKS
    cells[first:last] = [sign] * (last - first)
    for attempt in bar.attempts:
        begin = bar.begin if attempt.begin is None else attempt.begin
        start, end = axis.cells(begin, now if attempt.end is None else attempt.end)
        cells[start:end] = [WENT_WRONG if attempt.error else WORKS] * (end - start)
    if bar.end is None:
        cells[last - 1] = GOES_ON
    return cells


def _style(bar: Bar) -> str:
    if bar.status == FAILED:
        return "red"
    if bar.open or bar.wait:
        return "yellow"
    return "dim" if bar.status in (DROPPED, INFO) or bar.kind in (GROUP, TURN) else STYLES.get(bar.kind, "cyan")


def _label(bar: Bar) -> str:
    """Its name; what it is, when it has none or that says more."""
    name = clean(bar.name)
    if bar.kind == TURN:
        return f"turn {bar.op.removeprefix('t')}" + (f" {name}" if name else "")
    said = name or {GROUP: "together"}.get(bar.kind, bar.kind)
    if name and (bar.wait or bar.kind == "child") and bar.kind != "wait":
        said = f"{bar.kind} {name}"
    return f"{said} ×{bar.tried}" if bar.tried > 1 else said


def _complaint(bar: Bar) -> str:
    return excerpt(bar.error, 300) + (f"  ({clean(bar.line)})" if bar.line else "")


def _end_of(place: str, width: int) -> str:
    """The end of a place in code says more than its beginning."""
    return place if len(place) <= width else f"…{place[1 - width :]}"


def _gap(gap: Gap, shape: Shape, axis: Axis) -> Text:
    begin = min(bar.begin for bar in gap.bars)
    end = max(bar.end if bar.end is not None else bar.begin for bar in gap.bars)
    cells = [" "] * axis.width
    for bar in gap.bars:
        first, last = axis.cells(bar.begin, bar.begin if bar.end is None else bar.end)
        cells[first:last] = [WAITS if bar.wait else HOLDS] * (last - first)
    text = Text("  ", "dim", no_wrap=True, overflow="ellipsis")
    text.append(" " * (shape.op + 1) if shape.op else "")
    text.append(left(" " * min(gap.depth, shape.label // 2) + f"… {len(gap.bars):,} more", shape.label) + " ")
    return text.append("".join(cells) + right(span(end - begin), _TOOK + 1))


# -- around ----------------------------------------------------------------------------------------------


def _scale(axis: Axis, found: Timeline, lead: int) -> Text:
    """The beginning, how long each fold is where there is room, and the whole."""
    whole = span(found.end - found.begin)
    cells = list("0".ljust(axis.width))
    taken = 2
    for begin, _, length in axis.folds:
        said, place = f"≈{span(length)}", int(begin)
        if place >= taken and place + len(said) <= axis.width - len(whole) - 1:
            cells[place : place + len(said)] = said
            taken = place + len(said) + 1
    if len(whole) < axis.width - taken:
        cells[axis.width - len(whole) :] = whole
    return Text(" " * lead + "".join(cells), "dim", no_wrap=True)


def _legend(found: Timeline, width: int) -> Iterator[Text]:
    bars = found.rows
    signs = [
        (WORKS, "runs", True),
        (WAITS, "waits", any(bar.wait for bar in bars)),
        (WENT_WRONG, "failed attempt", any(bar.attempts for bar in bars)),
        (PAUSES, "pause before the next", any(bar.attempts for bar in bars)),
        (HOLDS, "holds others", any(bar.kind in (GROUP, TURN, "item", "branch") for bar in bars)),
        (GOES_ON, "goes on", any(bar.open for bar in bars)),
    ]
    told = [f"{sign} {words}" for sign, words, there in signs if there]
    if found.folds:
        idle = span(sum(fold.end - fold.begin for fold in found.folds))
        told.append(f"{SQUEEZED} {idle} idle in {counted(len(found.folds), 'stretch', 'stretches')}, squeezed")
    line = ""
    for part in told:
        if line and len(line) + len(part) + 3 > width:
            yield Text(line, "dim", no_wrap=True)
            line = ""
        line = f"{line}   {part}" if line else part
    yield Text(line, "dim", no_wrap=True)
    if found.first > 1:
        yield Text(f"{counted(found.first - 1, 'earlier entry', 'earlier entries')} not read (--full reads all)", "dim")
    if found.lines:
        yield Text(f"code lines: {clean(found.lines)}", "dim")
