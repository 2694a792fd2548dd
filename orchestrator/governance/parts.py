"""Tokens in parts that don't overlap: their sum is what a model has read and written, and each part has its own price.

Providers count in ways of their own (cached tokens inside or beside the input, reasoning inside or beside the output);
the adapter that knows the provider takes them apart, and from there on a token stands in one part alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import add, sub
from typing import Any, NamedTuple, cast


class Tokens(NamedTuple):
    """``input`` was read anew, ``cache_read`` out of the provider's cache, ``cache_write`` into it; ``output`` was
    written, ``reasoning`` too, for the model itself. ``audio_…`` and ``image_…`` are neither text nor cached."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    image_in: int = 0
    image_out: int = 0

    @property
    def total(self) -> int:
        return sum(self)

    def plus(self, other: Tokens) -> Tokens:
        return Tokens._make(map(add, self, other))

    def minus(self, other: Tokens) -> Tokens:
        return Tokens._make(map(sub, self, other))

    def record(self) -> dict[str, int]:
        """By part. What is zero is left out, but for input and output."""
        record = {"input": self[0], "output": self[1]}
        if self[2:] != _NOTHING:
            record.update([(part, count) for part, count in zip(_OTHERS, self[2:], strict=True) if count])
        return record


PARTS = Tokens._fields
_OTHERS = PARTS[2:]
_NOTHING = (0,) * len(_OTHERS)
_NONE = Tokens()


def tokens_of(record: object) -> Tokens:
    """The tokens of a record, read without trust. In one of an older release, which has input and output alone,
    these hold all that was read and all that was written."""
    if not isinstance(record, Mapping):
        return _NONE
    counts = cast("Mapping[str, Any]", record)
    if len(counts) == 2 and "input" in counts and "output" in counts:  # as most are
        return Tokens(_count(counts["input"]), _count(counts["output"]))
    return Tokens(*[_count(counts.get(part)) for part in PARTS])


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < 2**53 else 0
