"""A machine as a state diagram of Mermaid: an arrow for each way, labelled with when it is taken; Parallel and Map are
states with what is inside of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count

from .flow import Flow
from .machine import Machine
from .states.choice import Choice, Comparison, Every, Opposite, Some, Test
from .states.map import Map
from .states.parallel import Parallel
from .states.state import State
from .states.task import Task
from .values import Expression, Path
from .ways import Way, ways

LONGEST = 60
_SIGNS = {"LessThanEquals": "≤", "GreaterThanEquals": "≥", "LessThan": "<", "GreaterThan": ">", "Equals": "="}
_ESCAPES = {ord(char): f"#{ord(char)};" for char in '#;"<>{}:\\`'}
_ORDER = re.compile(r"(d)(irection)(?=\s)", re.IGNORECASE)


def mermaid(machine: Machine) -> str:
    """The diagram's text."""
    lines = ["stateDiagram-v2", *_flow(machine.flow, count(1), "    ")]
    return "\n".join(lines) + "\n"


def _flow(flow: Flow, numbers: Iterator[int], indent: str) -> Iterator[str]:
    names = {name: f"s{next(numbers)}" for name in flow.states}
    for name, state in flow.states.items():
        yield f'{indent}state "{_label(name)}" as {names[name]}'
        yield from _inside(state, names[name], numbers, indent)
    yield f"{indent}[*] --> {names[flow.start_at]}"
    for name, state in flow.states.items():
        for way in ways(state):
            said = _said(state, way)
            yield f"{indent}{names[name]} --> {names[way.target]}" + (f" : {_label(said)}" if said else "")
        if state.next is None and not isinstance(state, Choice):
            yield f"{indent}{names[name]} --> [*]"


def _inside(state: State, id: str, numbers: Iterator[int], indent: str) -> Iterator[str]:
    flows = state.branches if isinstance(state, Parallel) else (state.processor,) if isinstance(state, Map) else ()
    if not flows:
        return
    yield f"{indent}state {id} {{"
    for index, flow in enumerate(flows):
        if index:
            yield f"{indent}    --"
        yield from _flow(flow, numbers, indent + "    ")
    yield f"{indent}}}"


def _said(state: State, way: Way) -> str:
    """When a way is taken; nothing for the plain next."""
    if way.kind == "rule" and isinstance(state, Choice):
        return _test(state.rules[way.number].test)
    if way.kind == "catch" and isinstance(state, (Task, Parallel, Map)):
        return f"on {', '.join(state.catch[way.number].error_equals)}"
    return "otherwise" if way.kind == "default" else ""


def _test(test: Test) -> str:
    if isinstance(test, Expression):
        return test.text
    if isinstance(test, bool):
        return "always" if test else "never"
    if isinstance(test, Opposite):
        return f"not ({_test(test.test)})"
    if isinstance(test, (Every, Some)):
        return (" and " if isinstance(test, Every) else " or ").join(f"({_test(one)})" for one in test.tests)
    return _comparison(test)


def _comparison(test: Comparison) -> str:
    dynamic = isinstance(test.operand, Path)
    name, variable = test.operator.removesuffix("Path") if dynamic else test.operator, test.variable.text
    if name.startswith("Is"):
        return f"{variable} is {'' if test.operand else 'not '}{name[2:].lower()}"
    operand = test.operand.text if dynamic else json.dumps(test.operand, ensure_ascii=False)
    if name == "StringMatches":
        return f"{variable} matches {operand}"
    sign = next(sign for ending, sign in _SIGNS.items() if name.endswith(ending))
    return f"{variable} {sign} {operand}"


def _label(text: str) -> str:
    """A text that Mermaid takes as one, whatever it says: ``direction LR`` would be an order to it anywhere in a line.
    What can't be seen is replaced, since diagrams are shown on terminals too."""
    text = "".join(char if char.isprintable() else "\ufffd" for char in " ".join(text.split()))
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return _ORDER.sub(lambda found: f"#{ord(found[1])};{found[2]}", text.translate(_ESCAPES))
