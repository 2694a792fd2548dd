"""Durations, sizes and money as people write them: "250ms", "5m", "3d", "256KB", "0.50".

Numbers are taken as seconds, bytes and currency units. Everything else is a ValueError that shows the form.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import SupportsFloat

Duration = str | int | float | timedelta

LONGEST = 100_000_000_000.0
"""Seconds, about 3000 years, that no duration reaches."""
LATEST = 253_402_128_000_000
"""30 December 9999 in milliseconds since the epoch: no deadline is later. It fits wherever times are kept and shown:
64 bit integers (SQLite), doubles (Redis), a datetime in any time zone."""

_FORMS = '"250ms", "30s", "5m", "1h30m" or "3d"'
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZES = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)", re.ASCII)
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)\s*", re.IGNORECASE | re.ASCII)


def seconds(duration: Duration) -> float:
    """Seconds of "1h30m", "250ms", 90, or a timedelta. Never negative."""
    if isinstance(duration, timedelta):
        value = duration.total_seconds()
    elif isinstance(duration, (int, float)) and duration is not True and duration is not False:
        value = min(duration, LONGEST)  # an integer may be one that no float reaches
    elif not isinstance(duration, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # whatever somebody passes
        raise ValueError(f"a {type(duration).__name__} is not a duration; write it like {_FORMS}, or use a timedelta")
    else:
        value = _read(duration)
    if not 0 <= value < LONGEST:
        raise ValueError(f"a duration must be between 0 and 3000 years, not {briefly(duration)}")
    return float(value)


@lru_cache(maxsize=1024)
def _read(duration: str) -> float:
    """Of a text; kept, because that of a timeout is asked for at each call."""
    value, rest = 0.0, duration
    while match := _PART.match(rest):
        value += float(match[1]) * _UNITS[match[2]]
        rest = rest[match.end() :]
    if rest.strip() or not duration.strip():
        raise ValueError(f"{duration[:80]!r} is not a duration; write it like {_FORMS}")
    return value


def positive(duration: Duration, what: str) -> float:
    """Seconds of a duration that is longer than nothing. Raises ValueError that names ``what``."""
    try:
        found = seconds(duration)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    if not found:
        raise ValueError(f"{what}: must be longer than nothing; write it like {_FORMS}")
    return found


def count(value: object, least: int, what: str) -> int:
    """A whole number of at least ``least``. Raises ValueError that names ``what``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{what} must be a whole number of {least} or more, not {briefly(value)}")
    return value


def briefly(value: object) -> str:
    """What somebody has given, for an error: as it is written, where its own code need not be asked for that."""
    if type(value) is int and value.bit_length() > 256:
        return "an integer beyond all bounds"
    if value is None or type(value) in (bool, str, int, float, complex, bytes, Decimal, timedelta):
        return repr(value)[:80]
    return f"a {type(value).__name__}"


def milliseconds(duration: Duration) -> int:
    """Whole milliseconds of a duration, rounded up so that a timer never fires early."""
    return -int(-seconds(duration) * 1000 // 1)


def asked(wanted: object) -> float | None:
    """Seconds (or another unit) that somebody outside asks for, as a number, a text of one or a timedelta: finite,
    never negative, LONGEST at the most. None when it is no number."""
    if isinstance(wanted, timedelta):
        wanted = wanted.total_seconds()
    if not isinstance(wanted, (str, bytes, SupportsFloat)):
        return None
    try:
        number = float(wanted)
    except ValueError:
        return None
    except OverflowError:  # an integer that no float reaches
        number = LONGEST
    return None if number != number else min(max(number, 0.0), LONGEST)


def deadline(when: float) -> int:
    """A point in time in seconds since the epoch as milliseconds, rounded up; between the epoch and LATEST. What lies
    beyond is as good as never. Raises ValueError for NaN."""
    if when != when:
        raise ValueError("nan is no time; say a number of seconds")
    return math.ceil(min(max(when * 1000 - 1e-3, 0.0), float(LATEST)))


def size(text: str | int) -> int:
    """Bytes of "256KB" (1 KB = 1024 bytes) or of a plain number."""
    if isinstance(text, bool):
        raise ValueError(f'{text} is not a size; write it like "256KB" or "16MB"')
    if isinstance(text, int):
        return text
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} is not a size; write it like "256KB" or "16MB"')
    return int(float(match[1]) * _SIZES[match[2].upper()])


def money(amount: str | int | float | Decimal) -> Decimal:
    """An amount of money in the currency's unit; write it as text to keep it exact."""
    try:
        value = Decimal(str(amount))
    except InvalidOperation:
        raise ValueError(f'{amount!r} is not an amount of money; write it like "0.50"') from None
    if not value.is_finite() or value < 0:
        raise ValueError(f'{amount!r} is not an amount of money; write it like "0.50"')
    return value


def span(ms: int | float) -> str:
    """A duration in milliseconds for people: "12ms", "3.4s", "2m05s", "3h10m", "4d2h"."""
    if ms < 999.5:
        return f"{ms:.0f}ms"
    total = ms / 1000
    if total < 59.95:
        return f"{total:.1f}s"
    minutes, secs = divmod(round(total), 60)
    if minutes < 60:
        return f"{minutes}m{secs:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h{minutes:02d}m"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours}h"
