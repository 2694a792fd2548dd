"""Durations, sizes and money as people write them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.state.quantities import count, milliseconds, money, positive, seconds, size, span

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("250ms", 0.25),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        (" 2h ", 7200),
        ("3d", 259200),
        ("2w", 1209600),
        ("1.5s", 1.5),
        ("0s", 0),
        (90, 90),
        (0.25, 0.25),
        (timedelta(minutes=2), 120),
    ],
)
def test_durations(written: Any, expected: float) -> None:
    assert seconds(written) == pytest.approx(expected)


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "5",
        "m",
        "5 minutes",
        "5M",
        "-5s",
        "1h-30m",
        "1e3s",
        "5m!",
        "\u0661s",
        -1,
        float("nan"),
        float("inf"),
        1e11,
        True,
        False,
    ],
)
def test_what_is_no_duration_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds(written)


def test_a_negative_timedelta_is_refused() -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds(timedelta(seconds=-1))


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(sorted(UNITS))), min_size=1, max_size=4))
def test_parts_add_up(parts: list[tuple[int, str]]) -> None:
    written = " ".join(f"{number}{unit}" for number, unit in parts)
    assert seconds(written) == pytest.approx(sum(number * UNITS[unit] for number, unit in parts))


@given(st.floats(0, 1e9))
def test_a_timer_never_fires_early(duration: float) -> None:
    whole = milliseconds(duration)
    assert duration * 1000 <= whole < duration * 1000 + 1 + 1e-3


def test_milliseconds_are_whole() -> None:
    assert milliseconds("250ms") == 250
    assert milliseconds("5m") == 300_000
    assert milliseconds(0) == 0
    assert milliseconds(0.0001) == 1


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("256KB", 262144),
        ("16MB", 16777216),
        ("1GB", 1073741824),
        ("10B", 10),
        ("1.5kb", 1536),
        (" 2 MB ", 2097152),
        (7, 7),
    ],
)
def test_sizes(written: Any, expected: int) -> None:
    assert size(written) == expected


@pytest.mark.parametrize("written", ["", "5", "KB", "5TB", "-1KB", "1 KB 2 KB", "5K", True, False])
def test_what_is_no_size_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="256KB"):
        size(written)


@pytest.mark.parametrize(
    ("written", "expected"), [("0.50", "0.50"), ("12", "12"), (3, "3"), (0.1, "0.1"), (Decimal("1.10"), "1.10")]
)
def test_money_is_exact(written: Any, expected: str) -> None:
    assert str(money(written)) == expected


@given(st.decimals(0, 10**12, allow_nan=False, allow_infinity=False, places=4))
def test_money_keeps_every_digit(amount: Decimal) -> None:
    assert money(str(amount)) == amount


@pytest.mark.parametrize("written", ["", "a lot", "-1", "nan", "inf", "1,50", -0.5, float("nan"), "$5"])
def test_what_is_no_money_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match=r"0\.50"):
        money(written)


@pytest.mark.parametrize(
    ("ms", "expected"),
    [
        (0, "0ms"),
        (12, "12ms"),
        (999, "999ms"),
        (999.6, "1.0s"),
        (3400, "3.4s"),
        (59_949, "59.9s"),
        (59_960, "1m00s"),
        (125_000, "2m05s"),
        (11_400_000, "3h10m"),
        (352_800_000, "4d2h"),
    ],
)
def test_spans_for_people(ms: float, expected: str) -> None:
    assert span(ms) == expected


@pytest.mark.parametrize(
    "wrong", [None, b"1s", Decimal("1"), [1], 10**400, -(10**400), float("nan"), float("inf"), object()]
)
def test_whatever_is_no_duration_is_refused_in_words(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"is not a duration; write it like|between 0 and 3000 years") as error:
        seconds(wrong)
    assert len(str(error.value)) < 200


def test_a_time_that_must_be_longer_than_nothing() -> None:
    assert positive("10ms", "the pause") == 0.01
    for wrong in ("0s", 0, "-1d", None):
        with pytest.raises(ValueError, match=r"^the pause: "):
            positive(wrong, "the pause")  # type: ignore[arg-type]  # this is what is tried


@pytest.mark.parametrize("wrong", [0, -1, 1.5, float("nan"), "3", True, None])
def test_a_count_is_a_whole_number(wrong: Any) -> None:
    assert count(3, 1, "threads") == 3
    with pytest.raises(ValueError, match=r"^threads must be a whole number of 1 or more, not "):
        count(wrong, 1, "threads")
