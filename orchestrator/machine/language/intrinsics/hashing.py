"""The order in which Java's HashSet gives its members, which AWS lets be seen (``States.ArrayUnique``).

A member stands in the bucket that its hash names, and members of one bucket in the order in which they came.
"""

from __future__ import annotations

import struct
from typing import Any

from ..kinds import is_array, is_object

_MASK = 0xFFFFFFFF


def in_set_order(items: list[Any]) -> list[Any]:
    """Each item once, as a set made of the list gives them. Of two that are equal the first stays."""
    size = 16
    while size < int(len(items) / 0.75) + 1:
        size *= 2
    kept: dict[Any, tuple[int, Any]] = {}
    for one in items:
        code = hash_of(one)
        kept.setdefault(_key(one), ((code ^ (code >> 16)) & (size - 1), one))
    return [one for _, one in sorted(kept.values(), key=lambda found: found[0])]  # sorting is stable


def hash_of(value: Any) -> int:
    """``hashCode`` of what Jackson makes of the value, as an unsigned integer of 32 bits."""
    if value is None:
        return 0
    if isinstance(value, bool):
        return 1231 if value else 1237
    if isinstance(value, str):
        units = value.encode("utf-16-be", "surrogatepass")
        return _rolled((units[at] << 8) + units[at + 1] for at in range(0, len(units), 2))
    if isinstance(value, int):
        return value & _MASK if -(1 << 31) <= value < 1 << 31 else (value ^ (value >> 32)) & _MASK
    if isinstance(value, float):
        bits = int.from_bytes(struct.pack(">d", value))
        return (bits ^ (bits >> 32)) & _MASK
    if is_object(value):
        return sum(hash_of(name) ^ hash_of(part) for name, part in value.items()) & _MASK
    return _rolled(map(hash_of, value), 1)


def _rolled(codes: Any, begin: int = 0) -> int:
    code = begin
    for one in codes:
        code = (31 * code + one) & _MASK
    return code


def _key(value: Any) -> Any:
    """Equal for what is equal as JSON: true is not 1, 1 is not 1.0, the order of names does not matter."""
    if is_object(value):
        return (dict, frozenset((name, _key(part)) for name, part in value.items()))
    if is_array(value):
        return (list, tuple(map(_key, value)))
    return (type(value), value)
