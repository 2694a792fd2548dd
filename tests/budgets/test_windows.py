"""Windows of a calendar: keys that follow one another without a gap, in every time zone, and what an account is."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.orchestrator.governance.budgets.account import Account, Limit, account_of, bounds_of
from overwinter.orchestrator.governance.budgets.windows import end_of, is_over, key_of
from overwinter.state.errors import InvalidInput

ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia", "America/New_York"]
MOMENTS = st.integers(1_500_000_000_000, 1_900_000_000_000)


def at(text: str, zone: str, fold: int = 0) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)


@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from(["hour", "day", "month"]))
def test_a_window_ends_where_the_next_begins(now: int, zone: str, window: str) -> None:
    end = end_of(window, zone, now)
    assert end is not None and end > now
    assert key_of(window, zone, end - 1) == key_of(window, zone, now) != key_of(window, zone, end)


@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from(["hour", "day", "month"]))
def test_what_is_over_is_over_everywhere(now: int, zone: str, window: str) -> None:
    key, end = key_of(window, zone, now), end_of(window, zone, now)
    assert end is not None
    assert not is_over(key, end + 9 * 3_600_000) and is_over(key, end + 75 * 3_600_000)


def test_keys_are_readable() -> None:
    now = at("2026-11-29T00:30", "Europe/Berlin")
    assert [key_of(window, "Europe/Berlin", now) for window in ("hour", "day", "month", "")] == [
        "2026-11-29T00 Europe/Berlin",
        "2026-11-29 Europe/Berlin",
        "2026-11 Europe/Berlin",
        "",
    ]
    assert key_of("day", "UTC", now) == "2026-11-28" and not is_over("", now) and end_of("", "UTC", now) is None


def test_an_hour_that_comes_twice_is_two_windows_and_its_day_has_25() -> None:
    first, second = (at("2026-10-25T02:30", "Europe/Berlin", fold) for fold in (0, 1))
    assert second - first == 3_600_000
    assert key_of("hour", "Europe/Berlin", first) != key_of("hour", "Europe/Berlin", second)
    assert end_of("day", "Europe/Berlin", first) == at("2026-10-26T00:00", "Europe/Berlin")


@pytest.mark.parametrize(
    "limit",
    [
        Limit("week", {"tokens": 1}),
        Limit("day", {"tokens": 1}, "Mars/Olympus"),
        Limit("day", {"tokens": 1}, "../etc"),
        Limit("day", {"tokens": 1}, warn=0),
        Limit("day", {"tokens": 1}, warn=True),
        Limit("day", {"bananas": 1}),
        Limit("day", {"tokens": -1}),
        Limit("day", {"tokens": 1.5}),
        Limit("day", {"tokens": True}),
        Limit("day", {"cost": "much"}),
        Limit("day", {"cost": "NaN"}),
        Limit("day", {"cost": True}),
        Limit("day", {"cost": [1]}),
    ],
)
def test_what_is_no_limit_is_refused(limit: Limit) -> None:
    with pytest.raises(InvalidInput):
        limit.checked()


@pytest.mark.parametrize("text", ["acme", "firm:acme", "tenant:", "tenant: x", "user:*", "user:a\n", ":x"])
def test_what_is_no_account_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        account_of(text)


def test_an_account_is_named_by_its_kind_and_name() -> None:
    assert str(account_of("user:a:b/c")) == "user:a:b/c" and account_of("user:*", pattern=True).name == "*"
    with pytest.raises(InvalidInput):
        Account("user", "*").checked()
    with pytest.raises(InvalidInput):
        bounds_of([1])
