"""What a caller has left of its limits goes along with each call; whoever works for it takes no more."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from overwinter import Agent, Context, Limits, Runtime, call, current_call, tool, workflow
from overwinter.functions.models.port import Answer, Request, ToolCall, Usage
from overwinter.orchestrator.governance.budget import left, within
from overwinter.orchestrator.governance.usage import Usage as Used
from overwinter.orchestrator.governance.usage import reported

from .place import on_a_loop, served


@tool
async def price(order: str) -> dict[str, Any]:
    """Says what its caller has left."""
    return dict(current_call().caller.get("budget", {}))


@workflow
async def below(ctx: Context, order: str) -> Any:
    return [ctx.caller.get("budget"), await ctx.step(price, order)]


@workflow
async def between(ctx: Context, order: str) -> Any:
    return [ctx.caller.get("budget"), await ctx.call("below", order)]


class Priced:
    """Says what it is to say, one after the other; each answer is 60 tokens and ten cents."""

    name = "test/priced"

    def __init__(self, *calls: ToolCall) -> None:
        self.calls = calls

    async def complete(self, request: Request) -> Answer:
        made = sum(1 for message in request.messages if message.role == "assistant")
        calls = self.calls[made : made + 1]
        return Answer("" if calls else "done", calls, usage=Usage(50, 10), cost="0.10", model=self.name)


async def outcomes(runtime: Runtime, id: str) -> list[Any]:
    """What an agent was told."""
    kinds = ("tool", "child")
    return [entry.get("value", entry.get("error")) async for entry in runtime.entries(id) if entry["type"] in kinds]


@on_a_loop
async def test_it_goes_along_over_two_hops(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Priced(call("price", order="o"), call("between", input="o"))
    agent = Agent("desk", model, tools=[price, between], limits=Limits(tokens=1000, cost="1"))
    async with served([price]) as last, served([below]) as there, served([between]) as here:
        routes = {"price": last.url, "between": here.url, "below": there.url}
        monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps(routes))
        async with Runtime([agent], "memory://") as runtime:
            assert await (await runtime.start(agent, "hi", id="x")).result() == "done"
            first, second = {"tokens": 940, "cost": "0.90"}, {"tokens": 792, "cost": "0.72"}  # a tenth stays
            assert await outcomes(runtime, "x") == [first, [second, [second, second]]]


@on_a_loop
async def test_an_agent_takes_no_more_than_its_caller_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here or elsewhere: a route changes nothing of that."""
    asks = [call("price", order=f"o{number}") for number in range(40)]
    helper = Agent("helper", Priced(*asks), tools=[price], limits=Limits(None, tokens=50_000))
    agent = Agent("desk", Priced(call("helper", input="o")), tools=[helper], limits=Limits(tokens=2_000))
    async with served([helper, price]) as there:
        for routes in ({}, {"helper": there.url}):
            monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps(routes))
            async with Runtime([agent], "memory://") as runtime:
                assert await (await runtime.start(agent, "hi", id="x")).result() == "done"
                (told,) = await outcomes(runtime, "x")
                assert "tokens used of 1,746, and the next" in told["message"]
                assert "which was left of the limit of whoever ordered it" in told["message"]


def test_the_smaller_of_both_holds() -> None:
    own = Limits(tokens=100, cost="0.5")
    assert within(own, {"tokens": 200, "cost": "0.7"}) is own
    bounded = within(own, {"tokens": 50, "cost": "0.7"})
    assert (bounded.tokens, bounded.cost, bounded.iterations) == (50, Decimal("0.5"), 20)
    assert within(Limits(), {"cost": "0.2"}).cost == Decimal("0.2")
    used = reported({"usage": {"input": 30, "output": 5}, "cost": "0.45"})
    assert left(used, bounded) == {"tokens": 15, "cost": "0.05"}
    assert left(reported({"usage": {"input": 300}, "cost": "9"}), bounded) == {"tokens": 0, "cost": "0"}
    assert left(Used(), Limits()) == {}


@on_a_loop
async def test_what_is_no_budget_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    ordered = {"key": "a/1", "mark": "m", "execution": "a", "operation": "1"}
    async with served([price]) as there, httpx.AsyncClient() as client:
        for wrong in ({"tokens": -1}, {"tokens": "7"}, {"cost": "1e9"}, {"cost": "NaN"}, {"cost": 1}, 7):
            body = {"call": {**ordered, "budget": wrong}, "input": {"order": "o"}}
            assert (await client.post(f"{there.url}/calls/price", json=body)).status_code == 422
