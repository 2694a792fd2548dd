"""What nobody knows counts as used: calls of processes that died, attempts that were cut short, calls that a turn's end
leaves open. And only that: a death before a call is made costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import pytest

from overwinter import Agent, Limits, Retry, tool
from overwinter.functions.models.port import Request, ToolCall
from overwinter.functions.models.prices import Prices
from overwinter.state.errors import RateLimited
from overwinter.testing import World, crash_everywhere

from .metering import Making, Meter, Metered, Scenario, answers, everywhere, played

LOOK = [ToolCall("", "look", '{"what": "it"}')]


@tool
async def look(what: str) -> str:
    """Looks."""
    return f"it is {what} " * 8


def looking(request: Request) -> Any:
    return [ToolCall("", "look", f'{{"what": "{answers(request)}"}}')] if answers(request) < 5 else "that is all"


def alone(says: Callable[[Request], Any], **given: Any) -> Making:
    """One agent; the scenario gives how it has ended."""

    def make(meter: Meter) -> tuple[Scenario, Iterable[object]]:
        agent = Agent("desk", Metered(meter, says), tools=[look], **given)

        async def scenario(world: World) -> str:
            await world.start(agent, "go", id="r")
            return await world.reached("r", "completed", "failed")

        return scenario, [agent]

    return make


@pytest.mark.parametrize("tokens", [150, 500, 900, 1_400, 30_000])
def test_wherever_processes_die_no_more_is_billed_than_there_is(tokens: int) -> None:
    for number, seen in enumerate(everywhere(alone(looking, limits=Limits(tokens=tokens)), twice=True)):
        assert seen.error is None, number
        assert seen.meter.tokens <= seen.used("r").tokens <= tokens, number


def test_the_same_holds_for_money_where_prices_are_given() -> None:
    prices = Prices(input=1, output=4)
    for number, seen in enumerate(everywhere(alone(looking, limits=Limits(cost="0.002"), prices=prices), twice=True)):
        assert seen.error is None, number
        assert seen.meter.cost <= seen.used("r").cost <= Decimal("0.002"), number


def test_a_call_of_a_process_that_died_counts_before_it_is_made_again() -> None:
    lost = [seen for seen in everywhere(alone(looking, limits=Limits(tokens=30_000))) if seen.entries("r", "lost")]
    assert lost
    for seen in lost:
        (entry,) = seen.entries("r", "lost")
        kinds = [one["type"] for one in seen.journals["r"]]
        assert "model" in kinds[kinds.index("lost") :] and entry["tokens"] > 4_096
        assert seen.value == "completed"


def test_with_enough_for_that_a_death_changes_nothing() -> None:
    agent = Agent("desk", Metered(Meter(), looking), tools=[look], limits=Limits(tokens=60_000))
    assert crash_everywhere(agent, "go").outcome.value == "that is all"


def test_processes_that_die_again_and_again_before_they_write_cost_one_call() -> None:
    calm = played(alone(looking, limits=Limits(tokens=30_000)))
    for first in range(1, calm.moments):
        seen = played(alone(looking, limits=Limits(tokens=30_000)), first, 1, 1)
        assert len(seen.entries("r", "lost")) <= 1, first


def test_nothing_is_lost_where_the_call_was_never_made() -> None:
    """It did not fit."""
    for number, seen in enumerate(everywhere(alone(looking, limits=Limits(tokens=40)))):
        assert not seen.entries("r", "lost") and not seen.meter.bills and seen.used("r").tokens == 0, number


@pytest.mark.parametrize("first", ["200ms", "10s"])
@pytest.mark.parametrize("tokens", [600, 5_000, 13_000])
def test_each_attempt_that_breaks_off_has_a_hold_of_its_own(tokens: int, first: str) -> None:
    """Each may have been billed for all that was held, and is recorded before the next one is made."""
    made = 0

    def breaks(request: Request) -> Any:
        nonlocal made
        made += 1
        return ConnectionError("it is gone") if made % 4 else "here it is"

    make = alone(breaks, limits=Limits(tokens=tokens), retry=Retry(first=first))
    for number, seen in enumerate(everywhere(make)):
        made = 0
        assert seen.error is None, number
        assert seen.meter.tokens <= seen.used("r").tokens <= tokens, number
        cut = len(seen.meter.bills) - len(seen.entries("r", "model")) * (seen.value == "completed")
        assert seen.used("r").tokens >= min(cut, 1) * 500


def test_an_attempt_that_takes_too_long_counts_as_it_was_held() -> None:
    """And the run that can't afford another one ends, and waits for nothing."""

    def make(meter: Meter) -> tuple[Scenario, Iterable[object]]:
        slow = Metered(meter, lambda request: "x" * 4_000, delay=90)
        agent = Agent("desk", slow, limits=Limits(tokens=1_500), timeout="1m")

        async def scenario(world: World) -> str:
            await world.start(agent, "go", id="r")
            return await world.reached("r", "completed", "failed")

        return scenario, [agent]

    seen = played(make)
    assert (seen.value, len(seen.meter.bills), seen.used("r").tokens) == ("failed", 1, 1_500)
    (error,) = (entry["error"] for entry in seen.entries("r", "failed"))
    assert error["data"]["limit"] == "tokens"


def test_an_attempt_that_is_known_not_to_be_billed_costs_nothing() -> None:
    made = 0

    def busy(request: Request) -> Any:
        nonlocal made
        made += 1
        return RateLimited("come back later") if made < 3 else "now"

    seen = played(alone(busy, limits=Limits(tokens=600)))
    assert seen.value == "completed" and seen.used("r").tokens < 60


def test_a_turn_that_ends_while_the_model_is_asked_counts_the_call() -> None:
    def make(meter: Meter) -> tuple[Scenario, Iterable[object]]:
        agent = Agent("desk", Metered(meter, lambda request: "late", delay=600), limits=Limits(tokens=9_000, time="1m"))

        async def scenario(world: World) -> str:
            await world.start(agent, "go", id="r")
            return await world.reached("r", "failed")

        return scenario, [agent]

    for number, seen in enumerate(everywhere(make)):
        (entry,) = seen.entries("r", "failed")
        assert entry["lost"]["tokens"] > 4_096 and seen.meter.tokens <= seen.used("r").tokens <= 9_000, number


def test_so_does_one_that_is_cancelled() -> None:
    def make(meter: Meter) -> tuple[Scenario, Iterable[object]]:
        agent = Agent("desk", Metered(meter, lambda request: "late", delay=600), limits=Limits(tokens=9_000))

        async def scenario(world: World) -> str:
            await world.start(agent, "go", id="r")
            await asyncio.sleep(5)
            await world.cancel("r")
            return await world.reached("r", "cancelled")

        return scenario, [agent]

    seen = played(make)
    (entry,) = seen.entries("r", "cancelled")
    assert entry["lost"]["tokens"] == seen.used("r").tokens > 4_096
