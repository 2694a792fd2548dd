"""From chains to the States of a flow: which state each one leads to, and the order in which they are written."""

from __future__ import annotations

from typing import Any

from ....state.errors import InvalidInput
from .chains import Chain, Place, State, Target, entry
from .expressions import Note


def flow(element: State | Chain, note: Note) -> dict[str, Any]:
    """``{"Comment", "StartAt", "States"}``. Raises InvalidInput."""
    states = element.states if isinstance(element, Chain) else (element,)
    laid = _Layout()
    laid.chain(states, None, fixed=True)
    made: dict[str, Any] = {}
    if isinstance(element, Chain) and element.comment is not None:
        made["Comment"] = element.comment
    written = {name: laid.states[name].written(Place(name, laid.follows[name], note)) for name in laid.order(states)}
    return {**made, "StartAt": entry(element), "States": written}


class _Layout:
    """The states by their names, and what follows each."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {}
        self.follows: dict[str, str | None] = {}
        self.fixed: set[str] = set()  # those that stand in a chain, which says what follows them

    def chain(self, states: tuple[State, ...], follow: str | None, *, fixed: bool) -> None:
        """Take in what stands there, then what it leads to: so a target that stands in the chain is known as such."""
        fresh = [
            state
            for state, after in zip(states, [*(one.name for one in states[1:]), follow], strict=True)
            if self._place(state, after, fixed)
        ]
        for state in fresh:
            for target in state.targets():
                self._target(target, self.follows[state.name])

    def _target(self, target: Target, follow: str | None) -> None:
        if isinstance(target, Chain):
            self.chain(target.states, follow, fixed=True)
        elif isinstance(target, State):
            self.chain((target,), follow, fixed=False)

    def _place(self, state: State, after: str | None, fixed: bool) -> bool:
        """Whether it is new."""
        if state.next is not None:
            after = entry(state.next)
        elif state.end:
            after = None
        known = self.states.setdefault(state.name, state)
        if known is not state:
            raise InvalidInput(f"two states are named {state.name!r}; give one of them another name")
        if state.name not in self.follows:
            self.follows[state.name] = after
            self.fixed |= {state.name} if fixed else set()
            return True
        led = self.follows[state.name]
        if led != after and _open(state) and (fixed or state.name not in self.fixed):
            ways = " and by ".join("nothing" if one is None else repr(one) for one in (led, after))
            raise InvalidInput(
                f"{state.name!r} stands in two places, and would be followed by {ways}; say next= or end=, or lead to "
                "it by its name"
            )
        return False

    def order(self, states: tuple[State, ...]) -> list[str]:
        """Names as they are written: each state, then what it alone leads to, then what follows it."""
        found: dict[str, None] = {}
        left = list(reversed(states))
        while left:
            state = left.pop()
            if state.name in found:
                continue
            found[state.name] = None
            inner: list[State] = []
            for target in state.targets():
                if isinstance(target, Chain):
                    inner += target.states
                elif isinstance(target, State) and target.name not in self.fixed:
                    inner.append(target)
            left += reversed(inner)
        return [*found, *(name for name in self.states if name not in found)]


def _open(state: State) -> bool:
    """Whether what follows it is said by where it stands."""
    return state.next is None and not state.end and (state.leads or any(True for _ in state.targets()))
