"""The functions that Step Functions adds to JSONata: ``$parse``, ``$partition``, ``$range``, ``$hash``, ``$random``,
``$uuid``. Arguments that are no integers are cut towards zero; several odd ones give nothing rather than an error.

Each is registered with the engine under a signature of JSONata, which sees to the types and the number of arguments.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from .chance import Chance, Seeded
from .intrinsics.texts import ALGORITHMS, finite
from .numbers import settled

PARSE = "parse__"
"""What stands behind ``$parse``: gives an object with the value in it, or nothing."""
RANGE = 360_145
"""Most items of ``$range``, as measured on AWS."""


class Refused(Exception):
    """A function can't do what it is asked. ``code``: an error code of JSONata."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _parse(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        return {"value": settled(json.loads(text, object_pairs_hook=_object, parse_constant=_no, parse_float=finite))}
    except (ValueError, RecursionError):
        raise Refused("D3137", "Invalid JSON") from None


def _no(name: str) -> float:
    raise ValueError(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(made := dict(pairs)) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def _partition(items: list[Any] | None, size: float | None = None) -> list[Any] | None:
    if items is None:
        return None
    count = len(items) if size is None else int(size)
    if count < 0:
        raise Refused("D3137", "Second argument must be zero or greater")
    if not items or count == 0:
        return None
    return [items[at : at + count] for at in range(0, len(items), count)]


def _range(first: float | None, last: float | None, step: float | None = None) -> Any:
    if first is None or last is None or step is None or int(step) == 0:
        return None
    by = int(step)
    numbers = range(int(first), int(last) + (1 if by > 0 else -1), by)
    if (count := _count(numbers)) > RANGE:
        raise Refused("U1001", "the range is too long")
    return None if count == 0 else numbers[0] if count == 1 else list(numbers)


def _count(numbers: range) -> int:
    """Python's own ``len`` ends at 2⁶³."""
    return max(0, (numbers.stop - numbers.start + numbers.step - (1 if numbers.step > 0 else -1)) // numbers.step)


def _hash(text: str | None, algorithm: str | None = None) -> str | None:
    if text is None or algorithm is None:
        return None
    if algorithm not in ALGORITHMS:
        raise Refused("D3137", f"Unsupported hash algorithm: {algorithm}")
    return hashlib.new(ALGORITHMS[algorithm], text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


Signed = tuple[Callable[..., Any], str]

FIXED: Mapping[str, Signed] = MappingProxyType(
    {
        PARSE: (_parse, "<s:o>"),
        "partition": (_partition, "<an?:a>"),
        "range": (_range, "<nnn?:a>"),
        "hash": (_hash, "<ss?:s>"),
    }
)
"""By name: the function and its signature."""

BY_CHANCE = frozenset({"random", "uuid"})


def chance_functions(chance: Chance) -> dict[str, Signed]:
    """Those that draw, for one evaluation."""

    def draw(seed: float | None = None) -> float:
        return chance.fraction() if seed is None or not math.isfinite(seed) else Seeded(int(seed)).fraction()

    def uuid() -> str:
        return chance.uuid()

    return {"random": (draw, "<n?:n>"), "uuid": (uuid, "<:s>")}
