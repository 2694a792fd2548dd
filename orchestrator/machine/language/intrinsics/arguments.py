"""What intrinsic functions may be given. Each check raises ``Unfit`` with what was expected; the call names itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..kinds import is_array, is_number, is_object
from ..numbers import INTEGERS, json_text, rounded


class Unfit(Exception):
    """The text is the rest of the sentence that begins with the function's name."""


def array(value: Any) -> list[Any]:
    if not is_array(value):
        raise Unfit(f"expected an array, but was given {short(value)}")
    return value


def text(value: Any, limit: int | None = None) -> str:
    if not isinstance(value, str):
        raise Unfit(f"expected a string, but was given {short(value)}")
    if limit is not None and len(value) > limit:
        raise Unfit(f"expected at most {limit:,} characters, but was given {len(value):,}")
    return value


def integer(value: Any) -> int:
    """A number, rounded to the nearest integer of 32 bits."""
    if not is_number(value):
        raise Unfit(f"expected an integer, but was given {short(value)}")
    number = rounded(value) if math.isfinite(value) else 1 << 32
    if number not in INTEGERS:
        raise Unfit(f"expected an integer from {INTEGERS[0]} to {INTEGERS[-1]}, but was given {short(value)}")
    return number


def mapping(value: Any) -> Mapping[str, Any]:
    if not is_object(value):
        raise Unfit(f"expected an object, but was given {short(value)}")
    return value


def short(value: Any) -> str:
    shown = json_text(value)
    return shown if len(shown) <= 100 else shown[:100] + "…"
