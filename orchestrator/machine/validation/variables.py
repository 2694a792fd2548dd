"""Whether variables are assigned before they are used: on no way is a mistake, on some ways only a warning.

Each flow is gone through until nothing changes any more. What a state assigns holds behind it, on the way that says so;
what it reads, it reads from before. A flow inside of a state sees what that state sees, and what it assigns is seen by
nobody outside; inside of a distributed Map nothing from outside is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..definition.document import Pointer
from ..definition.plain import members_of
from .assigning import name_of
from .diagnostic import did_you_mean
from .graph import Flow, flows, steps
from .maps import is_distributed
from .place import Ledger, Place


class Known(NamedTuple):
    """Variables that are assigned on every way to a state, and on some."""

    surely: frozenset[str]
    maybe: frozenset[str]

    def then(self, names: frozenset[str]) -> Known:
        return Known(self.surely | names, self.maybe | names) if names else self


NOTHING = Known(frozenset(), frozenset())


def variables(place: Place, value: Any, ledger: Ledger) -> None:
    """Judges what the ledger says of reads."""
    before = _before(value)
    assigned = _everything(value)
    for name, pointer in ledger.reads:
        state = _state_of(pointer)
        if state not in before:  # nothing leads there, which has been said
            continue
        known, inner = before[state], place.at(*pointer[len(place.pointer) :])
        if name in known.surely:
            continue
        if name in known.maybe:
            what = f"${name} is not assigned on every way that leads here"
            inner.warning("variables", what, code="UNASSIGNED_VARIABLE")
            continue
        advice = did_you_mean(name, known.maybe).replace('"', '"$', 1)
        if not advice and name in assigned:
            advice = "It is assigned elsewhere, where this state does not see it."
        what = f"${name} is never assigned before"
        inner.error("variables", what, code="UNASSIGNED_VARIABLE", advice=advice, blocks=False)
    _shadows(place, value, before)


def _before(value: Any) -> dict[Pointer, Known]:
    """What each state that can be reached knows when it begins."""
    found: dict[Pointer, Known] = {}
    for flow in flows(value):  # from the outside in, so that the outer state's is there
        start = NOTHING
        if flow.outer is not None:
            if flow.outer not in found:
                continue
            start = NOTHING if is_distributed(_members(value, flow.outer)) else found[flow.outer]
        for name, known in _through(flow, start).items():
            found[(*flow.pointer, "States", name)] = known
    return found


def _through(flow: Flow, start: Known) -> Mapping[str, Known]:
    if not isinstance(flow.start, str) or flow.start not in flow.states:
        return {}
    known, left = {flow.start: start}, [flow.start]
    while left:
        name = left.pop()
        state = flow.states[name]
        for step in steps(state):
            if step.target not in flow.states:
                continue
            after = known[name].then(_names(step.assign))
            there = known.get(step.target)
            joined = after if there is None else Known(there.surely & after.surely, there.maybe | after.maybe)
            if joined != there:
                known[step.target] = joined
                left.append(step.target)
    return known


def _names(assign: Any) -> frozenset[str]:
    keys = members_of(assign)
    return frozenset({*keys} | {name_of(key, jsonata=False) for key in keys})


def _everything(value: Any) -> set[str]:
    return {
        name
        for flow in flows(value)
        for state in flow.states.values()
        for step in steps(state)
        for name in _names(step.assign)
    }


def _shadows(place: Place, value: Any, before: Mapping[Pointer, Known]) -> None:
    for flow in flows(value):
        outer = before.get(flow.outer) if flow.outer is not None else None
        if outer is None or is_distributed(_members(value, flow.outer or ())):
            continue
        for name, state in flow.states.items():
            for key in members_of(members_of(state).get("Assign")):
                if name_of(key, jsonata=False) in outer.maybe:
                    what = f"${name_of(key, jsonata=False)} is assigned outside as well; nobody outside sees this value"
                    place.at(*flow.pointer, "States", name, "Assign", key).warning(
                        "variables", what, code="SHADOWED_VARIABLE"
                    )


def _state_of(pointer: Pointer) -> Pointer:
    """The innermost state that a place is in. Only these three keys lead from a state to states inside of it, so a
    payload that says ``States`` is none."""
    at = 0
    while len(pointer) > at + 1 and pointer[at] == "States":
        end = at + 2
        rest = pointer[end : end + 2]
        inner = 2 if rest[:1] == ("Branches",) else 1 if rest[:1] in (("ItemProcessor",), ("Iterator",)) else 0
        if not inner or pointer[end + inner : end + inner + 1] != ("States",):
            return pointer[:end]
        at = end + inner
    return pointer[:at]


def _members(value: Any, pointer: Pointer) -> Mapping[str, Any]:
    for part in pointer:
        value = value[part]
    return members_of(value)
