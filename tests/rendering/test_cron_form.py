"""What a PingSource is told comes at every time of the schedule, as robfig's cron reads it, which Knative has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.cli.rendering.cron_form import cron_of
from overwinter.orchestrator.schedule.spec import made
from overwinter.state.errors import InvalidInput

BOUNDS = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]


def values(field: str, first: int, last: int) -> tuple[set[int], bool]:
    """A field as robfig's cron reads it: its values, and whether it counts as a star. Anything else is refused."""
    found: set[int] = set()
    star = False
    for term in field.split(","):
        span, _, step = term.partition("/")
        start, _, end = span.partition("-")
        if span == "*":
            start, end, star = str(first), str(last), star or step in ("", "1")
        elif step and not end:
            end = str(last)
        low, high, by = int(start), int(end or start), int(step or 1)
        assert first <= low <= high <= last and by > 0, field
        found |= set(range(low, high + 1, by))
    return found, star


def comes(expression: str, wall: datetime) -> bool:
    """Whether it is due at that time on the wall."""
    fields = expression.split()
    read = [values(field, *bound) for field, bound in zip(["0"] * (6 - len(fields)) + fields, BOUNDS, strict=True)]
    at = (wall.second, wall.minute, wall.hour, wall.day, wall.month, wall.isoweekday() % 7)
    held = [number in numbers for number, (numbers, _) in zip(at, read, strict=True)]
    either = held[3] and held[5] if read[3][1] or read[5][1] else held[3] or held[5]
    return held[0] and held[1] and held[2] and held[4] and either


def field(low: int, high: int, *more: str) -> st.SearchStrategy[str]:
    one = st.integers(low, high).map(str)
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda two: f"{min(two)}-{max(two)}")
    step = st.tuples(st.just("*") | span | one, st.integers(1, 20)).map(lambda two: f"{two[0]}/{two[1]}")
    term = st.one_of(one, span, step, *map(st.just, more))
    return st.just("*") | term | st.lists(term, min_size=2, max_size=3).map(",".join)


EXPRESSIONS = st.tuples(
    field(0, 59), field(0, 23), field(1, 28, "L", "LW", "1-31"), field(1, 12, "JAN", "MAR-MAY"),
    field(0, 7, "MON", "MON-FRI", "SUN", "5L", "MON#2", "0-7", "5-7", "7"),
).map(" ".join)  # fmt: skip


@given(EXPRESSIONS, st.booleans(), st.integers(0, 10**9))
def test_it_comes_at_each_time_of_the_schedule(expression: str, seconds: bool, start: int) -> None:
    try:
        spec = made(f"*/20 {expression}" if seconds else expression)
    except InvalidInput:
        return  # it never comes
    found = cron_of(spec)
    assert found is not None and found[1] == "UTC"
    at: int | None = start * 1000
    for _ in range(20):
        assert at is not None
        at = spec.calendar().after(at)
        if at is None:
            return
        assert comes(found[0], datetime.fromtimestamp(at / 1000, UTC)), found


@given(EXPRESSIONS, st.integers(0, 10**6))
def test_it_comes_at_no_other_time_where_the_words_are_there(expression: str, start: int) -> None:
    days, weekdays = expression.split()[2], expression.split()[4]
    if any(word in expression for word in "L#"):
        return
    if any(field.startswith("*") and field != "*" for field in (days, weekdays)):
        return  # a stepped star means "and" in ours, and in the other there is no word for that
    try:
        spec = made(expression)
    except InvalidInput:
        return
    found = cron_of(spec)
    assert found is not None
    wall = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    ms = round(wall.timestamp() * 1000)
    assert comes(found[0], wall) == (spec.calendar().after(ms - 1) == ms), found


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("0 7 * * MON-FRI", "0 7 * * 1-5"),
        ("*/15 * * * *", "*/15 * * * *"),
        ("@hourly", "0 * * * *"),
        ("@yearly", "0 0 1 1 *"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * 5-7", "0 0 * * 0,5-6"),
        ("30 */5 * * * *", "30 */5 * * * *"),
        ("0 9 L * *", "0 9 28-31 * *"),
        ("0 9 LW * *", "0 9 26-31 * *"),
        ("0 9 * * MON#2", "0 9 * * 1"),
        ("0 9 * * 5L", "0 9 * * 5"),
        ("0 9 13 * FRI", "0 9 13 * 5"),
        ("0 9 1-31 * MON", "0 9 * * *"),
        ("0 9 */2 * MON", "0 9 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31 * 1"),
    ],
)
def test_what_is_written(expression: str, wanted: str) -> None:
    assert cron_of(made(expression, zone="Europe/Berlin")) == (wanted, "Europe/Berlin")


@pytest.mark.parametrize(
    ("every", "wanted"),
    [("1s", "* * * * * *"), ("20s", "*/20 * * * * *"), ("15m", "*/15 * * * *"), ("1h", "0 * * * *"),
     ("6h", "0 */6 * * *"), ("1d", "0 0 * * *"), ("7d", "0 0 * * 4"), ("90m", None), ("7m", None), ("1500ms", None),
     ("5h", None), ("2d", None), ("61s", None), ("60s", "* * * * *"), ("24h", "0 0 * * *")],
)  # fmt: skip
def test_periods(every: str, wanted: str | None) -> None:
    """And each that has words comes at its times."""
    spec = made(every=every)
    found = cron_of(spec)
    assert found == (None if wanted is None else (wanted, "UTC"))
    at = 1_790_000_000_123
    for _ in range(50 if wanted else 0):
        at = spec.calendar().after(at) or 0
        assert comes(str(wanted), datetime.fromtimestamp(at / 1000, UTC))


def test_once_is_no_cron_expression() -> None:
    assert cron_of(made(at="2030-12-24T18:00+01:00")) is None
