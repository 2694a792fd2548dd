"""When schedules are due: what people expect when clocks change, and the same as looking at every minute there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import InvalidInput
from overwinter.orchestrator.schedule.calendar import Cron, Every, Once, latest, times, zone_of
from overwinter.state.quantities import LATEST

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"

CHANGES = [
    # the hour that is skipped: once, at the moment of the change, and then as ever
    (BERLIN, "30 2 * * *", "2026-03-28T12:00", ["29T03:00+02:00", "30T02:30+02:00"]),
    (BERLIN, "0 2 * * *", "2026-03-28T12:00", ["29T03:00+02:00", "30T02:00+02:00"]),
    (BERLIN, "*/15 2 * * *", "2026-03-28T12:00", ["29T03:00+02:00", "30T02:00+02:00", "30T02:15+02:00"]),
    (BERLIN, "0 2,3 * * *", "2026-03-28T12:00", ["29T03:00+02:00", "30T02:00+02:00", "30T03:00+02:00"]),
    (BERLIN, "0 30 2 * * *", "2026-03-28T12:00", ["29T03:00+02:00", "30T02:30+02:00"]),
    (NEW_YORK, "30 2 * * *", "2026-03-07T12:00", ["08T03:00-04:00", "09T02:30-04:00"]),
    (LORD_HOWE, "15 2 * * *", "2026-10-03T12:00", ["04T02:30+11:00", "05T02:15+11:00"]),
    (LORD_HOWE, "45 2 * * *", "2026-10-03T12:00", ["04T02:45+11:00", "05T02:45+11:00"]),
    ("America/Havana", "0 0 * * *", "2026-03-07T12:00", ["08T01:00-04:00", "09T00:00-04:00"]),
    # the hour that comes twice: the first time
    (BERLIN, "30 2 * * *", "2026-10-24T12:00", ["25T02:30+02:00", "26T02:30+01:00"]),
    (BERLIN, "*/30 2 * * *", "2026-10-24T12:00", ["25T02:00+02:00", "25T02:30+02:00", "26T02:00+01:00"]),
    (NEW_YORK, "30 1 * * *", "2026-10-31T12:00", ["01T01:30-04:00", "02T01:30-05:00"]),
    (LORD_HOWE, "45 1 * * *", "2026-04-04T12:00", ["05T01:45+11:00", "06T01:45+10:30"]),
    (BERLIN, "0 */2 * * *", "2026-10-24T23:30", ["25T00:00+02:00", "25T02:00+02:00", "25T04:00+01:00"]),
    # every hour: as time passes
    (BERLIN, "0 * * * *", "2026-03-29T00:30", ["29T01:00+01:00", "29T03:00+02:00", "29T04:00+02:00"]),
    (BERLIN, "30 * * * *", "2026-10-25T01:45", ["25T02:30+02:00", "25T02:30+01:00", "25T03:30+01:00"]),
    (LORD_HOWE, "*/20 * * * *", "2026-04-05T01:30", ["05T01:40+11:00", "05T01:40+10:30", "05T02:00+10:30"]),
    (LORD_HOWE, "0 * * * *", "2026-10-04T00:30", ["04T01:00+10:30", "04T03:00+11:00"]),
    # days
    ("UTC", "0 0 L * *", "2026-01-07T12:00", ["31T00:00+00:00", "28T00:00+00:00", "31T00:00+00:00"]),
    ("UTC", "0 0 * * MON#1", "2026-11-07T12:00", ["07T00:00+00:00", "04T00:00+00:00"]),
    (BERLIN, "0 7 * * MON-FRI", "2026-10-23T12:00", ["26T07:00+01:00", "27T07:00+01:00"]),
    ("UTC", "@daily", "2026-01-07T12:00", ["08T00:00+00:00"]),
]


@pytest.mark.parametrize(("zone", "expression", "since", "expected"), CHANGES)
def test_what_people_expect(zone: str, expression: str, since: str, expected: list[str]) -> None:
    cron, at = Cron(expression, zone), ms(datetime.fromisoformat(since).replace(tzinfo=ZoneInfo(zone)))
    found: list[str] = []
    for _ in expected:
        at = cron.after(at) or 0
        found.append(datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).isoformat(timespec="minutes")[8:])
    assert found == expected


def ms(time: datetime) -> int:
    return round(time.timestamp()) * 1000


MINUTES = st.sampled_from(["*", "0", "30", "*/7", "15,45", "59"])
HOURS = st.sampled_from(["*", "0", "1", "2", "3", "2-3", "1,2", "*/2", "0-23"])
ZONES = st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, "Africa/Casablanca", "Antarctica/Troll", "Asia/Kathmandu", "UTC"])
DAYS = st.sampled_from(["* * *", "* * SUN", "1-7 * *", "L * *", "* 3,4,10,11 *"])


@given(MINUTES, HOURS, DAYS, ZONES, st.integers(0, 366 * 24 * 60))
def test_the_same_as_looking_at_every_minute(minutes: str, hours: str, days: str, zone: str, minute: int) -> None:
    """An independent reading of the rule: which minutes of the wall are meant, and when they are shown first, or since
    when they are past."""
    place, start = ZoneInfo(zone), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    end = start + timedelta(days=2)
    every_hour = hours in ("*", "0-23")
    meant: set[datetime] = set()
    walls: set[datetime] = set()
    day = start.astimezone(place).replace(tzinfo=None, hour=0, minute=0) - timedelta(days=1)
    naive = Cron(f"{minutes} {hours} {days}", "UTC")
    for wall_ms in times(naive, ms(day.replace(tzinfo=UTC)) - 1, ms(day.replace(tzinfo=UTC)) + 5 * 86_400_000):
        walls.add(datetime.fromtimestamp(wall_ms / 1000, UTC).replace(tzinfo=None))
    shown: dict[datetime, datetime] = {}
    moment, past = start - timedelta(days=1), (start - timedelta(days=1)).astimezone(place).replace(tzinfo=None)
    while moment <= end:
        wall = moment.astimezone(place).replace(tzinfo=None)
        if every_hour:
            meant |= {moment} & ({moment} if wall in walls else set())
        else:
            passed = [past + timedelta(minutes=n) for n in range(1, int((wall - past).total_seconds() // 60) + 1)]
            for one in passed:
                if one in walls and one not in shown:
                    shown[one] = moment
            past = max(past, wall)
        moment += timedelta(minutes=1)
    meant |= set(shown.values())
    expected = sorted(ms(one) for one in meant if start < one <= end)
    assert list(times(Cron(f"{minutes} {hours} {days}", zone), ms(start), ms(end))) == expected


@given(st.integers(1, 400), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(1, 50))
def test_the_latest_are_the_last_of_all(period: int, after: int, length: int, most: int) -> None:
    calendar = Every(period * 1000)
    every = list(times(calendar, after, after + length))
    assert latest(calendar, after, after + length, most) == (every[-most:], len(every) > most)


def test_years_of_seconds_cost_little() -> None:
    asked: list[int] = []

    class Counted(Every):
        def after(self, at: int) -> int | None:
            asked.append(at)
            return super().after(at)

    found, more = latest(Counted(1000), 0, 1_790_000_000_000, 100)
    assert found[-1] == 1_790_000_000_000 and len(found) == 100 and more
    assert len(asked) < 2000


def test_the_end_of_time() -> None:
    assert Cron("0 0 1 1 *", "UTC").after(LATEST - 1) is None
    assert Every(1000).after(LATEST) is None
    assert Once(5).after(5) is None and Once(5).after(4) == 5
    leap, next_leap = datetime(2096, 3, 1, tzinfo=UTC), datetime(2104, 2, 29, tzinfo=UTC)
    assert Cron("0 0 29 2 *", "UTC").after(ms(leap)) == ms(next_leap)


WRONG = ["", "x", "* * * *", "60 * * * *", "* * * * * * *", "0 0 30 2 *", "0 7 * * FOO", "@often"]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_expression(wrong: str) -> None:
    with pytest.raises(InvalidInput, match="is no cron expression"):
        Cron(wrong, "UTC")


@pytest.mark.parametrize(
    ("zone", "says"),
    [
        ("Berlin", "is it Europe/Berlin"),
        ("europe/berlin", "is it Europe/Berlin"),
        ("Europe", "IANA"),
        ("../x", "IANA"),
        ("localtime", "IANA"),
        ("Factory", "IANA"),
        ("posix/Europe/Berlin", "IANA"),
        ("right/Europe/Berlin", "IANA"),
    ],
)
def test_what_is_no_zone(zone: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        zone_of(zone)
