"""Moments for people, in the local time zone of whoever reads. All arguments are milliseconds."""

from __future__ import annotations

import time
from datetime import datetime

from ...state.quantities import span

DAY = 24 * 3600 * 1000


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def clock(at: int, today: int | None = None) -> str:
    """ "14:03:22" today, "21 Nov 14:03" this year, "2025-11-21 14:03" before."""
    try:
        moment = datetime.fromtimestamp(at / 1000).astimezone()
        reference = datetime.fromtimestamp((now() if today is None else today) / 1000).astimezone()
    except (OverflowError, OSError, ValueError):
        return f"{at}ms"
    if moment.date() == reference.date():
        return f"{moment:%H:%M:%S}"
    if moment.year == reference.year:
        return f"{moment.day} {moment:%b %H:%M}"
    return f"{moment:%Y-%m-%d %H:%M}"


def ago(at: int, today: int) -> str:
    """ "now", "12s ago", "3h10m ago", "in 2d4h": coarse, for tables."""
    distance = today - at
    if abs(distance) < 1000:
        return "now"
    text = coarse(abs(distance))
    return f"{text} ago" if distance > 0 else f"in {text}"


def coarse(ms: int) -> str:
    """A duration without fractions: "12s", "4m", "3h10m"."""
    if ms < 60_000:
        return f"{ms // 1000}s"
    if ms < 3_600_000:
        return f"{ms // 60_000}m"
    return span(ms)


def offset(ms: int) -> str:
    """A distance from the beginning: "+0ms", "+3.4s", "+2m05s"."""
    return f"+{span(ms)}" if ms >= 0 else f"-{span(-ms)}"
