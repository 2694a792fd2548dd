"""Plain JSON values, told apart so that type checkers know what is inside."""

from __future__ import annotations

from typing import Any, TypeGuard


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def members_of(value: object) -> dict[str, Any]:
    """The members of an object; none of anything else."""
    return value if is_object(value) else {}


def items_of(value: object) -> list[Any]:
    """The items of a list; none of anything else."""
    return value if is_list(value) else []
