"""Bounds and times that would hang a process, or mean nothing, are refused where they are said, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from overwinter import Agent, Breaker, Completion, Context, Limits, Retry, Settings, run, tool, workflow
from overwinter.functions.models.scripted import Scripted
from overwinter.orchestrator.usercode.resilience import Policy
from overwinter.state.errors import ExecutionFailed, InvalidInput

NAN: Any = float("nan")
HALF: Any = 1.5
NO_DURATION: Any = b"1s"
NO_COUNT: list[Any] = [-1, 1.5, NAN, "3", True]
NO_TIME: list[Any] = ["-1d", "soon", NAN, -1, 10**400, b"1s"]


@pytest.mark.parametrize("setting", [field.name for field in fields(Settings)])
def test_a_setting_that_means_nothing_is_refused(setting: str) -> None:
    counted = isinstance(getattr(Settings(), setting), int)
    wrong: list[Any] = [*(NO_COUNT if counted else NO_TIME)]
    wrong += [0] if setting in ("threads", "max_active", "lease", "poll", "retention") else []
    for value in wrong:
        with pytest.raises(InvalidInput, match=f"settings: .*{setting if counted else ''}"):
            Settings(**{setting: value})


def test_settings_that_mean_something_are_taken() -> None:
    Settings(max_active=1, cache=0, threads=1, spare_threads=0, deaths=0, grace="0s", watchdog=None, retention="1ms")
    Settings(watchdog="0s")


def test_limits_that_limit_nothing_are_refused() -> None:
    for name in ("iterations", "tokens"):
        for value in [*NO_COUNT, 0]:
            with pytest.raises(InvalidInput, match=name):
                Limits(**{name: value})
    for wrong in (NAN, "NaN", float("inf"), -1):
        with pytest.raises(InvalidInput, match="amount of money"):
            Limits(cost=wrong)
    with pytest.raises(InvalidInput, match="duration"):
        Limits(time=NAN)
    for history in (NAN, HALF, 0):
        with pytest.raises(InvalidInput, match="history"):
            Agent(name="a", model=Scripted([]), instructions="", history=history)


@pytest.mark.parametrize(
    "make",
    [
        *(lambda wrong=wrong: Retry(attempts=wrong) for wrong in (*NO_COUNT, 0)),
        *(lambda wrong=wrong: Retry(first=wrong) for wrong in NO_TIME),
        *(lambda wrong=wrong: Breaker(failures=wrong) for wrong in (*NO_COUNT, 0)),
        *(lambda wrong=wrong: Breaker(reset=wrong) for wrong in NO_TIME),
        *(lambda wrong=wrong: Policy(timeout=wrong) for wrong in (*NO_TIME, 0, "0s")),
        *(lambda wrong=wrong: Completion.at_least(wrong) for wrong in (*NO_COUNT, 0)),
        *(lambda wrong=wrong: Completion.tolerate(count=wrong) for wrong in NO_COUNT),
        lambda: Completion.tolerate(share=NAN),
        lambda: Retry(factor=NAN),
        lambda: tool(timeout=0)(_nothing),
        lambda: Agent(name="a", model=Scripted([]), instructions="", timeout="0s"),
    ],
)
def test_what_a_call_is_bounded_by_is_checked_where_it_is_said(make: Callable[[], object]) -> None:
    with pytest.raises((ValueError, InvalidInput)):
        make()


def _nothing() -> None:
    """Nothing."""


async def none_at_a_time(ctx: Context) -> None:
    await ctx.map(_nothing_with, [1], concurrency=NAN)


async def half_at_a_time(ctx: Context) -> None:
    await ctx.parallel(_nothing, _nothing, concurrency=HALF)


async def no_time(ctx: Context) -> None:
    await ctx.step(_nothing, timeout=0)


async def backwards(ctx: Context) -> None:
    await ctx.until(_nothing, factor=NAN)


async def never(ctx: Context) -> None:
    await ctx.sleep(NO_DURATION)


async def late(ctx: Context) -> None:
    await ctx.wait_for("x", timeout=NO_DURATION)


def _nothing_with(_: int) -> None: ...


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (none_at_a_time, "concurrency must be a whole number of 1 or more, not nan"),
        (half_at_a_time, "concurrency must be a whole number of 1 or more, not 1.5"),
        (no_time, "timeout .*must be longer than nothing"),
        (backwards, "takes how pauses grow"),
        (never, "a bytes is not a duration"),
        (late, "a bytes is not a duration"),
    ],
)
def test_a_workflow_that_asks_for_what_means_nothing_fails_and_says_so(body: Any, said: str) -> None:
    with pytest.raises(ExecutionFailed, match=said):
        run(workflow(body), store="memory://")
