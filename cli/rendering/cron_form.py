"""A schedule's times as the cron expressions of other programs: robfig's, which a PingSource of Knative is read by.

What is written there is due at every time of the schedule. It may be due more often, where the other program has no
word for the last day of a month or the second Monday; a sweep that comes for nothing does no harm.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from ...orchestrator.schedule.calendar import Cron
from ...orchestrator.schedule.spec import Spec

_LAST = frozenset(range(28, 32))
_LAST_WEEKDAY = frozenset(range(26, 32))
_DAY = 24 * 3600


def cron_of(spec: Spec) -> tuple[str, str] | None:
    """The expression, with a sixth field for seconds before the five only where it is needed, and its zone. None when
    its times are no cron expression's."""
    if spec.cron:
        return _cron(spec), spec.zone
    every = _every(spec.every) if spec.every else None
    return None if every is None else (every, "UTC")


def _cron(spec: Spec) -> str:
    from cronsim import CronSim

    read = CronSim(Cron(spec.cron, spec.zone).expression, datetime(2000, 1, 1))
    days: set[int] = set()
    for day in read.days:
        days |= _LAST if day == CronSim.LAST else _LAST_WEEKDAY if day == CronSim.LAST_WEEKDAY else {day}
    weekdays = {(one[0] if isinstance(one, tuple) else one) % 7 for one in read.weekdays}
    any_day, any_weekday = len(days) == 31, len(weekdays) == 7
    if not read.day_and and (any_day or any_weekday):
        any_day = any_weekday = True  # one of the two is enough, and one always holds; a star would mean "and"
    fields = [
        _field(read.minutes, 60),
        _field(read.hours, 24),
        "*" if any_day else _field(days, 0),
        "*" if len(read.months) == 12 else _field(read.months, 0),
        "*" if any_weekday else _field(weekdays, 0),
    ]
    return " ".join(fields if read.seconds == {0} else [_field(read.seconds, 60), *fields])


def _field(values: Collection[int], size: int) -> str:
    """``size``: how many values there may be, of a field that counts from 0 and may be written by steps."""
    found = sorted(values)
    if size and len(found) == size:
        return "*"
    step = found[1] - found[0] if len(found) > 2 else 0
    if size and step and found == list(range(0, size, step)):
        return f"*/{step}"
    ranges: list[list[int]] = []
    for value in found:
        if ranges and value == ranges[-1][1] + 1:
            ranges[-1][1] = value
        else:
            ranges.append([value, value])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def _every(period: int) -> str | None:
    """A period in milliseconds, counted from the first of January 1970, which was a Thursday."""
    seconds, rest = divmod(period, 1000)
    if rest:
        return None
    if seconds < 60:
        return f"{_step(seconds)} * * * * *" if 60 % seconds == 0 else None
    minutes, rest = divmod(seconds, 60)
    if rest == 0 and minutes < 60:
        return f"{_step(minutes)} * * * *" if 60 % minutes == 0 else None
    hours, rest = divmod(seconds, 3600)
    if rest == 0 and hours < 24:
        return f"0 {_step(hours)} * * *" if 24 % hours == 0 else None
    return {_DAY: "0 0 * * *", 7 * _DAY: "0 0 * * 4"}.get(seconds)


def _step(number: int) -> str:
    return "*" if number == 1 else f"*/{number}"
