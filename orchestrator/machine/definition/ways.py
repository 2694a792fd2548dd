"""The ways out of a state: where they lead, and when each is taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from .states.choice import Choice
from .states.map import Map
from .states.parallel import Parallel
from .states.state import State
from .states.task import Task


class Way(NamedTuple):
    """``number`` counts the rules or catchers of a state from 0."""

    target: str
    kind: Literal["next", "rule", "default", "catch"]
    number: int = 0


def ways(state: State) -> Iterator[Way]:
    """In the order in which they are looked at."""
    if isinstance(state, Choice):
        for index, rule in enumerate(state.rules):
            yield Way(rule.next, "rule", index)
    if state.next is not None:
        yield Way(state.next, "default" if isinstance(state, Choice) else "next")
    if isinstance(state, (Task, Parallel, Map)):
        for index, catcher in enumerate(state.catch):
            yield Way(catcher.next, "catch", index)
