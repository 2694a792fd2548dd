"""What a field may hold: one function for each kind of value. Each takes the place of the field and its value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

from ..definition.plain import is_list, is_object
from ..definition.values import is_expression
from . import expressions
from .diagnostic import did_you_mean
from .evaluated import evaluated
from .place import Place, kind_of

Check = Callable[[Place, Any], None]


def anything(place: Place, value: Any) -> None:
    """No rule."""


def wrong_type(place: Place, value: Any, wanted: str, advice: str = "") -> None:
    """It has another type than it should."""
    place.error("type", f"{wanted} should stand here, and this is {kind_of(value)}", advice=advice)


def text(place: Place, value: Any) -> None:
    if not isinstance(value, str):
        wrong_type(place, value, "a string")


def flag(place: Place, value: Any) -> None:
    if not isinstance(value, bool):
        hint = "Write true or false without quotes." if str(value).lower() in ("true", "false", "yes", "no") else ""
        wrong_type(place, value, "true or false", hint)


def one_of(*values: str) -> Check:
    def check(place: Place, value: Any) -> None:
        if not isinstance(value, str):
            wrong_type(place, value, "a string")
        elif value not in values:
            hint = did_you_mean(value, values)
            place.error("range", f"{value!r:.80} is none of {', '.join(values)}", advice=hint)

    return check


def objects(value: object, place: Place) -> TypeGuard[dict[str, Any]]:
    if not is_object(value):
        wrong_type(place, value, "an object")
        return False
    return True


def lists(place: Place, value: Any) -> Sequence[Any]:
    """The items; nothing when it is no list, or an empty one, which is said."""
    if not is_list(value):
        wrong_type(place, value, "a list")
        return ()
    if not value:
        place.error("range", "this list must not be empty")
    return value


def texts(place: Place, value: Any) -> None:
    for index, item in enumerate(lists(place, value)):
        text(place.at(index), item)


def number(low: float | None = None, high: float | None = None, *, whole: bool = True, above: bool = False) -> Check:
    """A number within bounds, or in JSONata an expression. ``above``: the lower bound is not itself allowed."""

    def check(place: Place, value: Any) -> None:
        if isinstance(value, str) and value.lstrip().startswith("{%"):
            if place.jsonata:
                return evaluated(place, value)
            return wrong_type(place, value, "a number", "An expression may stand here in JSONata.")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            hint = f"Write {value} without quotes." if isinstance(value, str) and value.isdigit() else ""
            return wrong_type(place, value, "a number", hint)
        if whole and (value != value or value in (float("inf"), float("-inf")) or int(value) != value):
            return place.error("type", f"a whole number should stand here, and this is {value}")
        if low is not None and (value < low or (above and value == low)):
            return place.error(
                "range", f"{value} is too small; it must be {'more than' if above else 'at least'} {low}"
            )
        if high is not None and value > high:
            return place.error("range", f"{value} is too large; it must be at most {high}")
        return None

    return check


def path(place: Place, value: Any) -> None:
    """A path that is read, but no call of a function."""
    if not isinstance(value, str):
        return wrong_type(place, value, "a path")
    found = expressions.read_path(value)
    if found.problem is None:
        return place.uses(found.variables)
    if expressions.is_call(value):
        return place.error("path", "calls of intrinsic functions can't stand in this field", advice=INSTEAD)
    hint = f'Did you mean "$.{value}"?' if value and expressions.read_path(f"$.{value}").problem is None else ""
    return place.error("path", f"{value!r:.80} is no path: {found.problem}", advice=hint)


INSTEAD = "A key that ends in .$ may have one as its value, in Parameters or ResultSelector."


def path_or_null(place: Place, value: Any) -> None:
    if value is not None:
        path(place, value)


def path_or_call(place: Place, value: Any) -> None:
    """Where Fail takes its error from."""
    if isinstance(value, str) and expressions.is_call(value):
        return call(place, value)
    return path(place, value)


def result_path(place: Place, value: Any) -> None:
    """Where a result goes: one place of the input."""
    if value is None:
        return None
    if not isinstance(value, str):
        return wrong_type(place, value, "a path or null")
    if expressions.is_reference(value):
        return None
    if expressions.read_path(value).problem is None:
        inside = value.startswith(("$.", "$["))
        why = "it may lead to more than one place" if inside else "it leads to no place of the input"
        return place.error("reference-path", f"a result can't go to {value!r:.80}: {why}")
    return path(place, value)


def call(place: Place, value: str) -> None:
    """A call of an intrinsic function."""
    found = expressions.read_call(value)
    place.uses(found.variables)
    if found.problem is not None:
        place.error("intrinsic", found.problem, blocks=not found.mild)


def expression(place: Place, value: Any) -> None:
    """A JSONata expression and nothing else."""
    if is_expression(value):
        return evaluated(place, value)
    if isinstance(value, str):
        return place.error(
            "delimiters", "an expression should stand here", advice=f'Write "{{% {value.strip():.60} %}}".'
        )
    return wrong_type(place, value, "an expression")
