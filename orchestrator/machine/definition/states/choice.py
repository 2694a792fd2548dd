"""Choice: goes where the first rule leads that holds, or to its default.

A rule's test is a JSONata ``Expression`` (or a plain true or false), or a tree of comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..fields import Fields, Malformed
from ..values import Expression, Path, Template, expression, is_expression
from .state import State, shaped

ORDERS = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
OPERANDS: Mapping[str, Literal["text", "number", "boolean", "path"]] = {
    **{f"String{order}": "text" for order in ORDERS},
    **{f"Numeric{order}": "number" for order in ORDERS},
    **{f"Timestamp{order}": "text" for order in ORDERS},
    **{f"{kind}{order}Path": "path" for kind in ("String", "Numeric", "Timestamp") for order in ORDERS},
    "BooleanEquals": "boolean",
    "BooleanEqualsPath": "path",
    "StringMatches": "text",
    **{f"Is{kind}": "boolean" for kind in ("Null", "Present", "Numeric", "String", "Boolean", "Timestamp")},
}
"""Every comparison of JSONPath, and what stands beside it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``operator`` is the name of the field, ``operand`` a Path where that ends in ``Path``."""

    variable: Path
    operator: str
    operand: Any


@dataclass(frozen=True, slots=True)
class Every:
    """And: all hold."""

    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Or: one of them holds."""

    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Opposite:
    """Not: it does not hold."""

    test: Test


Test = Comparison | Every | Some | Opposite | Expression | bool


@dataclass(frozen=True, slots=True)
class Rule:
    """``source`` is the rule as it was written."""

    test: Test
    next: str
    output: Template | None
    assign: Template | None
    comment: str | None
    source: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(State):
    """``next`` is the default; without one, that no rule holds is an error. ``assign`` and ``output`` are of the
    default, a rule has its own."""

    rules: tuple[Rule, ...]


def choice(name: str, fields: Fields) -> Choice:
    rules = fields.each("Choices", _rule)
    if not rules:
        raise Malformed("rules should stand", fields.at("Choices"))
    made = Choice(
        **shaped(name, fields),
        rules=rules,
        assign=fields.maybe_template("Assign"),
        next=fields.maybe_text("Default"),
    )
    fields.done()
    return made


def _rule(fields: Fields) -> Rule:
    jsonata = fields.language == "JSONata"
    following = fields.text("Next")
    output = fields.maybe_template("Output") if jsonata else None
    assign = fields.maybe_template("Assign")
    comment = fields.maybe_text("Comment")
    test = _condition(fields) if jsonata else _test(fields)
    fields.done()
    return Rule(test, following, output, assign, comment, fields.members)


def _condition(fields: Fields) -> Test:
    value = fields.raw("Condition")
    if isinstance(value, bool):
        return value
    if not is_expression(value):
        raise Malformed("an expression should stand", fields.at("Condition"))
    return expression(value)


def _test(fields: Fields) -> Test:
    names = [name for name in fields.members if name in OPERANDS or name in ("And", "Or", "Not")]
    if len(names) != 1:
        raise Malformed("one comparison should stand", fields.pointer)
    name = names[0]
    if name == "Not":
        inner = fields.nested("Not")
        if inner is None:
            raise Malformed("a rule should stand", fields.at("Not"))
        return Opposite(_inner(inner))
    if name in ("And", "Or"):
        tests = fields.each(name, _inner)
        if not tests:
            raise Malformed("rules should stand", fields.at(name))
        return Every(tests) if name == "And" else Some(tests)
    return Comparison(Path(fields.text("Variable")), name, _operand(fields, name))


def _inner(fields: Fields) -> Test:
    fields.maybe_text("Comment")
    test = _test(fields)
    fields.done()
    return test


def _operand(fields: Fields, name: str) -> Any:
    kind = OPERANDS[name]
    if kind == "number":
        fields.raw(name)
        return fields.number(name, 0)
    if kind == "boolean":
        fields.raw(name)
        return fields.flag(name)
    text = fields.text(name)
    return Path(text) if kind == "path" else text
