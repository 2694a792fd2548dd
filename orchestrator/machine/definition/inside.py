"""The flows within states: the branches of a Parallel, what a Map does with each item."""

from __future__ import annotations

from collections.abc import Iterator

from .flow import Flow
from .states.map import Map
from .states.parallel import Parallel
from .states.state import State


def inside(state: State) -> tuple[Flow, ...]:
    """The flows that a state runs; none for most."""
    if isinstance(state, Parallel):
        return state.branches
    return (state.processor,) if isinstance(state, Map) else ()


def flows(flow: Flow) -> Iterator[Flow]:
    """A flow, and all within its states."""
    yield flow
    for state in flow.states.values():
        for inner in inside(state):
            yield from flows(inner)


def find(flow: Flow, name: str) -> tuple[Flow, State] | None:
    """The state of that name, with the flow that it is in; names are unique in a machine."""
    return next(((one, one.states[name]) for one in flows(flow) if name in one.states), None)
