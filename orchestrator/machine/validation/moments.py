"""Timestamps as the language takes them: RFC 3339 with an uppercase T, and an uppercase Z or an offset."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from . import kinds
from .evaluated import evaluated
from .place import Place

_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)


def timestamp(place: Place, value: Any) -> None:
    """A moment, or in JSONata an expression."""
    if not isinstance(value, str):
        return kinds.wrong_type(place, value, "a timestamp")
    if place.jsonata and "{%" in value:
        return evaluated(place, value)
    found = _TIMESTAMP.fullmatch(value)
    if found is not None and _exists(found[1]):
        return None
    if value.startswith("$") and not place.jsonata:
        advice = f"{place.pointer[-1]}Path takes it from there."
        return place.error("type", f"{value!r:.80} is a path, and a timestamp should stand here", advice=advice)
    return place.error("type", f"{value!r:.80} is no timestamp", advice="Such is 2026-03-14T01:59:00Z.")


def _exists(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return False
    return True
