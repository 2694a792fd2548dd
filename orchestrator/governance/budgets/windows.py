"""Windows of a calendar are keys, not resets: ``2026-11-29T14``, ``2026-11-29``, ``2026-11``, and "" for ever. Of
another time zone than UTC the key names it, so that a changed zone begins a window of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from ....state.errors import InvalidInput

WINDOWS = ("hour", "day", "month", "")
_FORMS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}
_LATE = timedelta(hours=36)
"""After that a window is over in every time zone, whatever clock was asked."""


def check_zone(name: object) -> str:
    """The name of a time zone. Raises InvalidInput."""
    if not isinstance(name, str):
        raise InvalidInput(f"a time zone is a name like 'Europe/Berlin', not {type(name).__name__}")
    _zone(name)
    return name


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"there is no time zone {name[:80]!r}; write one like 'Europe/Berlin', or 'UTC'") from None


def key_of(window: str, zone: str, now: int) -> str:
    """The window in which the moment lies. An hour that comes twice (the clock is put back) is two windows."""
    if window == "":
        return ""
    moment = datetime.fromtimestamp(now / 1000, _zone(zone))
    key = moment.strftime(_FORMS[window])
    if window == "hour" and moment.fold:
        key += "b"
    return key if zone == "UTC" else f"{key} {zone}"


def end_of(window: str, zone: str, now: int) -> int | None:
    """When the window of that moment ends, in ms. None: never."""
    if window == "":
        return None
    local = datetime.fromtimestamp(now / 1000, _zone(zone))
    if window == "hour":
        start = local.astimezone(UTC) - timedelta(
            minutes=local.minute, seconds=local.second, microseconds=local.microsecond
        )
        return _milliseconds(start + timedelta(hours=1))
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if window == "day":
        return _milliseconds(day + timedelta(days=1))
    return _milliseconds((day.replace(day=1) + timedelta(days=32)).replace(day=1))


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def is_over(key: str, now: int) -> bool:
    """Whether the window is over, whatever its time zone, for every process whose clock is less than hours wrong."""
    period = key.split(" ")[0].rstrip("b")
    before = datetime.fromtimestamp(now / 1000, UTC) - _LATE
    return period != "" and period < before.strftime(_FORMS["hour"])[: len(period)]


def month_of(key: str) -> str:
    """The month that a window lies in."""
    return key[:7]
