"""A schedule's times as EventBridge Scheduler writes them: ``cron(minutes hours day month weekday year)``, ``at(…)``.

Its fields differ from those of cron: one of day and weekday is ``?``, weekdays count from Sunday, 1, and there are no
seconds. What cron says with both days, either of which is enough, becomes two expressions. All that is written is due
at every time of the schedule; where AWS has no word for it, more often: a sweep that comes for nothing does no harm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from ...orchestrator.schedule.calendar import Cron, zone_of
from ...orchestrator.schedule.spec import Spec

if TYPE_CHECKING:
    from cronsim import CronSim

_DAY = 1440
_WEEK = 7 * _DAY
MOST = 8
"""Expressions that one schedule is written by."""
_LAST = frozenset(range(28, 32))
_LAST_WEEKDAY = frozenset(range(26, 32))


def expressions(spec: Spec) -> tuple[list[str], str]:
    """What AWS is told, and in which zone; none when it can't be told."""
    if spec.cron:
        return _cron(spec)
    if spec.every:
        return _every(spec.every), "UTC"
    minute = -(-spec.at // 60_000)  # it is looked at once in a minute: never too early
    return [f"at({datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%dT%H:%M:%S})"], "UTC"


def _cron(spec: Spec) -> tuple[list[str], str]:
    from cronsim import CronSim

    read = CronSim(Cron(spec.cron, spec.zone).expression, datetime(2000, 1, 1))
    if read.seconds not in ({0}, [0]):
        return [], spec.zone
    zone = spec.zone
    if len(read.hours) == 24 and _is_whole(read, zone):
        zone = "UTC"  # there, no hour is passed over or left out when clocks change
    front = f"{_field(read.minutes, 60)} {_field(read.hours, 24)}"
    months = _field({month - 1 for month in read.months}, 12, 1)
    days = None if len(read.days) == 31 else _days(read)
    weekdays = None if len(_weekday_numbers(read)) == 7 else _weekdays(read)
    if days is None and weekdays is None:
        found = [("*", "?")]
    elif read.day_and:  # AWS has no "and" of the two: one of them, and more often
        found = [("?", weekdays)] if weekdays is not None else [(str(days), "?")]
    elif days is None or weekdays is None:  # either of them is enough, and one always holds
        found = [("*", "?")]
    else:
        found = [(days, "?"), ("?", weekdays)]
    return [f"cron({front} {day} {months} {weekday} *)" for day, weekday in found], zone


def _is_whole(read: CronSim, zone: str) -> bool:
    """Whether every hour of every day is meant, in a zone whose clocks differ from UTC's by whole hours."""
    if len(read.days) < 31 or len(read.months) < 12 or len(_weekday_numbers(read)) < 7:
        return False
    place = zone_of(zone)
    moments = (datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 13))
    return all((at.astimezone(place).utcoffset() or at - at).total_seconds() % 3600 == 0 for at in moments)


def _days(read: CronSim) -> str:
    days = cast("Collection[int]", read.days)
    if set(days) == {read.LAST}:
        return "L"
    found: set[int] = set()
    for day in days:
        found |= _LAST if day == read.LAST else _LAST_WEEKDAY if day == read.LAST_WEEKDAY else {day}
    return _ranges(found)


def _weekdays(read: CronSim) -> str:
    only: Any = next(iter(read.weekdays))
    if len(read.weekdays) == 1 and isinstance(only, tuple):
        day, number = cast("tuple[int, int]", only)
        return f"{day % 7 + 1}L" if number == read.LAST else f"{day % 7 + 1}#{number}"
    return _ranges({number + 1 for number in _weekday_numbers(read)})


def _weekday_numbers(read: CronSim) -> set[int]:
    """From Sunday, 0; of one that is meant once in a month, each."""
    given = cast("Iterable[Any]", read.weekdays)
    return {(cast("tuple[int, int]", one)[0] if isinstance(one, tuple) else int(one)) % 7 for one in given}


def _field(values: Collection[int], size: int, first: int = 0) -> str:
    """Some of ``size`` values from 0, written as counted from ``first``."""
    found = sorted(values)
    if len(found) == size:
        return "*"
    step = found[1] - found[0] if len(found) > 2 else 0
    if step > 1 and found == list(range(found[0], size, step)):
        return f"{found[0] + first}/{step}"
    return _ranges({value + first for value in found})


def _ranges(values: Collection[int]) -> str:
    ranges: list[list[int]] = []
    for value in sorted(values):
        if ranges and value == ranges[-1][1] + 1:
            ranges[-1][1] = value
        else:
            ranges.append([value, value])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def _every(period: int) -> list[str]:
    """A period in milliseconds, counted from the first of January 1970, which was a Thursday. AWS's own ``rate`` counts
    from when it is made."""
    minutes, rest = divmod(period, 60_000)
    if rest or minutes < 1:
        return []
    if minutes == _WEEK:
        return ["cron(0 0 ? * 5 *)"]
    if _DAY % minutes:
        return []
    hours: dict[frozenset[int], set[int]] = {}  # which hours have the same minutes
    by_hour: dict[int, set[int]] = {}
    for minute in range(0, _DAY, minutes):
        by_hour.setdefault(minute // 60, set()).add(minute % 60)
    for hour, found in by_hour.items():
        hours.setdefault(frozenset(found), set()).add(hour)
    if len(hours) > MOST:
        return []
    return [f"cron({_field(found, 60)} {_field(same, 24)} * * ? *)" for found, same in hours.items()]
