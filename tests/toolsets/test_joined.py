"""All at once: an MCP server, a selection with tools that are always offered, ``find_tools``, a hook, and a window so
small that the turn in which the server was listed leaves it in the middle of another. The process dies before and
after every operation of the store, the server changes meanwhile, and the turn goes on with what is pinned for it."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Agent, History, Scripted, call, tool
from overwinter.functions.hooks import Hook, ToolUse
from overwinter.functions.tools.selection import Selection
from overwinter.functions.toolset import MCP
from overwinter.functions.window import Drop, Shorten, Summarize
from overwinter.testing import World, crash_everywhere

pytest.importorskip("mcp")
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

NAMES = ["forecast", "tides", "stations"]
LONG = "and so on " * 40


class Weather:
    """A server of three tools, and of one more from when it is told so."""

    def __init__(self) -> None:
        self.more = False

    async def listing(self, context: Any, params: Any) -> ListToolsResult:
        names = [*NAMES, "later"] if self.more else NAMES
        said = [Tool(name=name, description=f"Tell {name}.", input_schema={"type": "object"}) for name in names]
        return ListToolsResult(tools=said)

    async def called(self, context: Any, params: Any) -> CallToolResult:
        day = int((params.arguments or {}).get("day", 0))
        return CallToolResult(content=[TextContent(type="text", text=f"day {day}: rain {LONG}")])

    def made(self) -> Server[Any]:
        return Server("weather", on_list_tools=self.listing, on_call_tool=self.called)


@pytest.mark.parametrize("compaction", [[Drop()], [Shorten(100), Drop()], [Summarize(Scripted(["In short."])), Drop()]])
def test_a_turn_goes_on_with_the_tools_that_are_pinned_for_it_wherever_the_process_dies(compaction: Any) -> None:
    weather = Weather()
    shown: list[list[str]] = []
    paid: list[str] = []
    guarded: list[str] = []

    @tool(effect="irreversible")
    async def refund(order: str) -> str:
        """Give money back."""
        paid.append(order)
        return "refunded"

    @tool(effect="pure")
    async def invoice(order: str) -> str:
        """Send an invoice."""
        return order

    def guard(use: ToolUse) -> None:
        guarded.append(use.tool)

    def script(messages: Any, tools: Any) -> Any:
        said = messages[-1].content
        if messages[-1].role == "user":
            if said.startswith("one"):
                return f"Well. {LONG * 3}"
            return call("forecast", day=1)
        shown.append([one.name for one in tools])
        if said.startswith("day "):
            weather.more = True
            day = int(said[4 : said.index(":")])
            return call("forecast", day=day + 1) if day < 4 else call("find_tools", query="give money back")
        return call("refund", order="o-1") if said == '["refund"]' else "done"

    agent = Agent(
        "desk",
        Scripted(script),
        tools=[MCP("weather", weather.made(), effect="pure"), refund, invoice],
        selection=Selection(most=2, always=["forecast"]),
        hooks=Hook(guard, tools=["forecast", "refund"]),
        history=History(size="2KB", compaction=compaction),
    )

    async def talked(world: World) -> list[str]:
        for seen in (shown, paid, guarded):
            seen.clear()
        weather.more = False
        answers = [str(await (await world.send(agent, "s", text, id=text)).reply()) for text in ("one", "two")]
        entries = world.journal("desk/s")
        left = [entry["op"] for entry in entries if entry["type"] == "compacted" and entry.get("turns")]
        assert left and all(op.startswith("t2.m") and op != "t2.m1" for op in left), "in the middle of the second turn"
        pinned = [entry for entry in entries if entry["type"] == "listed"]
        assert [entry["op"] for entry in pinned] == ["t1.list", "t2.list", "t2.list.r1"]
        assert pinned[2]["value"] == pinned[0]["value"]
        assert all({"forecast", "find_tools"} <= set(names) and "later" not in names for names in shown) and shown
        assert "refund" in shown[-1] and len(paid) <= 1 and {"forecast", "refund"} >= set(guarded)
        return answers

    report = crash_everywhere(talked, functions=[agent])
    assert report.outcome.value[1] == "done" and report.points > 20
