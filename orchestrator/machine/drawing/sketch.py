"""What is to be seen of a machine: a box for each state, with the flows within it, and a line for each way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal, NamedTuple

from ..definition.flow import Flow
from ..definition.inside import inside
from ..definition.machine import Machine
from ..definition.states.choice import Choice
from ..definition.states.fail import Fail
from ..definition.states.map import Map
from ..definition.states.state import State
from ..definition.states.task import Task
from ..definition.states.wait import Wait
from ..definition.values import Expression, Path
from ..definition.ways import ways
from .course import Course, Status, Taken
from .labels import said

START, END = "start", "end"
"""The ends of a flow, as ends of lines."""
Kind = Literal["start", "next", "rule", "default", "catch", "end"]


class Mark(NamedTuple):
    """What an execution did in a state."""

    status: Status
    lines: tuple[str, ...]


class Line(NamedTuple):
    """From box to box, by their ids. ``times``: how often the way was taken; None where no execution is drawn."""

    source: str
    target: str
    kind: Kind
    label: str = ""
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """``id`` is ``s1``, ``s2`` …; ``detail`` says more of the state in a few words. ``mark`` is None where no execution
    is drawn, or it was not there."""

    id: str
    name: str
    kind: str
    detail: str
    comment: str
    flows: tuple[Sketch, ...]
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class Sketch:
    """One flow. Its lines begin with the one from ``START``."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def sketch(machine: Machine, course: Course | None = None) -> Sketch:
    """The machine, with an execution on it when there is one."""
    return _flow(machine.flow, count(1), course)


def boxes(drawn: Sketch) -> Iterator[Box]:
    """All of them, also those within others."""
    for box in drawn.boxes:
        yield box
        for inner in box.flows:
            yield from boxes(inner)


def _flow(flow: Flow, numbers: Iterator[int], course: Course | None) -> Sketch:
    ids = {name: f"s{next(numbers)}" for name in flow.states}
    made = tuple(_box(ids[name], state, numbers, course) for name, state in flow.states.items())
    lines = [Line(START, ids[flow.start_at], "start", "", _times(course, Taken(flow.start_at, "start")))]
    for name, state in flow.states.items():
        for way in ways(state):
            times = _times(course, Taken(name, way.kind, way.number))
            lines.append(Line(ids[name], ids[way.target], way.kind, said(state, way), times))
        if state.next is None and not isinstance(state, Choice):
            lines.append(Line(ids[name], END, "end", "", _times(course, Taken(name, "end"))))
    return Sketch(made, tuple(lines))


def _times(course: Course | None, way: Taken) -> int | None:
    return None if course is None else course.taken.get(way, 0)


def _box(id: str, state: State, numbers: Iterator[int], course: Course | None) -> Box:
    flows = tuple(_flow(inner, numbers, course) for inner in inside(state))
    stay = course.stays.get(state.name) if course is not None else None
    mark = Mark(stay.status, stay.lines(course.now)) if stay is not None and course is not None else None
    return Box(id, state.name, type(state).__name__, _detail(state), state.comment or "", flows, mark)


def _detail(state: State) -> str:
    if isinstance(state, Task):
        return state.resource.name + (f" ({state.resource.pattern})" if state.resource.pattern else "")
    if isinstance(state, Wait):
        given = state.seconds if state.seconds is not None else state.timestamp
        return f"{_plain(given)}{' s' if isinstance(given, (int, float)) else ''}"
    if isinstance(state, Map):
        most = state.max_concurrency
        return "each item" + (f", {_plain(most)} at a time" if most else "")
    return _plain(state.error) if isinstance(state, Fail) and state.error is not None else ""


def _plain(value: object) -> str:
    return value.text if isinstance(value, (Path, Expression)) else str(value)
