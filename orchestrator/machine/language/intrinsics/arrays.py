"""Intrinsic functions that make and take apart arrays and objects."""

from __future__ import annotations

from typing import Any

from ..kinds import is_array, is_object
from .arguments import Unfit, array, integer, mapping

ITEMS = 1000
"""Most items that States.ArrayRange makes."""


def make(*items: Any) -> list[Any]:
    return list(items)


def partition(value: Any, size: Any) -> list[Any]:
    items, count = array(value), integer(size)
    if count <= 0:
        raise Unfit(f"expected chunks of at least one item, but was given {count}")
    return [items[at : at + count] for at in range(0, len(items), count)]


def contains(value: Any, wanted: Any) -> bool:
    return any(same(item, wanted) for item in array(value))


def span(first: Any, last: Any, step: Any) -> list[int]:
    begin, end, by = integer(first), integer(last), integer(step)
    if by == 0:
        raise Unfit("expected a step that is not zero")
    numbers = range(begin, end + (1 if by > 0 else -1), by)
    if len(numbers) > ITEMS:
        raise Unfit(f"expected a range of at most {ITEMS} items, but this one has {len(numbers)}")
    return list(numbers)


def item(value: Any, index: Any) -> Any:
    items, at = array(value), integer(index)
    if not 0 <= at < len(items):
        raise Unfit(f"expected an index within the array of {len(items)} items, but was given {at}")
    return items[at]


def length(value: Any) -> int:
    return len(array(value))


def unique(value: Any) -> list[Any]:
    """Each item once, where it first stands."""
    kept: dict[Any, Any] = {}
    for one in array(value):
        kept.setdefault(_key(one), one)
    return list(kept.values())


def merge(first: Any, second: Any, deep: Any) -> dict[str, Any]:
    """Shallow: of a name that both have, the second's value is taken whole."""
    one, other = mapping(first), mapping(second)
    if deep is not False:
        raise Unfit("supports the shallow merge only: expected false as the third argument")
    return {**one, **other}


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: true is not 1, 1 is not 1.0, the order of names does not matter."""
    return bool(_key(one) == _key(other))


def _key(value: Any) -> Any:
    if is_object(value):
        return (dict, frozenset((name, _key(part)) for name, part in value.items()))
    if is_array(value):
        return (list, tuple(map(_key, value)))
    return (type(value), value)
