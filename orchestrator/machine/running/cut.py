"""What the history says of flows that are cut short because one beside them has failed."""

from __future__ import annotations

from ..definition.states.map import Map
from ..definition.states.parallel import Parallel
from ..definition.states.task import Task
from ..definition.states.wait import Wait
from .frame import Frame
from .recorder import Counter

_ABORTED = (Task, Wait, Parallel, Map)
"""Kinds of states that can be cut short: all others are over at once."""


def tell(history: Counter, frame: Frame, now: int) -> None:
    """Each flow within the frame's state that had begun, and the state that it was in."""
    state = frame.here
    for inner in frame.frames.values():
        if inner.top is inner:
            if inner.visits:
                history.add("ExecutionAborted", now, inner)
            continue
        if isinstance(state, Map) and inner.visits:
            history.add("MapIterationAborted", now, frame, name=frame.state, index=inner.index, cut=inner.id)
        if inner.event and isinstance(inner.here, _ABORTED):
            history.add(f"{type(inner.here).__name__}StateAborted", now, frame, cut=inner.id)
