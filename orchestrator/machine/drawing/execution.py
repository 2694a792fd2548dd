"""A state machine's execution as it is drawn: the sketch of its definition with the path that it took, and a line that
says how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ....state.quantities import span
from ....state.records import Head
from ...protocol.decider import Fact
from ..integrations import Integrations
from ..running.context import moment
from .course import Course
from .replay import followed
from .sketch import Sketch, sketch


class Drawn(NamedTuple):
    """``problem`` says why it could be followed only so far, "" when it was to its end."""

    sketch: Sketch
    title: str
    told: str
    problem: str


def drawn(head: Head, entries: Sequence[Fact], now: int, integrations: Integrations) -> Drawn:
    """``entries``: the journal, whole, blobs in place. Raises InvalidInput when there is no definition in it."""
    machine, course = followed(head.function, head.id, entries, head.status, now, integrations)
    return Drawn(sketch(machine, course), f"{head.function} · {head.id}", _told(head, course), course.problem)


def _told(head: Head, course: Course) -> str:
    retries = sum(stay.retries for stay in course.stays.values())
    parts = [head.status, f"began {moment(head.created)}", span(max(course.now - head.created, 0))]
    parts += [f"{retries} {'retry' if retries == 1 else 'retries'}"] if retries else []
    return " · ".join([*parts, *([head.awaits] if head.awaits and course.status != "completed" else [])])
