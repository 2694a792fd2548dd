"""What intrinsic functions may be given. Each check raises ``Unfit``; the call names itself.

AWS does not say what was wrong with an argument, only which function was given it, and so does this. ``Unfit`` has a
text where AWS has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..kinds import is_array, is_number, is_object
from ..numbers import INTEGERS, rounded


class Unfit(Exception):
    """``detail`` is what AWS has after the function's ``name``. ``what``: whether it is the arguments or the template
    that is invalid."""

    def __init__(self, detail: str = "", what: str = "arguments") -> None:
        super().__init__(detail)
        self.detail = detail
        self.what = what
        self.name = ""

    @property
    def said(self) -> str:
        return f"Invalid {self.what} in {self.name}{self.detail}"


def array(value: Any) -> list[Any]:
    if not is_array(value):
        raise Unfit
    return value


def text(value: Any, limit: int | None = None) -> str:
    if not isinstance(value, str) or (limit is not None and len(value) > limit):
        raise Unfit
    return value


def integer(value: Any) -> int:
    """A number, rounded to the nearest integer of 32 bits."""
    return _whole(value, rounded)


def cut(value: Any) -> int:
    """A number without its fraction, of 32 bits. Only States.MathAdd rounds, whatever the documentation says."""
    return _whole(value, int)


def _whole(value: Any, make: Callable[[Any], int]) -> int:
    if not is_number(value) or not math.isfinite(value):
        raise Unfit
    number = make(value)
    if number not in INTEGERS:
        raise Unfit
    return number


def mapping(value: Any) -> Mapping[str, Any]:
    if not is_object(value):
        raise Unfit
    return value
