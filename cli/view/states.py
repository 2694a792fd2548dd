"""The states of an execution of a state machine, a line each: when it was entered, what it is, how long it took, how
often it was tried, and what came of it. What runs within a state stands below it, indented; many items are folded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from ...orchestrator.machine.history.states import Attempt, Flow, Visit
from ...state.quantities import span
from .lines import BLOCKS, cut, left, right
from .moments import ago, clock, coarse, offset
from .text import clean, counted, excerpt

KINDS = {"Task": "cyan", "Map": "magenta", "Parallel": "magenta", "Wait": "yellow", "Choice": "blue", "Fail": "red"}
MARKS = {
    "completed": ("✓", "green"),
    "caught": ("✓", "yellow"),
    "failed": ("✗", "red"),
    "aborted": ("–", "dim"),
    "running": ("○", "cyan"),
    "waiting": ("○", "yellow"),
}
MANY = 40  # states in a row that are shown without --full, half of them from the end
FEW = 3  # items of a Map of each status, and tries of a state, that are
LEAST = 24


class Shown(NamedTuple):
    """A state and where it stands: what guides the eye to it, its flow's label, and the state after it."""

    visit: Visit
    lead: str
    after: str


class Folded(NamedTuple):
    """What is not shown."""

    lead: str
    words: str


class _Shape(NamedTuple):
    width: int
    kind: int
    name: int
    bar: int
    tries: int
    longest: int


def state_lines(flow: Flow, width: int, now: int, *, full: bool = False, bars: bool = True) -> Iterator[Text]:
    """The lines, top to bottom. Offsets count from when the first state was entered."""
    origin = flow.visits[0].entered if flow.visits else now
    rows = list(_rows(flow, "", full))
    shape = _shaped([row for row in rows if isinstance(row, Shown)], width, bars)
    for row in rows:
        if isinstance(row, Folded):
            yield Text(" " * (12 + shape.kind) + f"{row.lead}… {row.words}", "dim", no_wrap=True, overflow="ellipsis")
            continue
        yield _line(row, shape, origin, now)
        yield from _tries(row, shape, origin, full)


# -- which rows there are --------------------------------------------------------------------------------


def _rows(flow: Flow, lead: str, full: bool, first: str = "") -> Iterator[Shown | Folded]:
    """``first`` leads to the first state, ``lead`` to the others and to all within them."""
    visits = flow.visits
    hidden = 0 if full or len(visits) <= MANY else len(visits) - MANY
    for number, visit in enumerate(visits):
        if hidden and MANY // 2 <= number < MANY // 2 + hidden:
            if number == MANY // 2:
                yield Folded(lead, counted(hidden, "more state"))
            continue
        after = visits[number + 1].name if number + 1 < len(visits) else ""
        yield Shown(visit, (first or lead) if number == 0 else lead, after)
        yield from _within(visit, lead, full)


def _within(visit: Visit, lead: str, full: bool) -> Iterator[Shown | Folded]:
    flows = list(visit.flows.values())
    picked = flows if full or visit.kind == "Parallel" else _picked(flows)
    rest = [flow for flow in flows if not any(flow is one for one in picked)]
    for number, flow in enumerate(picked):
        last = number == len(picked) - 1 and not rest
        label = f"[{flow.index}] " if visit.kind == "Map" else ""
        below, first = ("  ", "└ ") if last else ("│ ", "├ ")
        yield from _rows(flow, lead + below + " " * len(label), full, lead + first + label)
    if rest:
        yield Folded(lead + "└ ", _folded(rest))


def _picked(flows: Sequence[Flow]) -> list[Flow]:
    """Items of a Map that one wants to see: all when there are few, else some that failed and some that go on."""
    if len(flows) <= FEW:
        return list(flows)
    found = [flow for status in ("failed", "running") for flow in [one for one in flows if one.status == status][:FEW]]
    return sorted(found, key=lambda flow: flow.index)


def _folded(flows: Sequence[Flow]) -> str:
    """ "997 more items, 12ms to 40ms each"."""
    took = sorted(end - flow.visits[0].entered for flow in flows if (end := flow.visits[-1].left) is not None)
    words = counted(len(flows), "more item")
    if not took:
        return words
    between = span(took[0]) if took[0] == took[-1] else f"{span(took[0])} to {span(took[-1])}"
    return f"{words}, {between} each"


# -- one row ---------------------------------------------------------------------------------------------


def _shaped(rows: Sequence[Shown], width: int, bars: bool) -> _Shape:
    kind = max((len(row.visit.kind) for row in rows), default=0)
    name = min(max((cell_len(row.lead + clean(row.visit.name)) for row in rows), default=0), 24 if width < 100 else 40)
    tries = max((len(f"×{len(row.visit.attempts)}") for row in rows if len(row.visit.attempts) > 1), default=0)
    longest = max((_ms(row.visit) or 0 for row in rows), default=0)
    bar = (10 if width >= 100 else 5) if bars and longest else 0
    shape = _Shape(width, kind, name, bar, tries, longest)
    room = width - 11 - kind - name - 9 - (bar + 1 if bar else 0) - (tries + 1 if tries else 0)
    return shape if room >= LEAST else shape._replace(bar=0)


def _line(row: Shown, shape: _Shape, origin: int, now: int) -> Text:
    visit = row.visit
    mark, style = MARKS[visit.status]
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(right(offset(visit.entered - origin), 8), "dim")
    text.append(f" {mark} ", style)
    text.append(left(visit.kind, shape.kind) + " ", KINDS.get(visit.kind, ""))
    text.append(row.lead, "dim")
    text.append(left(clean(visit.name), max(shape.name - cell_len(row.lead), 1)) + " ", "bold")
    ms = _ms(visit)
    took = span(ms) if ms is not None else coarse(now - visit.entered) + "…" if now > visit.entered else ""
    text.append(right(took, 7) + " ", "dim")
    if shape.bar:
        text.append(_bar(ms, shape) + " ", KINDS.get(visit.kind, "dim"))
    if shape.tries:
        tries = len(visit.attempts)
        text.append(left(f"×{tries}" if tries > 1 else "", shape.tries) + " ", "yellow")
    said, style = _outcome(row, now)
    text.append(cut(said, max(shape.width - text.cell_len, 0)), style)
    text.rstrip()
    return text


def _ms(visit: Visit) -> int | None:
    return None if visit.left is None else visit.left - visit.entered


def _bar(ms: int | None, shape: _Shape) -> str:
    if ms is None:
        return " " * shape.bar
    full, rest = divmod(round(ms / shape.longest * shape.bar * 8), 8)
    return (BLOCKS[8] * full + (BLOCKS[rest] if rest else "")).ljust(shape.bar)


def _outcome(row: Shown, now: int) -> tuple[str, str]:
    """What came of it, and how that looks."""
    visit = row.visit
    inside = _inside(visit)
    if visit.status in ("running", "waiting"):
        return " · ".join(filter(None, (inside, _waits(visit, now)))), "yellow" if visit.status == "waiting" else "cyan"
    if visit.status == "caught":
        return f"{_error(visit)} → {clean(visit.next or '')}", "yellow"
    if visit.status == "failed":
        return " · ".join(filter(None, (inside, _error(visit)))), "red"
    if visit.status == "aborted":
        return "cut short", "dim"
    if visit.kind == "Choice":
        return f"→ {clean(row.after)}" if row.after else "", "blue"
    if visit.kind == "Wait":
        return "", ""
    return inside or excerpt(visit.output if visit.result is None else visit.result), ""


def _inside(visit: Visit) -> str:
    """ "1,000 items, 3 failed", "2 of 3 branches"."""
    if visit.kind == "Map" and visit.length is not None:
        failed = sum(flow.status == "failed" for flow in visit.flows.values())
        done = sum(flow.status != "running" for flow in visit.flows.values())
        # How many a reader brings is known only when it has read: at the beginning it is told as none.
        items = counted(max(visit.length, len(visit.flows)), "item")
        words = items if visit.over else f"{done:,} of {items}"
        return f"{words}, {failed:,} failed" if failed else words
    if visit.kind == "Parallel" and visit.flows:
        done = sum(flow.status != "running" for flow in visit.flows.values())
        branches = counted(len(visit.flows), "branch", "branches")
        return branches if visit.over else f"{done} of {branches}"
    return ""


def _waits(visit: Visit, now: int) -> str:
    waits = visit.waits
    if waits is None:
        return "" if visit.flows else "runs"
    until = f" {clock(waits.until, now)} ({ago(waits.until, now)})" if waits.until is not None else ""
    if waits.what == "time":
        return f"waits until{until}"
    if waits.what == "retry":
        failed = next((attempt for attempt in reversed(visit.attempts) if attempt.error is not None), None)
        return f"again{until}" + (f": {_said(failed.error, failed.cause)}" if failed is not None else "")
    ends = f", until{until}" if until else ""
    if waits.what == "end":
        return "ends"
    if waits.what == "approval":
        return f"waits for an approval of {clean(waits.name)}{ends}"
    if waits.what == "token":
        return f"waits for its task token{ends}"
    if waits.what == "execution":
        return f"waits for {clean(waits.name)}{ends}"
    return f"runs {clean(waits.name)}{ends}" if waits.name and waits.name != visit.name else f"runs{ends}"


def _error(visit: Visit) -> str:
    return _said(visit.error, visit.cause)


def _said(error: str | None, cause: str | None) -> str:
    """ "CustomError: no such order": of a function's error, its message alone."""
    words: Any = cause or ""
    if words.startswith('{"errorMessage":'):
        try:
            words = json.loads(words)["errorMessage"]
        except (ValueError, KeyError):
            words = cause
    return ": ".join(filter(None, (clean(error or ""), excerpt(words)))) or "an error without a name"


def _tries(row: Shown, shape: _Shape, origin: int, full: bool) -> Iterator[Text]:
    """The times that it went wrong and was tried again."""
    again = [(number, one) for number, one in enumerate(row.visit.attempts, 1) if one.again is not None]
    hidden = 0 if full else max(len(again) - FEW, 0)
    inner = "".join("│" if sign in "│├" else " " for sign in row.lead)
    lead = " " * (12 + shape.kind) + inner
    if hidden:
        yield Text(f"{lead}… {counted(hidden, 'more try', 'more tries')}", "dim")
    for number, attempt in again[hidden:]:
        yield Text(cut(f"{lead}↺ {_try(number, attempt, origin)}", shape.width), "yellow", no_wrap=True)


def _try(number: int, attempt: Attempt, origin: int) -> str:
    ended, again = attempt.ended or attempt.began, attempt.again or 0
    return (
        f"{number}. {offset(ended - origin)} {_said(attempt.error, attempt.cause)}, again after {span(again - ended)}"
    )
