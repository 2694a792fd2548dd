"""Intrinsic functions that make and take apart arrays and objects."""

from __future__ import annotations

from typing import Any

from ..numbers import json_text
from .arguments import Unfit, array, cut, mapping
from .hashing import in_set_order

ITEMS = 1000
"""Most items that States.ArrayRange makes."""


def make(*items: Any) -> list[Any]:
    return list(items)


def partition(value: Any, size: Any) -> list[Any]:
    items, count = array(value), cut(size)
    if count <= 0:
        raise Unfit
    return [items[at : at + count] for at in range(0, len(items), count)]


def contains(value: Any, wanted: Any) -> bool:
    """By their texts: 1 is the same as "1", and {"a": 1, "b": 2} is not {"b": 2, "a": 1}."""
    text = _text(wanted)
    return any(_text(item) == text for item in array(value))


def span(first: Any, last: Any, step: Any) -> list[int]:
    begin, end, by = cut(first), cut(last), cut(step)
    if by == 0:
        raise Unfit
    numbers = range(begin, end + (1 if by > 0 else -1), by)
    if len(numbers) > ITEMS:
        raise Unfit
    return list(numbers)


def item(value: Any, index: Any) -> Any:
    """Of an empty array, null."""
    items, at = array(value), cut(index)
    if not items and at >= 0:
        return None
    if not 0 <= at < len(items):
        raise Unfit
    return items[at]


def length(value: Any) -> int:
    return len(array(value))


def unique(value: Any) -> list[Any]:
    """Each item once. They come in the order of Java's HashSet, as on AWS: small integers and single letters by their
    size, true after false, the rest as it happens."""
    return in_set_order(array(value))


def merge(first: Any, second: Any, deep: Any) -> dict[str, Any]:
    """Shallow: of a name that both have, the second's value is taken whole."""
    one, other = mapping(first), mapping(second)
    if deep is True:
        raise Unfit
    return {**one, **other}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)
