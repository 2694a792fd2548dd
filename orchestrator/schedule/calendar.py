"""When a schedule is due: at the times of a cron expression in a time zone, every so often, or once. All is in whole
milliseconds since the epoch, and pure: the same question has the same answer, as far as the rules of the zone stay.

Cron is read as Debian's is (by ``cronsim``: names, steps, ``L``, ``LW``, ``MON#2``, a sixth field of seconds before
the five; day of month and day of week are alternatives when neither begins with a star).

When clocks change, one rule holds for all of them. An expression that names hours means the hours of the clock on the
wall: a time that is skipped comes at the moment of the change, once, however many of its times are skipped; one that
comes twice counts the first time. An expression that means every hour means time as it passes: it goes on through the
change, in each hour that there really is.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ...state.errors import InvalidInput
from ...state.quantities import LATEST

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from cronsim import CronSim

_WORDS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_NEAR = 60_000
_STEP = timedelta(days=28)
_SECOND = timedelta(seconds=1)


class Calendar(Protocol):
    """Times in order."""

    def after(self, at: int) -> int | None:
        """The first time later than ``at``; None when there is none."""
        ...


class Once(NamedTuple):
    """One time."""

    at: int

    def after(self, at: int) -> int | None:
        return self.at if at < self.at else None


class Every(NamedTuple):
    """Each multiple of a period since the epoch, so that it does not matter who asks, and since when."""

    period: int

    def after(self, at: int) -> int | None:
        found = (at // self.period + 1) * self.period
        return found if found <= LATEST else None


class Cron:
    """The times of an expression in a zone. Raises InvalidInput for what is none."""

    def __init__(self, expression: str, zone: str) -> None:
        self.expression = _WORDS.get(expression.strip().lower(), expression)
        self.zone = zone_of(zone)
        from cronsim import CronSimError

        if len(self.expression.split()) not in (5, 6):
            raise InvalidInput(
                f"{expression[:80]!r} is no cron expression; it has five fields (minute, hour, day of the month, "
                'month, day of the week), like "0 7 * * MON-FRI", or six with seconds before them'
            )
        try:
            self._by_hours = len(self._from(datetime(2000, 1, 1)).hours) < 24
        except CronSimError as error:
            raise InvalidInput(f"{expression[:80]!r} is no cron expression: {str(error).lower()}") from None

    def after(self, at: int) -> int | None:
        if not 0 <= at <= LATEST:
            return None
        moment = datetime.fromtimestamp(at // 1000, UTC)
        try:
            found = self._by_the_clock(moment) if self._by_hours else self._as_it_passes(moment)
        except (StopIteration, OverflowError):
            return None  # not in fifty years, or not before the end of time
        ms = round(found.timestamp()) * 1000
        return ms if ms <= LATEST else None

    def _from(self, wall: datetime) -> CronSim:
        from cronsim import CronSim

        return CronSim(self.expression, wall)

    def _by_the_clock(self, moment: datetime) -> datetime:
        """The next time on the wall, and when the wall shows it first."""
        times = self._from(moment.astimezone(self.zone).replace(tzinfo=None))
        while (found := shown(next(times), self.zone)) <= moment:
            pass  # the hour comes twice, and this is the second time
        return found

    def _as_it_passes(self, moment: datetime) -> datetime:
        """The next time with the clock as it is set now, or else as it is set from the next change on."""
        start = after = moment
        while True:
            clock = timezone(_offset(start, self.zone))
            wall = next(self._from(after.astimezone(clock).replace(tzinfo=None)))
            found = wall.replace(tzinfo=clock).astimezone(UTC)
            if _offset(found, self.zone) == _offset(start, self.zone):
                return found
            start = _change(start, found, self.zone)
            after = start - _SECOND  # the moment of the change itself may be one


_OF_THE_MACHINE = re.compile(r"(localtime|posixrules|Factory)$|(posix|right)/")
"""Files beside the zones of IANA: they are not everywhere the same, and platforms know none of them."""


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name. Raises InvalidInput that says which one may be meant."""
    from zoneinfo import ZoneInfo, available_timezones

    try:
        if not _OF_THE_MACHINE.match(name):
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    asked = name.lower().replace(" ", "_")
    known = [zone for zone in available_timezones() if not _OF_THE_MACHINE.match(zone)]
    near = sorted(zone for zone in known if zone.lower() == asked or zone.lower().endswith(f"/{asked}"))
    meant = f"; is it {near[0]}?" if near else ', like "Europe/Berlin"; write one of the IANA names'
    raise InvalidInput(f"there is no time zone {name[:80]!r}{meant}")


def shown(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first moment at which clocks in the zone show that time, or where it is skipped, the moment of the change."""
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    return _change(wall.replace(tzinfo=zone, fold=1).astimezone(UTC), moment, zone)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second at which the clocks are set otherwise than ``before``; ``after`` is beyond it."""
    was = _offset(before, zone)
    while before + _STEP < after and _offset(before + _STEP, zone) == was:
        before += _STEP
    after = min(after, before + _STEP)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if _offset(middle, zone) == was:
            before = middle
        else:
            after = middle
    return after


def times(calendar: Calendar, after: int, until: int) -> Iterator[int]:
    """Those later than ``after`` and up to ``until``, in order."""
    at = calendar.after(after)
    while at is not None and at <= until:
        yield at
        at = calendar.after(at)


def latest(calendar: Calendar, after: int, until: int, most: int) -> tuple[list[int], bool]:
    """The last ``most`` of ``times``, and whether there are more. It looks back no further than it must, so that years
    of seconds cost what a minute does."""
    near = _NEAR
    while True:
        start = max(after, until - near)
        found = deque(times(calendar, start, until), most + 1)
        if len(found) > most:
            return [*found][1:], True
        if start == after:
            return [*found], False
        near *= 4
