"""Children draw on the budget of who orders them, however deep and parallel they are, and wherever processes die."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from overwinter import Agent, Context, Limits, StateMachine, workflow
from overwinter.functions.models.port import Request, ToolCall
from overwinter.orchestrator.protocol.decider import Fact
from overwinter.testing import World

from .metering import Making, Meter, Metered, Played, Scenario, answers, everywhere, played

FEW = 2_500
"""Tokens, of which not all that are ordered get enough."""
MANY = 20_000


def calls(*names: str) -> list[ToolCall]:
    return [ToolCall("", name.partition(" ")[0], f'{{"input": "{name}"}}') for name in names]


def family(tokens: int | None, cost: str | None = None) -> Making:
    """top → (fan → map over mids → leaves) beside a leaf, then a mid → leaves."""

    def make(meter: Meter) -> tuple[Scenario, Iterable[object]]:
        def said_by_mid(request: Request) -> Any:
            return calls("leaf 1", "leaf 2") if answers(request) < 2 else "that is that"

        def said_by_top(request: Request) -> Any:
            return [calls("fan", "leaf 3"), calls("mid 4"), "all is done"][answers(request)]

        leaf = Agent("leaf", Metered(meter, lambda request: "leaf " * (20 + len(request.messages)), "test/leaf"))
        mid = Agent("mid", Metered(meter, said_by_mid, "test/mid"), tools=[leaf])

        @workflow
        async def fan(ctx: Context, why: str) -> list[Any]:
            parts = [f"part {number} of {why}" for number in range(3)]
            return await ctx.map(mid, parts, concurrency=2)

        limits = Limits(tokens=tokens, cost=cost)
        top = Agent("top", Metered(meter, said_by_top, "test/top"), tools=[fan, mid, leaf], limits=limits)

        async def scenario(world: World) -> str:
            await world.start(top, "go", id="r")
            return await world.reached("r", "completed", "failed")

        return scenario, [top, fan, mid, leaf]

    return make


def ordered(seen: Played, id: str) -> list[Fact]:
    return [entry["budget"] for entry in seen.entries(id, "ordered")]


@pytest.mark.parametrize("tokens", [FEW, MANY])
def test_together_they_take_no_more_and_none_is_forgotten(tokens: int) -> None:
    for number, seen in enumerate(everywhere(family(tokens), each=5)):
        used = seen.used("r").tokens
        assert seen.error is None, number
        assert seen.meter.tokens <= used <= tokens, number
        assert seen.value == "completed" or tokens == FEW


def test_without_a_death_what_is_counted_is_what_was_billed() -> None:
    seen = played(family(MANY))
    assert seen.used("r").tokens == seen.meter.tokens and seen.used("r").cost == seen.meter.cost
    assert seen.used("r").model_calls == len(seen.meter.bills) == 32


def test_those_of_one_answer_get_equal_shares_and_a_tenth_stays() -> None:
    seen = played(family(MANY))
    first, second, _ = (one["tokens"] for one in ordered(seen, "r"))
    assert first <= second <= first * 11 // 10 and first + second <= MANY * 9 // 10 + MANY // 20


def test_branches_of_a_workflow_share_what_it_has() -> None:
    seen = played(family(MANY))
    (whole,) = (entry["budget"]["tokens"] for entry in seen.entries("r", "ordered") if entry["name"] == "fan")
    first, second, third = (one["tokens"] for one in ordered(seen, "r/t1.m1.0"))
    assert first == whole // 2 and second == whole - first
    assert second < third + seen.meter.tokens and third <= whole - second  # what the first one left came back


def test_what_code_orders_at_once_gets_equal_shares() -> None:
    """Beside all groups: by asyncio's own means."""

    def make(meter: Meter) -> tuple[Scenario, Iterable[object]]:
        leaf = Agent("leaf", Metered(meter, lambda request: "leaf", "test/leaf"))

        @workflow
        async def pair(ctx: Context, why: str) -> list[Any]:
            first = await asyncio.gather(*(ctx.call(leaf, f"{number} of {why}") for number in range(4)))
            return [*first, await ctx.call(leaf, "alone")]

        said: list[Any] = [calls("pair"), "done"]
        top = Agent(
            "top", Metered(meter, lambda request: said[answers(request)], "test/top"), tools=[pair],
            limits=Limits(tokens=MANY),
        )  # fmt: skip

        async def scenario(world: World) -> str:
            await world.start(top, "go", id="r")
            return await world.reached("r", "completed", "failed")

        return scenario, [top, pair, leaf]

    for seen in everywhere(make, each=7):
        assert seen.value == "completed"
        shares = [one["tokens"] for one in ordered(seen, "r/t1.m1.0")]
        (whole,) = (entry["budget"]["tokens"] for entry in seen.entries("r", "ordered"))
        assert min(shares[:4]) == whole // 4 and max(shares[:4]) <= whole // 4 + 1 and shares[4] > shares[0]


MACHINE: dict[str, Any] = {
    "StartAt": "Both",
    "QueryLanguage": "JSONata",
    "States": {
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": name,
                    "States": {name: {"Type": "Task", "Resource": "leaf", "Arguments": name, "End": True}},
                }
                for name in ("left", "right")
            ],
            "Next": "Each",
        },
        "Each": {
            "Type": "Map",
            "Items": [1, 2, 3, 4],
            "MaxConcurrency": 2,
            "ItemProcessor": {
                "StartAt": "Item",
                "States": {"Item": {"Type": "Task", "Resource": "leaf", "Arguments": "item", "End": True}},
            },
            "End": True,
        },
    },
}


def staged(tokens: int, machine: dict[str, Any] = MACHINE) -> Making:
    """top → a state machine → leaves."""

    def make(meter: Meter) -> tuple[Scenario, Iterable[object]]:
        leaf = Agent("leaf", Metered(meter, lambda request: "leaf " * 40, "test/leaf"))
        stage = StateMachine("stage", machine, [leaf])
        said: list[Any] = [[ToolCall("", "stage", '{"input": "go"}')], "done"]
        model = Metered(meter, lambda request: said[answers(request)], "test/top")
        top = Agent("top", model, tools=[stage], limits=Limits(tokens=tokens))

        async def scenario(world: World) -> str:
            await world.start(top, "go", id="r")
            return await world.reached("r", "completed", "failed")

        return scenario, [top, stage, leaf]

    return make


@pytest.mark.parametrize("tokens", [700, MANY])
def test_states_of_a_machine_take_no_more_together(tokens: int) -> None:
    for number, seen in enumerate(everywhere(staged(tokens), each=3)):
        used = seen.used("r").tokens
        assert seen.error is None, number
        assert seen.meter.tokens <= used <= tokens, number
        assert seen.value == "completed" or tokens < MANY


def test_states_that_begin_at_once_get_equal_shares_and_what_they_leave_comes_back() -> None:
    seen = played(staged(MANY))
    (whole,) = (one["tokens"] for one in ordered(seen, "r"))
    shares = [one["tokens"] for one in ordered(seen, "r/t1.m1.0")]
    assert len(shares) == 6
    assert shares[:2] == [whole // 2, whole - whole // 2] and min(shares[2:]) > whole // 4
    (told,) = (entry["used"]["tokens"] for entry in seen.entries("r", "child"))
    assert told == sum(entry["used"]["tokens"] for entry in seen.entries("r/t1.m1.0", "child"))


def test_a_machine_that_goes_on_from_a_checkpoint_knows_what_was_taken() -> None:
    items = MACHINE["States"]["Each"] | {"Items": list(range(160))}
    long = MACHINE | {"StartAt": "Each", "States": {"Each": items}}
    for seen in everywhere(staged(100_000, long), each=211):
        assert seen.value == "completed" and any(seen.entries("r/t1.m1.0", "checkpoint"))
        assert seen.meter.tokens <= seen.used("r").tokens <= 100_000


def test_of_a_child_counts_what_it_took_and_not_what_it_had() -> None:
    seen = played(family(MANY))
    told = {entry["id"]: entry["used"]["tokens"] for entry in seen.entries("r", "child")}
    assert told == {id: seen.used(id).tokens if id != "r/t1.m1.0" else told[id] for id in told}
    inside = sum(entry["used"]["tokens"] for entry in seen.entries("r/t1.m1.0", "child"))
    assert told["r/t1.m1.0"] == inside


def test_a_child_of_a_turn_that_ends_has_taken_all_that_it_had() -> None:
    """Nobody will hear what it took."""

    def make(meter: Meter) -> tuple[Scenario, Iterable[object]]:
        slow = Agent("slow", Metered(meter, lambda request: "late " * 50, "test/slow", delay=600))
        desk = Agent(
            "desk",
            Metered(meter, lambda request: calls("slow 1")),
            tools=[slow],
            limits=Limits(tokens=5_000, time="1m"),
        )

        async def scenario(world: World) -> str:
            await world.start(desk, "go", id="r")
            return await world.reached("r", "failed")

        return scenario, [desk, slow]

    seen = played(make)
    (lent,) = ordered(seen, "r")
    own = seen.meter.tokens - sum(bill.tokens for bill in seen.meter.bills if bill.model == "test/slow")
    assert seen.used("r").tokens == own + lent["tokens"]


def test_money_is_shared_like_tokens() -> None:
    """Nobody knows the price of these models, so the first one holds all that there is."""
    for seen in (played(family(None, "5.00")), played(family(None, "5.00"), 9)):
        assert seen.error is None and seen.meter.cost <= seen.used("r").cost <= 5
