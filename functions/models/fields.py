"""Reading without trust: what a library or a provider gives may be a mapping or an object, and hold anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def part(thing: object, name: str) -> object:
    """The field ``name`` of a mapping or of an object; None when there is none."""
    if isinstance(thing, Mapping):
        return cast("Mapping[str, Any]", thing).get(name)
    return getattr(thing, name, None)
