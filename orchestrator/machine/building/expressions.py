"""What stands for a value that is only known while a machine runs, and templates that hold such.

``path("$.amount")`` is JSONPath: a reference path, a path of the context object or a call of an intrinsic function.
``jsonata("$sum($states.input)")`` is JSONata. A function within a template is its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from ....state.errors import InvalidInput
from ...usercode.served import served


@dataclass(frozen=True, slots=True)
class Reference:
    """A path, or a call of an intrinsic function."""

    text: str


class Expression(str):
    """An expression of JSONata, with its delimiters."""

    __slots__ = ()


def path(text: str) -> Reference:
    """``path("$.order.id")``, ``path("$$.Execution.Id")``, ``path("States.UUID()")``."""
    return Reference(text)


def jsonata(code: str) -> Expression:
    """``jsonata("$states.input.amount > 500")``."""
    return Expression(f"{{% {code} %}}")


Note = Callable[[object], object]
"""Is told of each function that is named."""


def named(function: object, note: Note) -> str:
    """The name by which a Task calls a function. Raises InvalidInput for what is none."""
    found = served(function)
    name = getattr(found, "name", None) or getattr(found, "__name__", None)
    if not isinstance(name, str) or not (callable(found) or hasattr(found, "decider") or hasattr(found, "invoke")):
        raise InvalidInput(
            f"{function!r:.80} has no place in a definition; it takes JSON, paths, expressions and functions"
        )
    note(function)
    return name


def template(value: object, note: Note, *, static: bool = False) -> Any:
    """A payload template as JSON. ``static``: nothing in it is evaluated. Raises InvalidInput."""
    if isinstance(value, Reference):
        why = (
            "nothing is evaluated here"
            if static
            else "a path stands as a member of an object; States.Array makes lists"
        )
        raise InvalidInput(f"{value.text!r:.80} can't stand here: {why}")
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for key, item in cast("Mapping[object, object]", value).items():
            if not isinstance(key, str):
                raise InvalidInput(f"{key!r:.80} is no key of an object; keys are text")
            if isinstance(item, Reference) and not static:
                made[f"{key}.$"] = item.text
            else:
                made[key] = template(item, note, static=static)
        return made
    if isinstance(value, Sequence):
        return [template(item, note, static=static) for item in cast("Sequence[object]", value)]
    return named(value, note)


def moment(value: datetime) -> str:
    """As the language writes moments. Raises InvalidInput for one without a zone."""
    if value.tzinfo is None:
        raise InvalidInput(f"{value!r} has no zone; say datetime(…, tzinfo=UTC)")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
