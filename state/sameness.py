"""Whether a value came back as what it was: the first place where two values differ, and numbers that are none."""

from __future__ import annotations

import cmath
import dataclasses
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time
from typing import Any, cast

from .errors import InvalidInput

_SEQUENCES = (list, tuple, deque)
_IDENTITY: Any = object.__eq__
_SETS = (set, frozenset)
_FLOAT_BITS = 1023  # an integer of more may be rounded to infinity
_NO_FLOATS = (str, int, bool, bytes, type(None))


def difference(before: Any, after: Any, stored: Callable[[Any], Any] | None, place: str = "") -> str | None:
    """Where ``after`` is not what ``before`` was; None when it is. What has no type of its own (``Any``) comes back
    as ``stored`` makes it; private attributes are no data."""
    if _equal(before, after):
        return None
    if isinstance(before, float) and isinstance(after, float) and math.isnan(before) and math.isnan(after):
        return None
    parts = _parts(before, after)
    if parts is not None:
        for name, mine, theirs in parts:
            found = difference(mine, theirs, stored, at(place, name))
            if found is not None:
                return found
        return None
    kind = cast("Any", type(before))
    if isinstance(after, Iterator) or (kind is type(after) and kind.__eq__ is _IDENTITY):
        return None  # nothing to compare
    try:
        if stored is not None and stored(before) == after:
            return None
    except InvalidInput as error:
        return f"{place or 'it'}: {error}"
    return f"{place or 'it'}: {_short(before)} would come back as {_short(after)}; declare a type that keeps it"


def _equal(before: Any, after: Any) -> bool:
    try:
        return bool(before == after)
    except (TypeError, ValueError):  # compared element by element, as arrays are
        return False


def _parts(before: Any, after: Any) -> list[tuple[str, Any, Any]] | None:
    """Both taken apart alike: names and parts; None when they have no parts in common."""
    if isinstance(before, _SEQUENCES) and isinstance(after, _SEQUENCES):
        mine, theirs = _numbered(before), _numbered(after)
        return [(str(key), mine[key], theirs[key]) for key in mine] if len(mine) == len(theirs) else None
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        mine, theirs = _entries(before), _entries(after)
        return [(str(key), mine[key], theirs[key]) for key in mine] if mine.keys() == theirs.keys() else None
    fields, others = fields_of(before), fields_of(after)
    if fields is None or others is None or not _alike(before, after):
        return None
    return [(name, value, others.get(name)) for name, value in fields.items()]


def _alike(before: Any, after: Any) -> bool:
    return cast("Any", type(before)) is type(after)


def _entries(value: Any) -> dict[Any, Any]:
    return dict(value)


def _numbered(value: Any) -> dict[Any, Any]:
    items: list[Any] = list(value)
    return dict(enumerate(items))


def fields_of(value: Any) -> dict[str, Any] | None:
    """The data of a pydantic model or a dataclass; None for anything else."""
    kind = cast("Any", type(value))
    if hasattr(kind, "__pydantic_fields__") and not dataclasses.is_dataclass(kind):
        extra: dict[str, Any] = getattr(value, "__pydantic_extra__", None) or {}
        return {name: getattr(value, name, None) for name in kind.__pydantic_fields__} | extra
    if dataclasses.is_dataclass(kind):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(kind)}
    return None


def nonfinite(value: Any) -> str:
    """Where a value holds NaN or an infinity; "" when nowhere."""
    found = _nonfinite(value)
    return "" if found is None else found or "it"


def _nonfinite(value: Any) -> str | None:
    """The place inside of the value."""
    if isinstance(value, (float, complex)):
        return None if cmath.isfinite(value) else ""
    items: Any = ()
    if isinstance(value, Mapping):
        items = _entries(value).items()
        if any(isinstance(key, (float, complex)) and not cmath.isfinite(key) for key, _ in items):
            return "a key"
    elif isinstance(value, (*_SEQUENCES, *_SETS)):
        if _sums_up(value):
            return None
        items = _numbered(value).items()
    elif not isinstance(value, _NO_FLOATS):
        items = (fields_of(value) or {}).items()
    for name, item in items:
        if type(item) in _NO_FLOATS:
            continue
        found = _nonfinite(item)
        if found is not None:
            return at(str(name), found) if found else str(name)
    return None


def folded(value: Any) -> str:
    """Where a value holds a time without a zone in the second of two hours that are named alike (``fold``), which no
    text says; "" when nowhere."""
    found = _folded(value)
    return "" if found is None else found or "it"


def _folded(value: Any) -> str | None:
    if isinstance(value, (datetime, time)):
        return "" if value.fold and value.tzinfo is None else None
    items: Any = ()
    if isinstance(value, Mapping):
        items = _entries(value).items()
        if any(_folded(key) is not None for key in _entries(value) if isinstance(key, (datetime, time))):
            return "a key"
    elif isinstance(value, (*_SEQUENCES, *_SETS)):
        items = _numbered(value).items()
    elif type(value) not in _NO_FLOATS:
        items = (fields_of(value) or {}).items()
    for name, item in items:
        found = _folded(item)
        if found is not None:
            return at(str(name), found) if found else str(name)
    return None


def beyond(value: Any) -> str:
    """Where plain JSON holds an integer that no float reaches; "" when nowhere."""
    found = _beyond(value)
    return "" if found is None else found or "it"


def _beyond(value: Any) -> str | None:
    if isinstance(value, int):
        return "" if value.bit_length() > _FLOAT_BITS else None
    items: Any = ()
    if isinstance(value, Mapping):
        items = _entries(value).items()
    elif isinstance(value, list):
        items = _numbered(value).items()
    for name, item in items:
        found = _beyond(item)
        if found is not None:
            return at(str(name), found) if found else str(name)
    return None


def _sums_up(numbers: Any) -> bool:
    """Whether these are numbers with a finite sum: then each of them is finite, and a long list was quickly read."""
    try:
        return cmath.isfinite(sum(numbers))
    except (TypeError, ValueError, ArithmeticError):
        return False


def at(place: str, part: object) -> str:
    """The place of a part of what is at ``place``."""
    return f"{place}.{part}" if place else str(part)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
