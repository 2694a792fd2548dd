"""Tools of toolsets and of an MCP server in the crash kit: the process dies before and after every operation of the
store, and nothing that was recorded is asked for or made again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from overwinter import Agent, Scripted, call
from overwinter.functions.toolset import MCP, Toolset
from overwinter.testing import World, crash_everywhere

pytest.importorskip("mcp")
from mcp.server.mcpserver import Context, MCPServer


def lookup(order_id: str, prices: dict[str, int]) -> int:
    """Look up an order."""
    return prices[order_id]


def test_a_tool_of_a_toolset_survives_every_crash() -> None:
    shop = Toolset(lookup).given(prices={"o-1": 17}).prefixed("shop")
    agent = Agent("desk", Scripted([call("shop_lookup", order_id="o-1"), "17."]), tools=[shop])
    report = crash_everywhere(agent, "How much is o-1?")
    assert report.outcome.value == "17." and report.points > 5


@pytest.mark.parametrize("effect", ["idempotent", "irreversible"])
def test_a_tool_of_a_server_survives_every_crash(effect: Any) -> None:
    """An irreversible one reaches the server once at the most, whatever becomes of its outcome."""
    keys: Counter[str] = Counter()
    app: MCPServer[Any] = MCPServer("weather", version="1")

    @app.tool()
    async def forecast(city: str, ctx: Context[Any, Any]) -> str:
        """Tell the weather."""
        keys[str(dict[str, Any](ctx.request_context.meta or {})["io.overwinter/idempotency-key"])] += 1
        return f"rain in {city}"

    script: dict[str, Any] = {"Oslo\\?": call("forecast", city="Oslo"), "rain|unknown": "Take a coat."}
    agent = Agent("desk", Scripted(script), tools=[MCP("weather", app, effect=effect)])
    most = 0

    async def asked(world: World) -> str:
        nonlocal most
        keys.clear()
        run = await world.start(agent, "The weather in Oslo?", id="r-1")
        answer = await run.result()
        assert [entry["type"] for entry in world.journal("r-1")].count("listed") == 1
        assert set(keys) <= {"r-1/t1.m1.0"}
        most = max(most, *keys.values(), 0)
        return str(answer)

    report = crash_everywhere(asked, functions=[agent])
    assert report.outcome.value == "Take a coat." and report.points > 7
    assert most == 1 if effect == "irreversible" else most > 1
