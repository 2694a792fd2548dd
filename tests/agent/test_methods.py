"""Methods as tools: of an object, decorated or not; a method of no object is refused with what to do."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from overwinter import Agent, Context, Runtime, run, tool, workflow
from overwinter.functions.framework.target import served
from overwinter.functions.model import Scripted, call
from overwinter.functions.tools.tool import Tool
from overwinter.orchestrator.workflow.targets import approval_of
from overwinter.state.codec import loads
from overwinter.state.errors import InvalidInput


def desk(role: str) -> str | None:
    return role or None


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    @tool(effect="pure", timeout="5s")
    def lookup(self, order_id: str) -> str:
        """Look up an order.

        Args:
            order_id: like o-17
        """
        return f"{self.name}: {order_id}"

    async def stock(self, sku: str) -> str:
        """How many there are."""
        return f"{self.name}: 3 of {sku}"

    @tool(approval=desk)
    def refund(self, role: str) -> str:
        return f"{self.name} refunds"

    @classmethod
    @tool
    def places(cls) -> str:
        return cls.__name__

    @staticmethod
    @tool
    def hours() -> str:
        return "nine to five"


NORTH, SOUTH = Shop("north"), Shop("south")
SCRIPT = Scripted([[call("lookup", order_id="o-1"), call("stock", sku="s-1"), call("places"), call("hours")], "done"])


def test_the_methods_of_an_object_are_its_tools() -> None:
    tools = [NORTH.lookup, NORTH.stock, NORTH.places, NORTH.hours]
    agent = Agent("north", SCRIPT, tools=tools)
    (schema, *_) = agent.request(()).tools
    assert schema.description == "Look up an order."
    assert schema.parameters["properties"] == {"order_id": {"description": "like o-17", "type": "string"}}
    found = agent.find("lookup")
    assert isinstance(found, Tool) and found.effect == "pure" and found.policy.timeout == "5s"
    assert found is Agent("other", SCRIPT, tools=[NORTH.lookup]).find("lookup")
    assert agent.find("stock") is Agent("other", SCRIPT, tools=[NORTH.stock]).find("stock")
    assert found is not Agent("south", SCRIPT, tools=[SOUTH.lookup]).find("lookup")

    async def main() -> list[str]:
        async with Runtime([agent], "memory://") as runtime:
            started = await runtime.start("north", "?")
            assert await started.result("10s") == "done"
            journal = [loads(entry) for entry in await runtime.engine.store.history(started.id)]
            return [entry["value"] for entry in journal if entry["type"] == "tool"]

    assert sorted(asyncio.run(main())) == ["Shop", "nine to five", "north: 3 of s-1", "north: o-1"]


def test_a_workflow_steps_through_them() -> None:
    @workflow
    async def flow(ctx: Context) -> list[str]:
        return [
            await ctx.step(NORTH.lookup, "o-2"),
            await ctx.step(SOUTH.stock, "s-2"),
            await ctx.step(SOUTH.refund, ""),
        ]

    assert run(flow, store="memory://") == ["north: o-2", "south: 3 of s-2", "south refunds"]
    wanted = approval_of(NORTH.refund, ("boss",), {})
    assert wanted is not None and (wanted.rule.role, wanted.arguments) == ("boss", {"role": "boss"})


@pytest.mark.parametrize("unbound", [Shop.lookup, Shop.stock])
def test_the_method_of_no_object_is_refused_with_what_to_do(unbound: object) -> None:
    with pytest.raises(InvalidInput, match=r"method of Shop.*tools=\[Shop\(…\)\.(lookup|stock)\]"):
        Agent("desk", "scripted:echo", tools=[unbound])
    it = served(unbound)
    lost = it if isinstance(it, Tool) else Tool(cast("Any", unbound))
    assert "nobody says of which object" in lost.lost
    with pytest.raises(InvalidInput, match="nobody says"):
        lost.invoke({"order_id": "o-1"})


def test_a_decorated_method_stays_one() -> None:
    assert NORTH.lookup("o-3") == Shop.lookup(SOUTH, "o-3").replace("south", "north")
    with pytest.raises(InvalidInput, match="@classmethod above @tool"):
        tool(classmethod(lambda cls: None))  # type: ignore[call-overload]


def test_a_runtime_serves_the_method_that_it_is_given() -> None:
    async def main() -> object:
        async with Runtime([SOUTH.lookup], "memory://") as runtime:
            return await runtime.invoke("lookup", {"order_id": "o-4"}), await runtime.invoke(
                SOUTH.lookup, {"order_id": "5"}
            )

    assert asyncio.run(main()) == ("south: o-4", "south: 5")
