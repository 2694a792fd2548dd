"""Schedules as EventBridge Scheduler writes them: due at every time of the schedule, and where AWS has the words for
it at no other. Its expressions are read here as its documentation says that it reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from overwinter import InvalidInput
from overwinter.cli.rendering.aws_cron import MOST, expressions
from overwinter.orchestrator.schedule.calendar import times
from overwinter.orchestrator.schedule.spec import Spec, made

START = datetime(2026, 5, 1, tzinfo=UTC)
MINUTE = 60_000


def field(text: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = least, most
        else:
            first, last = (int(one) for one in span.split("-")) if "-" in span else (int(span), int(span))
        assert least <= first <= last <= most, text
        found |= set(range(first, most + 1 if step and "-" not in span else last + 1, int(step or 1)))
    return found


def is_due(expression: str, at: datetime) -> bool:
    """Whether AWS invokes at that minute of the zone's clock."""
    inner = re.fullmatch(r"cron\((.*)\)", expression)
    assert inner is not None
    minute, hour, day, month, weekday, year = inner[1].split()
    assert (day == "?") != (weekday == "?"), "exactly one of the two says nothing"
    assert year == "*"
    if not (at.minute in field(minute, 0, 59) and at.hour in field(hour, 0, 23) and at.month in field(month, 1, 12)):
        return False
    last = (at.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    if weekday == "?":
        return at.day == last.day if day == "L" else at.day in field(day, 1, 31)
    number = at.isoweekday() % 7 + 1  # from Sunday, 1
    if weekday.endswith("L"):
        return number == int(weekday[:-1]) and at.day + 7 > last.day
    if "#" in weekday:
        which, nth = weekday.split("#")
        return number == int(which) and (at.day - 1) // 7 + 1 == int(nth)
    return number in field(weekday, 1, 7)


def due(spec: Spec, days: int, start: datetime = START) -> Iterator[int]:
    """The minutes at which AWS would invoke, of those days."""
    found, zone = expressions(spec)
    assert 0 < len(found) <= MOST
    place = ZoneInfo(zone)
    for number in range(days * 1440):
        at = start + timedelta(minutes=number)
        if any(is_due(expression, at.astimezone(place)) for expression in found):
            yield int(at.timestamp() * 1000)


def ours(spec: Spec, days: int, start: datetime = START) -> list[int]:
    first = int(start.timestamp() * 1000)
    return list(times(spec.calendar(), first - 1, first + days * 86_400_000 - 1))


@pytest.mark.parametrize(
    ("cron", "wanted"),
    [
        ("0 7 * * MON-FRI", ["cron(0 7 ? * 2-6 *)"]),
        ("0 7 * * 0", ["cron(0 7 ? * 1 *)"]),
        ("0 7 * * 7", ["cron(0 7 ? * 1 *)"]),
        ("0 7 * * 5-7", ["cron(0 7 ? * 1,6-7 *)"]),
        ("*/15 9-17 * * *", ["cron(0/15 9-17 * * ? *)"]),
        ("5-59/10 * 1,15 */3 *", ["cron(5/10 * 1,15 1/3 ? *)"]),
        ("@daily", ["cron(0 0 * * ? *)"]),
        ("@weekly", ["cron(0 0 ? * 1 *)"]),
        ("@yearly", ["cron(0 0 1 1 ? *)"]),
        ("0 0 L * *", ["cron(0 0 L * ? *)"]),
        ("0 0 * * MON#2", ["cron(0 0 ? * 2#2 *)"]),
        ("0 0 * * 5L", ["cron(0 0 ? * 6L *)"]),
        ("0 0 1 * MON", ["cron(0 0 1 * ? *)", "cron(0 0 ? * 2 *)"]),
        ("0 0 * * * *", ["cron(0 * * * ? *)"]),
    ],
)
def test_an_expression_says_the_same_in_other_words(cron: str, wanted: list[str]) -> None:
    spec = made(cron)
    assert expressions(spec) == (wanted, "UTC")
    assert list(due(spec, 40)) == ours(spec, 40)


@pytest.mark.parametrize("cron", ["0 0 LW * *", "0 0 1,L * *", "0 0 * * MON#2,5L", "0 0 */2 * MON", "0 0 1 * 0-7"])
def test_what_aws_has_no_word_for_is_due_more_often(cron: str) -> None:
    spec = made(cron)
    assert set(ours(spec, 60)) <= set(due(spec, 60))


@pytest.mark.parametrize("every", ["1m", "5m", "15m", "45m", "1h", "90m", "6h", "1d", "7d", "32m", "1440s"])
def test_a_period_is_counted_from_the_same_moment(every: str) -> None:
    spec = made(every=every)
    assert list(due(spec, 8)) == ours(spec, 8)


@pytest.mark.parametrize(
    "spec",
    [
        made("30 0 7 * * *"),
        *(made(every=every) for every in ("1s", "30s", "7m", "2d", "25h", "100m")),
    ],
    ids=lambda spec: spec.said(),
)
def test_what_can_not_be_said_is_left_to_the_sweep(spec: Spec) -> None:
    assert expressions(spec)[0] == []


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-12-24T18:00+01:00", "at(2026-12-24T17:00:00)"),
        ("2026-12-24T18:00:00.001Z", "at(2026-12-24T18:01:00)"),
        ("2026-12-31T23:59:30Z", "at(2027-01-01T00:00:00)"),
    ],
)
def test_a_moment_is_never_too_early(at: str, said: str) -> None:
    assert expressions(made(at=at)) == ([said], "UTC")


def test_hours_are_those_of_the_zone_and_every_hour_is_that_of_the_world() -> None:
    spec = made("0 7 * * *", zone="Europe/Berlin")
    assert expressions(spec) == (["cron(0 7 * * ? *)"], "Europe/Berlin")
    assert list(due(spec, 40)) == ours(spec, 40)
    change = datetime(2026, 10, 24, tzinfo=UTC)
    for zone, told in (("Europe/Berlin", "UTC"), ("Asia/Kolkata", "Asia/Kolkata"), ("Australia/Lord_Howe", None)):
        spec = made("*/20 * * * *", zone=zone)
        assert expressions(spec)[1] == (told or zone)
        if told is not None:
            assert list(due(spec, 3, change)) == ours(spec, 3, change)


def numbers(least: int, most: int) -> st.SearchStrategy[str]:
    one = st.integers(least, most)
    span = st.tuples(one, one).map(lambda pair: f"{min(pair)}-{max(pair)}")
    stepped = st.tuples(span, st.integers(1, most)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    many = st.lists(one, min_size=1, max_size=3).map(lambda found: ",".join(map(str, found)))
    return st.one_of(st.just("*"), st.integers(1, most).map(lambda step: f"*/{step}"), span, stepped, many)


CRONS = st.tuples(
    numbers(0, 59),
    numbers(0, 23),
    numbers(1, 28) | st.sampled_from(["L", "LW", "L,3", "31"]),
    numbers(1, 12),
    numbers(0, 7) | st.sampled_from(["1#2", "5L", "MON-FRI", "0L,3", "7"]),
).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(CRONS, st.sampled_from(["UTC", "Asia/Kolkata", "Asia/Tokyo", "America/Phoenix"]))
def test_no_time_of_an_expression_is_missed(cron: str, zone: str) -> None:
    try:
        spec = made(cron, zone=zone)
    except InvalidInput:
        assume(False)
        return
    found, told = expressions(spec)
    place, at = ZoneInfo(told), int(START.timestamp() * 1000)
    for _ in range(40):
        following = spec.calendar().after(at)
        if following is None:
            break
        at = following
        moment = datetime.fromtimestamp(at / 1000, place)
        assert any(is_due(expression, moment) for expression in found), (found, moment)
