"""What a JSON value is. (As guards: the type checkers take ``Any`` for what it is found to be.)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard


def is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """What an expression is given may be another mapping than a dict. (Asking for those takes ten times as long.)"""
    return isinstance(value, dict) or isinstance(value, Mapping)  # noqa: SIM101


def is_array(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def is_number(value: Any) -> TypeGuard[int | float]:
    """Booleans are not numbers in JSON, though they are in Python."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def kind_of(value: Any) -> str:
    """The name of a value's type in JSONata."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "number" if is_number(value) else "array" if is_array(value) else "object"
