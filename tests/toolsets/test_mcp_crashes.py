"""Tools of toolsets and of an MCP server in the crash kit: the process dies before and after every operation of the
store, and nothing that was recorded is asked for or made again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from overwinter import Agent, Retry, Scripted, call
from overwinter.functions.toolset import MCP, Toolset
from overwinter.testing import World, crash_everywhere, simulate

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


def test_an_irreversible_call_that_is_too_slow_is_in_doubt_and_another_is_tried_again() -> None:
    app: MCPServer[Any] = MCPServer("weather", version="1")
    begun: list[str] = []

    @app.tool()
    async def never(what: str) -> str:
        """It never answers."""
        begun.append(what)
        await asyncio.Event().wait()
        return what

    for effect, kind, times in (("irreversible", ".InDoubt", 1), ("idempotent", ".TimedOut", 2)):
        begun.clear()
        server = MCP("weather", app, effect=effect, timeout="1h", retry=Retry(attempts=2))  # type: ignore[arg-type]
        agent = Agent("desk", Scripted([call("never", what="x"), "done"]), tools=[server])
        kinds: list[str] = []

        async def main(world: World, agent: Agent = agent, kinds: list[str] = kinds) -> str:
            answer = await (await world.start(agent, "?", id="r-1")).result()
            kinds += [entry["error"]["kind"] for entry in world.journal("r-1") if entry["type"] == "tool"]
            return str(answer)

        assert simulate(main, functions=[agent]) == "done"
        assert kinds[0].endswith(kind) and len(begun) == times


def test_a_connection_that_nobody_uses_is_closed_and_opened_again() -> None:
    opened: list[str] = []

    @asynccontextmanager
    async def lifespan(app: MCPServer[Any]) -> AsyncGenerator[None]:
        opened.append("open")
        yield
        opened.append("closed")

    app: MCPServer[Any] = MCPServer("weather", version="1", lifespan=lifespan)

    @app.tool()
    async def forecast() -> str:
        """Tell the weather."""
        return "rain"

    agent = Agent("desk", Scripted({"\\?": call("forecast"), "rain": "done"}), tools=[MCP("weather", app, idle="5m")])

    async def main(world: World) -> list[str]:
        for number in range(2):
            message = await world.send(agent, "s", "?", id=str(number))
            assert await message.reply() == "done"
            await world.sleep("4m")  # it is in use, or may be soon
            opened.append("4m")
            await world.sleep("10m")
        return opened

    assert simulate(main, functions=[agent]) == ["open", "4m", "closed"] * 2
