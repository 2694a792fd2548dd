"""Schedules for people: a table of all, one as a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from ...orchestrator.schedules import Schedule
from ...state.quantities import span
from .heads import Cell, table
from .moments import ago, clock, now
from .story import STATUS_STYLES
from .text import clean, counted, excerpt

_STYLES = {"active": "green", "leaving": "dim"}


def schedule_table(schedules: Sequence[Schedule], width: int, today: int) -> Iterator[Text]:
    """NAME, FUNCTION, STATUS, when it is due, and what becomes of it."""
    rows: list[list[Cell]] = [
        [
            (clean(schedule.name), "bold"),
            (clean(schedule.function), ""),
            (schedule.status, _style(schedule.status)),
            (clean(schedule.when), ""),
            ("" if schedule.next is None else f"{clock(schedule.next, today)} ({ago(schedule.next, today)})", ""),
            (_doing(schedule, today), ""),
        ]
        for schedule in schedules
    ]
    yield from table(["NAME", "FUNCTION", "STATUS", "WHEN", "NEXT", "RUNS"], rows, width)


def schedule_story(schedule: Schedule, today: int) -> Iterator[Text]:
    """What it is and does."""
    spec = schedule.spec
    line = Text.assemble((clean(schedule.name), "bold"), "  ", (schedule.status, _style(schedule.status)))
    yield line.append(f"  begins {clean(schedule.function)} {clean(schedule.when)}")
    if schedule.next is not None:
        yield Text(f"next {clock(schedule.next, today)} ({ago(schedule.next, today)})")
    made_up = f"all missed, up to {spec.most}" if spec.missed == "all" else f"{spec.missed} missed"
    yield Text(f"when runs meet: {spec.overlap} · made up for: {made_up}{_jitter(schedule)}")
    if spec.input is not None:
        yield Text(f"input {excerpt(spec.input, 400)}")
    yield Text(_doing(schedule, today) or "no runs yet")
    if schedule.note:
        yield Text(clean(schedule.note), "yellow")


def following(schedule: Schedule) -> str:
    """Its next time, behind a sentence."""
    return "" if schedule.next is None else f", next {clock(schedule.next, now())}"


def _doing(schedule: Schedule, today: int) -> str:
    parts = [counted(schedule.runs, "run")] if schedule.runs else []
    if schedule.running:
        parts.append(f"{clean(schedule.running[0])} is going on" if len(schedule.running) == 1 else "several going on")
    if schedule.waiting:
        parts.append(f"{schedule.waiting} waiting")
    if schedule.last is not None and not schedule.running:
        parts.append(f"the last {schedule.last['status']} {ago(schedule.last['at'], today)}")
    if schedule.failures > 1:
        parts.append(f"{schedule.failures} not completed in a row")
    return " · ".join(parts)


def _jitter(schedule: Schedule) -> str:
    return f" · up to {span(schedule.spec.jitter)} later" if schedule.spec.jitter else ""


def _style(status: str) -> str:
    return _STYLES.get(status, STATUS_STYLES.get(status, ""))
