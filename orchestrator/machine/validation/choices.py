"""Choice: its rules, in JSONPath a tree of comparisons, in JSONata a condition."""

from __future__ import annotations

from typing import Any

from ..definition.states.choice import OPERANDS
from . import kinds
from .assigning import assign
from .diagnostic import did_you_mean
from .evaluated import evaluated
from .moments import timestamp
from .place import Place
from .shape import Field, Shape, both, jsonata, look

JOINS = ("And", "Or", "Not")
DEEPEST = 60  # rules within rules; far more than anybody reads


def rules(place: Place, value: Any) -> None:
    """The list of rules."""
    for index, item in enumerate(kinds.lists(place, value)):
        _rule(place.at(index), item, 0)


def _rule(place: Place, value: Any, depth: int) -> None:
    if not kinds.objects(value, place):
        return
    members = value
    if place.jsonata:
        look(place, members, _CONDITIONAL, "a rule", required=("Condition", "Next"))
        return
    if depth > DEEPEST:
        return place.error(
            "nesting", f"rules stand within each other more than {DEEPEST} deep", code="TOO_DEEPLY_NESTED"
        )
    inner = depth > 0
    shape = _INNER if inner else _OUTER
    elsewhere = {name: "the outermost rule" for name in ("Next", "Assign")} if inner else {}
    look(
        place,
        members,
        shape,
        "a rule within another" if inner else "a rule",
        required=() if inner else ("Next",),
        elsewhere=elsewhere,
    )
    _comparison(place, members, depth)
    return None


def _comparison(place: Place, members: dict[str, Any], depth: int) -> None:
    names = [name for name in members if name in OPERANDS or name in JOINS]
    joined = [name for name in names if name in JOINS]
    if not names:
        hint = next((found for name in members if name not in _OUTER and (found := did_you_mean(name, OPERANDS))), "")
        return place.error("choice", "this rule compares nothing", advice=hint or "Such is NumericEquals, or And.")
    if len(names) > 1:
        return place.error(
            "choice", f"this rule has more than one comparison: {', '.join(names)}", advice="Join them by And."
        )
    if not joined and "Variable" not in members:
        return place.error("required", f'a rule with {names[0]} needs "Variable", and it is missing')
    if joined and "Variable" in members:
        place.at("Variable").error(
            "choice", f"{joined[0]} compares nothing itself, so it has no Variable", at=place.pointer
        )
    if joined == ["Not"]:
        return _rule(place.at("Not"), members["Not"], depth + 1)
    for name in joined:
        for index, item in enumerate(kinds.lists(place.at(name), members[name])):
            _rule(place.at(name, index), item, depth + 1)
    return None


def _number(place: Place, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        hint = f"To compare with {value!r:.40}, use String… or …Path." if isinstance(value, str) else ""
        kinds.wrong_type(place, value, "a number", hint)


def _text(place: Place, value: Any) -> None:
    kinds.text(place, value)
    if isinstance(value, str) and value.startswith("$.") and place.pointer[-1] != "StringMatches":
        advice = f"{place.pointer[-1]}Path compares with what stands there."
        place.warning("static", f"{value!r:.80} is taken as plain text", code="NO_PATH", advice=advice)


def _operands() -> dict[str, Field]:
    checks = {"text": _text, "number": _number, "boolean": kinds.flag, "path": kinds.path}
    made = {name: Field(checks[kind], "JSONPath") for name, kind in OPERANDS.items()}
    moments = {
        name: Field(timestamp, "JSONPath")
        for name, kind in OPERANDS.items()
        if name[:9] == "Timestamp" and kind == "text"
    }
    return {**made, **moments}


_INNER: Shape = {
    **_operands(),
    "Variable": Field(kinds.path, "JSONPath"),
    **{name: Field(kinds.anything, "JSONPath") for name in JOINS},
    "Comment": Field(kinds.text),
}
_OUTER: Shape = {
    **_INNER,
    **both(Next=kinds.text, Assign=assign),
    **jsonata(Output=evaluated, Condition=kinds.expression),
}


def _condition(place: Place, value: Any) -> None:
    if not isinstance(value, bool):
        kinds.expression(place, value)


_CONDITIONAL: Shape = {**_OUTER, "Condition": Field(_condition, "JSONata")}
