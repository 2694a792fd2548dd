"""JSON and numbers as Java writes them, where people see them: in ``States.Format``, ``States.JsonToString``, causes.

A number with a fraction or an exponent is a double there (1.0 stays 1.0, 1e10 becomes 1.0E10); any other is an
integer of whatever size. Objects and arrays within a formatted text look like Java's maps and lists: ``{a=1, b=[2]}``.
"""

from __future__ import annotations

import math
import re
from json.encoder import encode_basestring
from typing import Any

from .failure import bounded
from .kinds import is_array, is_object

INTEGERS = range(-(1 << 31), 1 << 31)  # what intrinsic functions take for a number
LONGS = range(-(1 << 63), 1 << 63)

_ESCAPE = re.compile(r"\\u00[01][0-9a-f]")


def number_text(value: int | float) -> str:
    """The digits of ``Long.toString`` or ``Double.toString``."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if not value:
        return repr(value)  # 0.0 and -0.0
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)  # where the point stands, counted from the first digit
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0") or "0"
    if 1e-3 <= abs(value) < 1e7:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        return f"{sign}{digits[:point].ljust(point, '0')}.{digits[point:] or '0'}"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{point - 1}"


@bounded
def json_text(value: Any) -> str:
    """Compact JSON, letters beyond ASCII as they are."""
    return _json(value)


def _json(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return _word(value)
    if isinstance(value, int | float):
        return number_text(value)
    if is_object(value):
        return "{" + ",".join(f"{_quoted(str(name))}:{_json(part)}" for name, part in value.items()) + "}"
    return "[" + ",".join(map(_json, value)) + "]"


def _quoted(text: str) -> str:
    quoted = encode_basestring(text)
    return _ESCAPE.sub(lambda found: "\\u" + found[0][2:].upper(), quoted) if "\\u" in quoted else quoted


def _word(value: bool | None) -> str:
    return "null" if value is None else "true" if value else "false"


@bounded
def format_text(value: Any) -> str:
    """A value within a text: strings as they are, the rest as Java's ``toString``."""
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if is_array(value):
        return "[" + ", ".join(map(_text, value)) + "]"
    if is_object(value):
        return "{" + ", ".join(f"{name}={_text(part)}" for name, part in value.items()) + "}"
    return _json(value)


def rounded(value: int | float) -> int:
    """The nearest integer, halves upwards, as ``Math.round`` does it. Raises OverflowError, ValueError for what is
    none."""
    if isinstance(value, int):
        return value
    if abs(value) >= 1 << 52:
        return int(value)  # has no fraction, and adding a half would change it
    return math.floor(value + 0.5)


@bounded
def settled(value: Any) -> Any:
    """A value as it comes through JSONata: a number without a fraction is an integer, an integer beyond 64 bits a
    double. What needs no change is not copied."""
    return _settled(value)


def _settled(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    if isinstance(value, int):
        return value if value in LONGS else float(value)
    if is_object(value):
        parts = {name: _settled(part) for name, part in value.items()}
        return parts if any(parts[name] is not part for name, part in value.items()) else value
    if is_array(value):
        items = [_settled(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value
