"""Intrinsic functions on numbers: sums, random numbers, UUIDs."""

from __future__ import annotations

from typing import Any

from ..chance import Chance, Seeded
from ..numbers import INTEGERS
from .arguments import Unfit, cut, integer


def add(one: Any, other: Any) -> int:
    total = integer(one) + integer(other)
    if total not in INTEGERS:
        raise Unfit
    return total


def draw(chance: Chance, start: Any, end: Any, *seed: Any) -> int:
    """start ≤ n < end. With a seed of its own it is the same number every time."""
    low, high = cut(start), cut(end)
    if low >= high:
        raise Unfit
    if seed:
        source = Seeded(cut(seed[0]))
        return low + (source.below(high - low) if high - low in INTEGERS else int(source.fraction() * (high - low)))
    return low + int(chance.fraction() * (high - low))


def uuid(chance: Chance) -> str:
    return chance.uuid()
