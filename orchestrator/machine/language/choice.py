"""The rules of a Choice state that uses JSONPath: what a rule compares, and whether it holds.

A value of another type than the operator compares does not hold; a place that isn't there is an error, except where
only its presence is asked. Texts are ordered as in Java (by UTF-16 units), numbers exactly, timestamps by time.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from .failure import RUNTIME, QueryError, bounded
from .kinds import is_array, is_number, is_object
from .paths import MISSING, Path, compile_path
from .scope import Scope
from .timestamps import parse_timestamp

Compare = Callable[[Any, Any], bool]
Test = Callable[[Scope], bool]

_SIGN = re.compile(r"\\(.)|(\*)", re.DOTALL)


def _units(value: Any) -> bytes | None:
    return value.encode("utf-16-be", "surrogatepass") if isinstance(value, str) else None


def _number(value: Any) -> int | float | None:
    return value if is_number(value) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _comparing(of: Callable[[Any], Any], compare: Callable[[Any, Any], bool]) -> Compare:
    def holds(value: Any, wanted: Any) -> bool:
        left, right = of(value), of(wanted)
        return left is not None and right is not None and compare(left, right)

    return holds


_ORDERS = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}
_ORDERED = {"String": _units, "Numeric": _number, "Timestamp": parse_timestamp}


def _comparisons() -> dict[str, Compare]:
    table = {f"{kind}{name}": _comparing(of, order) for kind, of in _ORDERED.items() for name, order in _ORDERS.items()}
    return {**table, "BooleanEquals": _comparing(_boolean, operator.eq)}


COMPARISONS: Mapping[str, Compare] = MappingProxyType(_comparisons())
"""Operators with a value beside them, each of which has a twin ending in ``Path`` whose value stands in the data."""

KINDS: Mapping[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "IsNull": lambda value: value is None,
        "IsString": lambda value: isinstance(value, str),
        "IsNumeric": is_number,
        "IsBoolean": lambda value: isinstance(value, bool),
        "IsTimestamp": lambda value: parse_timestamp(value) is not None,
    }
)


class Rule:
    """A compiled rule or condition. Its ``Next``, ``Assign`` and ``Output`` are no business of this file."""

    def __init__(self, test: Test) -> None:
        self._test = test

    @bounded
    def holds(self, scope: Scope) -> bool:
        """Raises QueryError (States.Runtime) for a place that isn't there."""
        return self._test(scope)


@bounded
def compile_rule(rule: Mapping[str, Any]) -> Rule:
    """Raises QueryError for a rule without an operator, with two, or with one that does not exist."""
    return Rule(_compiled(rule))


def _compiled(rule: Any) -> Test:
    if not is_object(rule):
        raise QueryError(RUNTIME, "A choice rule has to be an object.")
    logical = [name for name in ("And", "Or", "Not") if name in rule]
    if not logical:
        return _comparison(rule)
    if len(logical) > 1 or "Variable" in rule:
        raise QueryError(RUNTIME, "A choice rule has one of And, Or and Not, or a Variable and a comparison.")
    if logical == ["Not"]:
        inverted = _compiled(rule["Not"])
        return lambda scope: not inverted(scope)
    inner: Any = rule[logical[0]]
    if not is_array(inner) or not inner:
        raise QueryError(RUNTIME, f"{logical[0]} has to be an array of choice rules, with at least one.")
    tests = [_compiled(one) for one in inner]
    if logical == ["And"]:
        return lambda scope: all(test(scope) for test in tests)
    return lambda scope: any(test(scope) for test in tests)


def _comparison(rule: Mapping[str, Any]) -> Test:
    known = [name for name in rule if is_operator(name)]
    if len(known) != 1 or not isinstance(rule.get("Variable"), str):
        raise QueryError(RUNTIME, f"A choice rule has a Variable and one comparison, but this one has {sorted(rule)}.")
    (name,) = known
    variable, wanted = compile_path(rule["Variable"]), rule[name]
    if name == "IsPresent":
        return lambda scope: (_present(variable, scope) is not MISSING) is wanted
    if name in KINDS:
        kind = KINDS[name]
        return lambda scope: kind(_value(variable, scope)) is wanted
    if name == "StringMatches":
        matches = compile_pattern(wanted)
        return lambda scope: matches(_value(variable, scope))
    if name in COMPARISONS:
        compare = COMPARISONS[name]
        return lambda scope: compare(_value(variable, scope), wanted)
    compare = COMPARISONS[name.removesuffix("Path")]
    if not isinstance(wanted, str):
        raise QueryError(RUNTIME, f"{name} has to be a path.")
    place = compile_path(wanted)
    return lambda scope: compare(_value(variable, scope), _value(place, scope))


def is_operator(name: str) -> bool:
    return name in KINDS or name in ("IsPresent", "StringMatches") or name.removesuffix("Path") in COMPARISONS


def _present(path: Path, scope: Scope) -> Any:
    """What a path finds; nothing where it runs into something that has no places. A path that may name many finds a
    list, be it an empty one."""
    try:
        return path.find(scope)
    except QueryError:
        return MISSING


def _value(path: Path, scope: Scope) -> Any:
    value = path.find(scope)
    if value is MISSING:
        cause = f"Invalid path '{path.text}': The choice state's condition path references an invalid value."
        raise QueryError(RUNTIME, cause)
    return value


def compile_pattern(pattern: Any) -> Callable[[Any], bool]:
    """StringMatches: ``*`` stands for any text, a backslash before a star or a backslash for that sign itself.
    Takes time in proportion to the text, however many stars there are."""
    if not isinstance(pattern, str):
        raise QueryError(RUNTIME, "StringMatches has to be a string.")
    pieces, at = [""], 0
    for found in _SIGN.finditer(pattern):
        pieces[-1] += pattern[at : found.start()]
        at = found.end()
        if found[2]:
            pieces.append("")
        else:
            pieces[-1] += found[1] if found[1] in "\\*" else found[0]
    pieces[-1] += pattern[at:]
    first, *middle = pieces

    def matches(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        if not middle:
            return value == first
        *between, last = middle
        if len(value) < len(first) + len(last) or not value.startswith(first) or not value.endswith(last):
            return False
        position, end = len(first), len(value) - len(last)
        for piece in between:
            position = value.find(piece, position, end)
            if position < 0:
                return False
            position += len(piece)
        return True

    return matches
