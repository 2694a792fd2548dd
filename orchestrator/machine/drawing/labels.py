"""Texts of pictures: when a way is taken, and what of a text can be seen."""

from __future__ import annotations

import json

from ..definition.states.choice import Choice, Comparison, Every, Opposite, Some, Test
from ..definition.states.map import Map
from ..definition.states.parallel import Parallel
from ..definition.states.state import State
from ..definition.states.task import Task
from ..definition.values import Expression, Path
from ..definition.ways import Way

_SIGNS = {"LessThanEquals": "≤", "GreaterThanEquals": "≥", "LessThan": "<", "GreaterThan": ">", "Equals": "="}


def said(state: State, way: Way) -> str:
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


def visible(text: str, longest: int) -> str:
    """One line of so many characters. What can't be seen is replaced, since pictures are shown on terminals too."""
    text = "".join(char if char.isprintable() else "\ufffd" for char in " ".join(text.split()))
    return text if len(text) <= longest else text[: longest - 1] + "…"
