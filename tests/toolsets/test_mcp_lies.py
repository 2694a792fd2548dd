"""MCP servers that answer wrong, late or never: what is irreversible is called once, what is not needed is left out,
and nothing waits for ever."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, Retry, Runtime, Scripted, call
from overwinter.functions.toolset import MCP
from overwinter.state.errors import ExecutionFailed
from overwinter.testing import World, simulate

pytest.importorskip("mcp")
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

from overwinter.tests.servers import raw_mcp_server

ECHO: dict[str, Any] = {"name": "echo", "description": "Echo.", "inputSchema": {"type": "object"}}


def result(value: Any) -> str:
    return f'"result":{json.dumps(value)}'


LIST = result({"tools": [ECHO]})


def raw(tmp_path: Path, listing: str | None = LIST, called: str | None = None, **options: Any) -> MCP:
    answers = json.dumps({"tools/list": [listing], "tools/call": [called]})
    env = {"MCP_LEDGER": str(tmp_path / "ledger")}
    return MCP("raw", [sys.executable, str(Path(raw_mcp_server.__file__)), answers], env=env, **options)


def entries_of(server: MCP, *script: Any) -> list[dict[str, Any]]:
    async def main() -> list[dict[str, Any]]:
        agent = Agent("desk", Scripted([*script, "done"]), tools=[server])
        async with Runtime([agent], "memory://") as runtime:
            run = await runtime.start(agent, "?", id="r-1")
            try:
                assert await run.result() == "done"
            finally:
                await server.close()
            return list(await runtime.history("r-1"))

    return asyncio.run(main())


# -- a list that does not come ---------------------------------------------------------------------


@pytest.mark.parametrize(("effect", "retry"), [("irreversible", None), ("idempotent", Retry(attempts=1))])
def test_a_server_that_does_not_say_what_it_has_before_a_call_is_not_waited_for_for_ever(
    effect: Any, retry: Retry | None
) -> None:
    """It was not called, so there is no doubt about that, and the session goes on."""
    called: list[str] = []
    silent = False

    async def list_tools(context: Any, params: Any) -> ListToolsResult:
        if silent:
            await asyncio.Event().wait()
        return ListToolsResult(tools=[Tool(name="echo", description="Echo.", input_schema={"type": "object"})])

    async def call_tool(context: Any, params: Any) -> CallToolResult:
        called.append(params.name)
        return CallToolResult(content=[TextContent(type="text", text="said")])

    def script(messages: Any, tools: Any) -> Any:
        nonlocal silent
        said = messages[-1].content
        silent = said == "first"
        return call("echo") if messages[-1].role == "user" else said

    server = MCP("raw", Server("raw", on_list_tools=list_tools, on_call_tool=call_tool), effect=effect, retry=retry)
    agent = Agent("desk", Scripted(script), tools=[server])

    async def main(world: World) -> None:
        told = await (await world.send(agent, "s", "first", id="1")).reply()
        assert told.startswith("Error") and "InDoubt" not in told and not called
        assert await (await world.send(agent, "s", "second", id="2")).reply() == "said"
        assert called == ["echo"]

    simulate(main, functions=[agent])


@pytest.mark.parametrize(
    "listing", ['"error":{"code":-32603,"message":"oh"}', result({"tools": "no"}), result({"tools": [{"name": 5}]})]
)
def test_a_server_whose_list_is_none_can_not_be_reached(
    tmp_path: Path, listing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from overwinter.functions.agents import listing as asking
    from overwinter.orchestrator.usercode.resilience import ONCE, Policy

    monkeypatch.setattr(asking.Servers, "policy", Policy(ONCE))
    with pytest.raises(ExecutionFailed, match="MCP server 'raw' was asked what it has, and gave no list"):
        entries_of(raw(tmp_path, listing))
    (listed,) = [one for one in entries_of(raw(tmp_path, listing, required=False)) if one["type"] == "listed"]
    assert "gave no list" in listed["value"]["servers"]["raw"]["error"]


def test_of_two_tools_of_one_name_the_first_is_offered_and_called(tmp_path: Path) -> None:
    other = ECHO | {"description": "Another."}
    said = result({"content": [{"type": "text", "text": "said"}]})
    entries = entries_of(raw(tmp_path, result({"tools": [ECHO, other]}), said), call("echo"))
    assert [one.get("value") for one in entries if one["type"] == "tool"] == ["said"]


# -- a result that is none -------------------------------------------------------------------------

NO_RESULTS = [
    result({"content": 5}),
    result({"content": [], "structuredContent": [1]}),
    '"result":{"content":[],"structuredContent":{"a":NaN}}',
    '"result":{"content":[],"structuredContent":{"a":1e999}}',
    result({"content": [{"type": "text", "text": "LARGE"}]}),
    '"error":{"code":-32603,"message":"it fell over"}',
]


@pytest.mark.parametrize("said", NO_RESULTS, ids=range(len(NO_RESULTS)))
def test_what_was_called_and_can_not_be_read_is_in_doubt_and_not_called_again(tmp_path: Path, said: str) -> None:
    assert_in_doubt_once(raw(tmp_path, called=said), tmp_path)
    again = entries_of(raw(tmp_path, called=said, effect="idempotent", retry=Retry(attempts=1)), call("echo"))
    (tool,) = [one for one in again if one["type"] == "tool"]
    assert not tool["error"]["kind"].endswith(".InDoubt")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "required": ["a"]},
        {"type": "object", "properties": {"b": {"pattern": "["}}},
        {"type": "object", "properties": {"b": {"$ref": "#/nowhere"}}},
        {"type": "object", "properties": {"b": {"type": "letter"}}},
    ],
)
def test_what_does_not_fit_what_was_promised_is_in_doubt_too(tmp_path: Path, schema: dict[str, Any]) -> None:
    listing = result({"tools": [ECHO | {"outputSchema": schema}]})
    assert_in_doubt_once(raw(tmp_path, listing, result({"content": [], "structuredContent": {"b": "c"}})), tmp_path)


def assert_in_doubt_once(server: MCP, tmp_path: Path) -> None:
    entries = entries_of(server, call("echo"), call("echo"))
    (tool,) = [one for one in entries if one["type"] == "tool"]
    assert tool["error"]["kind"].endswith(".InDoubt")
    assert (tmp_path / "ledger").read_text().splitlines() == ["echo"]


def test_what_a_server_refuses_is_in_no_doubt(tmp_path: Path) -> None:
    refused = '"error":{"code":-32602,"message":"no such order"}'
    entries = entries_of(raw(tmp_path, called=refused), call("echo"))
    (tool,) = [one for one in entries if one["type"] == "tool"]
    assert tool["error"]["kind"].endswith(".ToolFailed") and "no such order" in tool["error"]["message"]
