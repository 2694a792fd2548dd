"""What was given to an operation, in twelve characters: the same whenever the same is given, in every process.

A set has no order that another process would find again, a mapping none that means anything, and an object's address
says nothing: none of them takes part. What has no JSON form (a connection, a function, a context, a secret) is left
out, and so are fields of models and dataclasses that were not set, so that a field may be added under running
executions. Nothing that is given is changed or used up by being looked at.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from hashlib import blake2b
from json import JSONEncoder
from json.encoder import encode_basestring_ascii
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

_SIZE = 6
_SCALARS = (str, int, float, bool, type(None))
_TEXTS = (date, time, timedelta, Decimal, Fraction, UUID, PurePath, complex)
"""What ``str`` shows whole, and always alike. A datetime is a date."""
_BYTES = (bytes, bytearray, memoryview)
_CONTAINERS = (list, dict, set, tuple, str)
_WHOLE = 2**63
_QUICK: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    int: lambda number: str(number) if -_WHOLE < number < _WHOLE else canonical(number),
}


def of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """The fingerprint of a call's arguments; empty when there are none."""
    if kwargs:
        text = _written([args, kwargs]) or _one_by_one(args, kwargs)
    elif not args:
        return ""
    elif len(args) == 1 and (quick := _QUICK.get(type(args[0]))) is not None:  # pyright: ignore[reportUnknownArgumentType]  # any type
        text = f"[{quick(args[0])}]"  # what most calls have, as ``canonical`` would write it
    else:
        text = _written(args) or _one_by_one(args, kwargs)
    return blake2b(text.encode(), digest_size=_SIZE).hexdigest()


def canonical(value: object) -> str:
    """A text in ASCII that is the same for the same value, whatever the order of its sets and mappings."""
    return _written(value) or "null"


def _written(value: object) -> str:
    """Empty when there is no JSON form: it holds itself, or is nested without end."""
    try:
        return _encode(value)
    except TypeError:
        return _encode(_sortable(value))  # keys that can't be compared with each other, or are no JSON keys
    except (ValueError, RecursionError):
        return ""


def _one_by_one(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Arguments of which one has no JSON form: that one is left out."""
    return "|".join([*map(canonical, args), *(f"{name}:{canonical(item)}" for name, item in sorted(kwargs.items()))])


def _stand_in(value: object) -> Any:
    """What stands for something that JSON does not know. None: it is left out."""
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(map(canonical, cast("set[object]", value)))}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, _BYTES):
        return {"bytes": bytes(cast("bytes", value)).hex()}
    if isinstance(value, _TEXTS):
        return {"text": str(value)}
    if isinstance(value, deque):
        return list(cast("deque[object]", value))
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    if isinstance(value, type):
        return None
    if hasattr(type(value), "__pydantic_fields__") and hasattr(type(value), "__pydantic_fields_set__"):
        given: set[str] = cast("Any", value).__pydantic_fields_set__
        return {name: getattr(value, name, None) for name in given}
    if dataclasses.is_dataclass(value):
        return {
            field.name: getattr(value, field.name, None) for field in dataclasses.fields(value) if _set(value, field)
        }
    return None


def _set(value: object, field: dataclasses.Field[Any]) -> bool:
    """Whether a dataclass's field has another value than it would have by itself, as far as that is cheap to say."""
    found: object = getattr(value, field.name, None)
    if field.default is not dataclasses.MISSING:
        return not (isinstance(found, _SCALARS) and type(found) is type(field.default) and found == field.default)
    if field.default_factory is dataclasses.MISSING:
        return True
    return not isinstance(found, _CONTAINERS) or len(cast("list[object]", found)) > 0


def _sortable(value: object) -> Any:
    """The value with mappings as sorted pairs of texts."""
    if isinstance(value, Mapping):
        held = cast("Mapping[object, object]", value)
        return {"pairs": sorted([canonical(key), canonical(item)] for key, item in held.items())}
    if isinstance(value, (list, tuple)):
        return [_sortable(item) for item in cast("list[object]", value)]
    known = value if isinstance(value, _SCALARS) else _stand_in(value)
    return known if isinstance(known, _SCALARS) else canonical(known)


_encode = JSONEncoder(sort_keys=True, separators=(",", ":"), default=_stand_in).encode
