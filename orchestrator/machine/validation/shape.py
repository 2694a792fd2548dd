"""Objects with set fields: which there are, which must be, in which query language each has a meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from .diagnostic import did_you_mean
from .kinds import Check, objects
from .place import Place


class Field(NamedTuple):
    """``language`` is empty for both."""

    check: Check
    language: Literal["", "JSONPath", "JSONata"] = ""


Shape = Mapping[str, Field]


def paths(**checks: Check) -> dict[str, Field]:
    """Fields of JSONPath."""
    return {name: Field(check, "JSONPath") for name, check in checks.items()}


def jsonata(**checks: Check) -> dict[str, Field]:
    """Fields of JSONata."""
    return {name: Field(check, "JSONata") for name, check in checks.items()}


def both(**checks: Check) -> dict[str, Field]:
    """Fields of both."""
    return {name: Field(check) for name, check in checks.items()}


def look(
    place: Place,
    value: Any,
    shape: Shape,
    noun: str,
    *,
    required: Sequence[str] = (),
    elsewhere: Mapping[str, str] | None = None,
) -> dict[str, Any] | None:
    """Check an object; None when it is none. ``elsewhere``: what is known of fields that belong to others."""
    if not objects(value, place):
        return None
    members = value
    missing = [name for name in required if name not in members]
    if missing:
        names = " and ".join(f'"{name}"' for name in missing)
        place.error("required", f"{noun} needs {names}, and {'it is' if len(missing) == 1 else 'they are'} missing")
    for name, item in members.items():
        inner = place.at(name)
        field = shape.get(name)
        if field is None:
            _unknown(inner, name, shape, noun, (elsewhere or {}).get(name, ""))
        elif field.language not in ("", place.language):
            _foreign(inner, name, field.language, place)
        else:
            field.check(inner, item)
    return members


def exclusive(place: Place, members: Mapping[str, Any] | None, *names: str, one: bool = False, noun: str = "") -> None:
    """At most one of these fields; with ``one``, exactly one."""
    there = [name for name in names if name in (members or {})]
    if len(there) > 1:
        place.error("exclusive", f"{noun or 'it'} may have only one of {', '.join(there)}")
    elif one and members is not None and not there:
        place.error("required", f"{noun or 'it'} needs one of {', '.join(names)}")


def _unknown(place: Place, name: str, shape: Shape, noun: str, owner: str) -> None:
    known = [one for one, field in shape.items() if field.language in ("", place.language)]
    hint = did_you_mean(name, known) or (f"It belongs to {owner}." if owner else "")
    place.error("fields", f"{noun} has no field {name!r:.80}", at=place.pointer[:-1], advice=hint)


def _foreign(place: Place, name: str, language: str, around: Place) -> None:
    here = around.language
    instead = _INSTEAD.get(name, "") if here == "JSONata" else _BACK.get(name, "")
    advice = f"In {here} it is {instead}." if instead else ""
    place.error(
        "language", f"{name} belongs to {language}, and this state is one of {here}", at=around.pointer, advice=advice
    )


_INSTEAD = {
    "Parameters": "Arguments",
    "ResultSelector": "Output, from $states.result",
    "ResultPath": "Output, or Assign",
    "OutputPath": "Output",
    "InputPath": "$states.input, in Arguments",
    "ItemsPath": "Items",
    "SecondsPath": "Seconds, with an expression",
    "TimestampPath": "Timestamp, with an expression",
    "TimeoutSecondsPath": "TimeoutSeconds, with an expression",
    "HeartbeatSecondsPath": "HeartbeatSeconds, with an expression",
    "MaxConcurrencyPath": "MaxConcurrency, with an expression",
    "ErrorPath": "Error, with an expression",
    "CausePath": "Cause, with an expression",
    "Variable": "Condition",
    "Result": "Output",
}
_BACK = {
    "Arguments": "Parameters",
    "Output": "ResultSelector, ResultPath and OutputPath",
    "Items": "ItemsPath",
    "Condition": "Variable, with a comparison",
}
