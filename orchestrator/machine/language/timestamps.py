"""Timestamps of the language: the RFC 3339 profile of ISO 8601 with an uppercase ``T`` and ``Z``, compared by time.

Read into whole seconds since 1970 and nanoseconds, so that nothing is lost of nine digits and offsets don't matter.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, NamedTuple

_SHAPE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)
_EPOCH = date(1970, 1, 1).toordinal()


class Timestamp(NamedTuple):
    """Orders as time does. ``seconds`` since 1970 (UTC), ``nanos`` from 0 to 999,999,999."""

    seconds: int
    nanos: int


def parse_timestamp(value: Any) -> Timestamp | None:
    """None for what is no timestamp: other types, other shapes, days that don't exist."""
    found = _SHAPE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction, sign, hours, minutes = found.groups()[6:]
    if hour > 23 or minute > 59 or second > 59 or int(minutes or 0) > 59:
        return None
    offset = int(hours or 0) * 3600 + int(minutes or 0) * 60
    if offset > 18 * 3600:
        return None
    try:
        days = date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None
    seconds = days * 86400 + hour * 3600 + minute * 60 + second
    return Timestamp(seconds - (-offset if sign == "-" else offset), int((fraction or "").ljust(9, "0")))
