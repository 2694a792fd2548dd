"""The methods of an object as tools."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ...state.errors import InvalidInput


def methods(thing: object) -> list[Callable[..., Any]]:
    """Its methods that are decorated with ``@tool``; if none is, all that have no ``_`` in front. Nothing of the object
    is computed for that: properties are left alone. Raises InvalidInput when there are none."""
    if isinstance(thing, type):
        raise InvalidInput(
            f"{thing.__name__} is a class, and nobody says of which object; give one: {thing.__name__}(…)"
        )
    named: dict[str, Any] = {}
    for kind in reversed(type(thing).__mro__[:-1]):  # in the order in which they are written
        for name, found in vars(kind).items():
            named.pop(name, None) if not callable(found) else named.update({name: found})
    public = {name: found for name, found in named.items() if not name.startswith("_") and inspect.isroutine(found)}
    marked = [name for name, found in public.items() if hasattr(found, "__overwinter__")]
    if not public:
        raise InvalidInput(f"{type(thing).__name__} has no methods that could be tools")
    return [getattr(thing, name) for name in marked or public]
