"""Whatever agents do, and whenever processes die: never is more billed than there was, and nothing is forgotten."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from overwinter import Agent, Context, Limits, workflow
from overwinter.functions.agents.budget import Ask, Budget, Cheaper
from overwinter.functions.models.port import Request, ToolCall
from overwinter.state.errors import ModelUnavailable
from overwinter.testing import World

from .metering import Making, Meter, Metered, Scenario, answers, played

LIMITS: list[Any] = ["stop", Cheaper("test/cheap", 0.5), Ask("boss", tokens=700)]


def odd(seed: int, meter: Meter, name: str, tools: list[str]) -> Metered:
    """A model that answers, calls tools, breaks off, is not there or talks for long; which, is drawn from what it
    reads."""

    def says(request: Request) -> Any:
        draw = random.Random(f"{seed} {name} {len(request.messages)} {len(meter.bills) // 4}")
        number = answers(request)
        kind = draw.choice(["call", "call", "talk", "break", "away", "say"])
        if kind == "call" and tools and number < 4:
            chosen = [draw.choice(tools) for _ in range(draw.randint(1, 3))]
            return [ToolCall("", tool, f'{{"input": "{number} {n} {draw.random()}"}}') for n, tool in enumerate(chosen)]
        if kind == "break":
            return ConnectionError("it is gone")
        if kind == "away":
            return ModelUnavailable("it is busy", retry_after=draw.choice([0.1, 30.0]))
        return "word " * (draw.randint(200, 2_000) if kind == "talk" else 12)

    return Metered(meter, says, name, delay=random.Random(seed).choice([0.0, 1.0, 40.0]))


def world_of(seed: int, tokens: int, per: str, then: Any) -> Making:
    """desk → helper, fan → map over helpers. ``per``: whether each message has so much, or the session as a whole."""

    def make(meter: Meter) -> tuple[Scenario, Iterable[object]]:
        helper = Agent("helper", odd(seed, meter, "test/helper", []))

        @workflow
        async def fan(ctx: Context, why: str) -> int:
            return len(await ctx.map(helper, [f"{why} {n}" for n in range(3)], concurrency=2))

        model: Any = [odd(seed, meter, "test/desk", ["helper", "fan"]), odd(seed, meter, "test/cheap", ["helper"])]
        budget = Budget(per, tokens=tokens, at_limit=then, warn=0.5, tell=bool(seed % 2))
        desk = Agent("desk", model, tools=[helper, fan], budgets=[budget], limits=Limits(iterations=8))

        async def scenario(world: World) -> None:
            for number in range(3):
                await world.send(desk, "s", f"message {number}", id=f"m{number}")
                await world.sleep("2h")
                for _ in range(3):
                    if world.open_approvals("desk/s"):
                        await (world.approve if seed % 3 else world.deny)("desk/s")
                        await world.sleep("2h")

        return scenario, [desk, fan, helper]

    return make


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    tokens=st.integers(60, 9_000),
    then=st.sampled_from(LIMITS),
    plan=st.lists(st.integers(1, 220), max_size=4),
)
def test_a_session_never_takes_more_than_its_budget(seed: int, tokens: int, then: Any, plan: list[int]) -> None:
    seen = played(world_of(seed, tokens, "session", then), *plan)
    assert seen.error is None
    granted = 700 * sum(entry.get("approved") is True for entry in seen.entries("desk/s", "decided"))
    assert seen.meter.tokens <= seen.used("desk/s").tokens <= tokens + granted
