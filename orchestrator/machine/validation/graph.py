"""Which states lead to which: targets that are not there, states that nothing leads to, flows that never end.

Everything is read from the plain value, whatever else is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..definition.document import Pointer
from ..definition.plain import is_object, items_of, members_of
from .diagnostic import did_you_mean
from .place import Place

MISSING = "MISSING_TRANSITION_TARGET"


class Step(NamedTuple):
    """A way from one state to another: where it is written, and the Assign that goes with it, if any."""

    pointer: Pointer
    target: str
    assign: Any
    caught: bool


class Flow(NamedTuple):
    """States of one level. ``outer`` is the pointer of the state that it is inside of."""

    pointer: Pointer
    start: Any
    states: Mapping[str, Any]
    outer: Pointer | None


def flows(value: Any, pointer: Pointer = (), outer: Pointer | None = None) -> Iterator[Flow]:
    """This flow and those inside of its states, from the outside in, in the order of the text."""
    members = members_of(value)
    states: Any = members.get("States")
    if not is_object(states):
        return
    yield Flow(pointer, members.get("StartAt"), states, outer)
    for name, state in states.items():
        place = (*pointer, "States", name)
        for inner, item in nested(state):
            yield from flows(item, (*place, *inner), place)


def nested(state: Any) -> Iterator[tuple[Pointer, Any]]:
    """The flows directly inside of a state."""
    members = members_of(state)
    for index, branch in enumerate(items_of(members.get("Branches"))):
        yield ("Branches", index), branch
    for name in ("ItemProcessor", "Iterator"):
        if name in members:
            yield (name,), members[name]


def steps(state: Any) -> Iterator[Step]:
    """The ways out of a state."""
    members = members_of(state)
    for name in ("Next", "Default"):
        if isinstance(members.get(name), str):
            yield Step((name,), members[name], members.get("Assign"), caught=False)
    for name in ("Choices", "Catch"):
        for index, item in enumerate(items_of(members.get(name))):
            rule = members_of(item)
            target: Any = rule.get("Next")
            if isinstance(target, str):
                yield Step((name, index, "Next"), target, rule.get("Assign"), caught=name == "Catch")


def ends(state: Any) -> bool:
    """Whether a flow ends with this state."""
    members = members_of(state)
    return members.get("End") is True or members.get("Type") in ("Succeed", "Fail")


def graph(place: Place, value: Any) -> None:
    """All of it, for the machine and each flow inside."""
    seen: set[str] = set()
    every = {name for flow in flows(value) for name in flow.states}
    for flow in flows(value):
        for name in flow.states:
            if name in seen:
                what = f"there is another state {name!r:.80}"
                place.at(*flow.pointer, "States", name).error("unique-names", what, code="DUPLICATE_STATE_NAME")
            seen.add(name)
        _targets(place, flow, every)
        _ways(place, flow)


def _targets(place: Place, flow: Flow, every: set[str]) -> None:
    found = [((*flow.pointer, "StartAt"), flow.start)] if isinstance(flow.start, str) else []
    found += [
        ((*flow.pointer, "States", name, *step.pointer), step.target)
        for name, state in flow.states.items()
        for step in steps(state)
    ]
    for pointer, target in found:
        if target not in flow.states:
            advice = did_you_mean(target, flow.states)
            if target in every:
                advice = "There is one elsewhere, but states lead to others beside them only."
            place.at(*pointer).error("targets", f"there is no state {target!r:.80} here", code=MISSING, advice=advice)


def _ways(place: Place, flow: Flow) -> None:
    states = flow.states
    last = [name for name, state in states.items() if ends(state)]
    if states and not last:
        advice = 'Give the last state "End": true.'
        if flow.outer is None:
            what = "no state ends this machine"
            return place.error("ends", what, code="MISSING_END_STATE", at="", advice=advice)
        place.at(*flow.pointer).warning(
            "ends", "no state ends what is inside here", code="MISSING_END_STATE", advice=advice
        )
    ways = {name: [step.target for step in steps(state) if step.target in states] for name, state in states.items()}
    reached = _closure([flow.start] if isinstance(flow.start, str) and flow.start in states else [], ways)
    back: dict[str, list[str]] = {name: [] for name in states}
    for name, targets in ways.items():
        for target in targets:
            back[target].append(name)
    broken = [name for name, state in states.items() if any(target not in states for target in _named(state))]
    ending = _closure([*last, *broken], back)
    for name in states:
        inner = place.at(*flow.pointer, "States", name)
        if isinstance(flow.start, str) and name not in reached:
            inner.error("reachable", f"nothing leads to the state {name!r:.80}", code=MISSING)
        elif last and name not in ending:
            inner.warning("ends", f"from {name!r:.80} no way leads to an end", code="ENDLESS")
    return None


def _named(state: Any) -> list[str]:
    """Targets, or one that is nowhere when there is none: what is wrong with such a state has been told."""
    return [step.target for step in steps(state)] or [""]


def _closure(begin: list[str], ways: Mapping[str, list[str]]) -> set[str]:
    found, left = set(begin), list(begin)
    while left:
        for target in ways[left.pop()]:
            if target not in found:
                found.add(target)
                left.append(target)
    return found
