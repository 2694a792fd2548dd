"""States that lead to each other: a chain, and what leads out of its order.

A target is the name of a state, a state, or a chain. Whoever names a state or a chain takes it in; a name only leads
there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ....state.errors import InvalidInput
from .expressions import Note


class State(ABC):
    """A state of a machine to be. ``next`` and ``end`` are set where it does not lead to what follows it."""

    kind = ""
    leads = True  # False: nothing follows it, or its rules say what does

    def __init__(self, name: str, next: Target | None = None, end: bool = False) -> None:
        if next is not None and end:
            raise InvalidInput(f"{name!r} has next= as well as end=; leave out one of them")
        self.name = name
        self.next = next
        self.end = end

    @abstractmethod
    def targets(self) -> Iterable[Target]:
        """Where it leads beside."""

    @abstractmethod
    def written(self, place: Place) -> dict[str, Any]:
        """The state as the language has it. Raises InvalidInput."""

    def __repr__(self) -> str:
        return f"{self.kind}({self.name!r})"


class Chain:
    """States that follow each other."""

    def __init__(self, elements: tuple[State | Chain, ...], comment: str | None = None) -> None:
        if not elements:
            raise InvalidInput("a chain has at least one state")
        self.comment = comment
        self.states: tuple[State, ...] = tuple(state for one in elements for state in _states(one))

    def __repr__(self) -> str:
        return f"chain({', '.join(map(repr, self.states))})"


Target = str | State | Chain


@dataclass(frozen=True)
class Place:
    """Where a state stands: ``follow`` is the state after it, None at the end. ``note`` hears of functions."""

    name: str
    follow: str | None
    note: Note

    def entry(self, target: Target | None) -> str:
        """The name of the state that a target begins with; without one, of what follows."""
        if target is not None:
            return entry(target)
        if self.follow is None:
            raise InvalidInput(f"{self.name!r} leads nowhere: nothing follows it, so say which state it leads to")
        return self.follow


def chain(*elements: State | Chain, comment: str | None = None) -> Chain:
    """Each leads to the next. ``comment`` stands in a branch of a Parallel, and in what a Map does with each item."""
    return Chain(elements, comment)


def entry(target: Target) -> str:
    """The name of the state that a target begins with."""
    if isinstance(target, str):
        return target
    return target.name if isinstance(target, State) else target.states[0].name


def _states(one: State | Chain) -> tuple[State, ...]:
    if isinstance(one, State):
        return (one,)
    if isinstance(one, Chain):  # pyright: ignore[reportUnnecessaryIsInstance]
        return one.states
    raise InvalidInput(f"{one!r:.80} is no state; a chain is made of asl.Task(…), asl.Choice(…) and the others")
