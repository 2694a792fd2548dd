"""Tools of real MCP servers: a program of its own, and one that is reached over HTTP."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, Runtime, Scripted, call, run
from overwinter.functions.toolset import MCP, Elicitation, Sampling
from overwinter.state.errors import ExecutionFailed, InvalidInput

pytest.importorskip("mcp")
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

from overwinter.tests.servers import mcp_server
from overwinter.tests.servers.apps import serving
from overwinter.tests.servers.ports import free_port

PROGRAM = [sys.executable, str(Path(mcp_server.__file__))]


def program(ledger: Path, **options: Any) -> MCP:
    return MCP("weather", PROGRAM, env={"MCP_LEDGER": str(ledger)}, **options)


def asked(*script: Any, tools: list[Any]) -> tuple[Any, list[dict[str, Any]]]:
    """What an agent answers that goes by the script, and its journal."""
    agent = Agent("desk", Scripted(list(script)), tools=tools)

    async def main() -> tuple[Any, list[dict[str, Any]]]:
        async with Runtime([agent], "memory://") as runtime:
            handle = await runtime.start(agent, "?", id="r-1")
            try:
                return await handle.result(), list(await runtime.history("r-1"))
            finally:
                for tool in tools:
                    if isinstance(tool, MCP):
                        await tool.close()

    return asyncio.run(main())


def of(kind: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["type"] == kind]


def test_a_program_is_listed_once_and_called_with_key_and_effect(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    script = call("forecast", city="Oslo"), call("book", city="Rome"), call("broken"), "done"
    answer, entries = asked(*script, tools=[program(ledger, effects={"forecast": "pure"})])
    assert answer == "done"
    (listed,) = of("listed", entries)
    assert listed["op"] == "t1.list" and listed["name"] == "weather"
    names = [tool["name"] for tool in listed["value"]["servers"]["weather"]["tools"]]
    assert names == ["forecast", "book", "weather_die", "change", "secret", "broken"]
    assert [entry["op"] for entry in of("begun", entries)] == ["t1.m2.0", "t1.m3.0"]  # not that of what is pure
    forecast, book, broken = of("tool", entries)
    assert forecast["value"] == "Oslo: rain for 1 days"
    assert book["value"] == {"city": "Rome", "key": "r-1/t1.m2.0"}
    assert broken["error"]["kind"].endswith(".ToolFailed") and "broken" in broken["error"]["message"]
    assert ledger.read_text().splitlines() == ["forecast Oslo", "book Rome r-1/t1.m2.0"]


def test_a_server_that_dies_is_started_again_and_a_call_that_may_have_happened_is_not(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    script = call("weather_die", city="X"), call("weather_die", city="X"), call("forecast", city="Rio"), "done"
    answer, entries = asked(*script, tools=[program(ledger)])
    assert answer == "done"
    died, forecast = of("tool", entries)
    assert died["error"]["kind"].endswith(".InDoubt")
    assert "not repeated" in of("observed", entries)[0]["text"]
    assert forecast["value"] == "Rio: rain for 1 days"
    assert ledger.read_text().splitlines() == ["die X", "forecast Rio"]


def test_what_may_be_repeated_is_when_the_server_dies(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    from overwinter import Retry

    died = program(ledger, effect="idempotent", retry=Retry(attempts=2, first="1ms"))
    answer, entries = asked(call("weather_die", city="X"), "done", tools=[died])
    assert answer == "done"
    (tool,) = of("tool", entries)
    assert tool["n"] == 2 and tool["error"]["kind"].endswith(".FunctionUnavailable")
    assert ledger.read_text().splitlines() == ["die X", "die X"]


def test_a_tool_that_has_changed_is_not_called_and_the_next_message_has_the_new_one(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    weather = program(ledger, effect="idempotent")
    script: list[Any] = [call("change"), call("forecast", city="Oslo"), "one", call("forecast", town="Oslo"), "two"]
    agent = Agent("desk", Scripted(script), tools=[weather])

    async def main() -> list[dict[str, Any]]:
        async with Runtime([agent], "memory://") as runtime:
            for number in ("1", "2", "3"):
                sent = await runtime.send(agent, "s", "?" if number != "3" else "again?", id=number)
                script.append("three")
                await sent.reply()
            await weather.close()
            return list(await runtime.history("desk/s"))

    entries = asyncio.run(main())
    refused = of("tool", entries)[1]["error"]["message"]
    assert "has changed 'forecast' since this turn began" in refused
    first, second, third = of("listed", entries)
    assert second["value"]["changed"] == {"weather": "changed forecast"}
    assert third["value"] == {"same": second["value"]["digest"]}
    assert first["value"]["digest"] != second["value"]["digest"]
    assert ledger.read_text().splitlines() == ["changed Oslo"]


def test_what_a_model_reads_is_what_was_recorded(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def listening(messages: Any, tools: Any) -> Any:
        seen.append([tool.name for tool in tools])
        return "done"

    tools = program(tmp_path / "l").filtered(["forecast", "book"]).prefixed("w").renamed(w_book="trip")
    assert run(Agent("desk", Scripted(listening), tools=[tools]), "?", store="memory://") == "done"
    assert seen == [["w_forecast", "trip"]]


def test_secrets_of_a_program_are_told_by_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELD", "s3cret-of-the-weather")
    weather = MCP("weather", PROGRAM, env={"WEATHER_KEY": "env:HELD"}, effect="pure")
    _, entries = asked(call("secret"), "done", tools=[weather])
    assert of("tool", entries)[0]["value"] == "s3cret-of-the-weather"
    with pytest.raises(InvalidInput, match="not the secret itself"):
        MCP("weather", PROGRAM, env={"WEATHER_KEY": "s3cret"})
    with pytest.raises(InvalidInput, match="say where its token lies"):
        MCP("weather", "https://weather.example/mcp", token="s3cret")


@pytest.mark.parametrize(
    ("where", "complaint"), [("weather.example", "is no address"), ([], "a list of texts"), (None, "give the command")]
)
def test_where_a_server_is_must_be_told(where: Any, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        MCP("weather", where)


def test_a_server_that_is_not_there_fails_the_turn_or_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from overwinter.functions.agents import listing
    from overwinter.orchestrator.usercode.resilience import ONCE, Policy

    monkeypatch.setattr(listing.Servers, "policy", Policy(ONCE))
    nowhere = ["/nowhere/at-all"]
    with pytest.raises(ExecutionFailed, match="MCP server 'gone' can't be reached"):
        asked("done", tools=[MCP("gone", nowhere)])
    answer, entries = asked("done", tools=[MCP("gone", nowhere, required=False)])
    assert answer == "done"
    assert "can't be reached" in of("listed", entries)[0]["value"]["servers"]["gone"]["error"]


def test_the_word_of_a_server_counts_only_where_it_is_trusted(tmp_path: Path) -> None:
    """``forecast`` says of itself that it reads only."""
    script = call("forecast", city="Oslo"), call("book", city="Rome"), "done"
    for trusts, begun in ((False, ["t1.m1.0", "t1.m2.0"]), (True, ["t1.m2.0"])):
        _, entries = asked(*script, tools=[program(tmp_path / "l", trust_hints=trusts)])
        assert [entry["op"] for entry in of("begun", entries)] == begun


def test_names_that_clash_are_refused_with_what_to_do(tmp_path: Path) -> None:
    def forecast(city: str) -> str:
        return city

    with pytest.raises(ExecutionFailed, match=r"two tools named 'forecast'.*prefix"):
        asked("done", tools=[program(tmp_path / "l"), forecast])
    with pytest.raises(InvalidInput, match="two servers named 'weather'"):
        Agent("desk", "scripted:echo", tools=[program(tmp_path / "l"), program(tmp_path / "l")])


# -- over HTTP -------------------------------------------------------------------------------------


class City(BaseModel):
    city: str


def remote() -> tuple[MCPServer[Any], list[str]]:
    app: MCPServer[Any] = MCPServer("remote", version="1", log_level="ERROR")
    said: list[str] = []

    @app.tool()
    async def forecast(city: str, ctx: Context[Any, Any]) -> str:
        """Tell the weather."""
        request: Any = ctx.request_context.request
        said.append(request.headers.get("authorization", ""))
        return f"rain in {city}"

    @app.tool()
    async def where(ctx: Context[Any, Any]) -> str:
        """Ask a person."""
        answer = await ctx.elicit("Which city?", City)
        return answer.data.city if answer.action == "accept" else answer.action

    return app, said


def over_http(script: list[Any], make: Callable[[str], MCP], app: MCPServer[Any]) -> list[dict[str, Any]]:
    async def main() -> list[dict[str, Any]]:
        async with serving(app.streamable_http_app()) as url:
            weather = make(f"{url}/mcp")
            agent = Agent("desk", Scripted(script), tools=[weather])
            async with Runtime([agent], "memory://") as runtime:
                handle = await runtime.start(agent, "?", id="r-1")
                assert await handle.result() == "done"
                await weather.close()
                return list(await runtime.history("r-1"))

    return asyncio.run(main())


def test_a_server_at_an_address_gets_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_IT", "token-of-the-weather")
    app, said = remote()
    script = [call("forecast", city="Oslo"), "done"]
    entries = over_http(script, lambda url: MCP("weather", url, token="env:TOKEN_OF_IT", effect="pure"), app)
    assert of("tool", entries)[0]["value"] == "rain in Oslo"
    assert said == ["Bearer token-of-the-weather"]


@contextmanager
def started(port: int) -> Generator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([*PROGRAM, str(port)])
    try:
        while process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_server_at_an_address_that_dies_is_there_again_when_it_is(tmp_path: Path) -> None:
    port = free_port()
    weather = MCP("weather", f"http://127.0.0.1:{port}/mcp", effects={"forecast": "pure"})
    with ExitStack() as stack:
        first = stack.enter_context(started(port))

        def again() -> str:
            """Start it again."""
            first.wait()
            stack.enter_context(started(port))
            return "started"

        script = call("weather_die", city="X"), call("again"), call("forecast", city="Rio"), "done"
        answer, entries = asked(*script, tools=[weather, again])
    assert answer == "done"
    died, _, forecast = of("tool", entries)
    assert died["error"]["kind"].endswith(".InDoubt")
    assert forecast["value"] == "Rio: rain for 1 days"


def in_memory(app: MCPServer[Any], **options: Any) -> Any:
    _, entries = asked(call(options.pop("tool")), "done", tools=[MCP("weather", app, effect="pure", **options)])
    return of("tool", entries)[0]


def asking(mode: str = "") -> MCPServer[Any]:
    from mcp_types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult

    app: MCPServer[Any] = MCPServer("asking", version="1", log_level="ERROR")

    @app.tool()
    async def where(ctx: Context[Any, Any]) -> Any:
        """Ask a person."""
        answers = ctx.input_responses or {}
        if "city" not in answers:
            schema: Any = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
            params = ElicitRequestFormParams(message="Which city?", requested_schema=schema)
            return InputRequiredResult(input_requests={"city": ElicitRequest(params=params)})
        found: Any = answers["city"]
        return f"{found.action} {(found.content or {}).get('city', '')}".strip()

    return app


def test_a_server_that_asks_a_person_is_answered_or_told_that_nobody_is_there() -> None:
    questions: list[Elicitation] = []

    async def answer(asked: Elicitation) -> dict[str, str] | None:
        questions.append(asked)
        return {"city": "Oslo"}

    async def declines(asked: Elicitation) -> None:
        return None

    assert in_memory(asking(), tool="where", elicitation=answer)["value"] == "accept Oslo"
    assert (questions[0].server, questions[0].message) == ("weather", "Which city?")
    assert questions[0].schema["properties"] == {"city": {"type": "string"}}
    assert in_memory(asking(), tool="where", elicitation=declines)["value"] == "decline"
    refused = in_memory(asking(), tool="where")["error"]["message"]
    assert "it asks for elicitation, and nobody answers; give MCP(…, elicitation=…)" in refused


def test_a_server_that_asks_a_model_is_answered() -> None:
    from mcp_types import CreateMessageRequest, CreateMessageRequestParams, InputRequiredResult, TextContent
    from mcp_types import SamplingMessage as Message

    app: MCPServer[Any] = MCPServer("asking", version="1", log_level="ERROR")

    @app.tool()
    async def poem(ctx: Context[Any, Any]) -> Any:
        """Ask a model."""
        answers = ctx.input_responses or {}
        if "poem" not in answers:
            words = [Message(role="user", content=TextContent(type="text", text="A poem."))]
            params = CreateMessageRequestParams(messages=words, max_tokens=7, system_prompt="Be short.")
            return InputRequiredResult(input_requests={"poem": CreateMessageRequest(params=params)})
        found: Any = answers["poem"]
        return str(found.content.text)

    async def sample(asked: Sampling) -> str:
        assert asked == Sampling("weather", "Be short.", (("user", "A poem."),), 7)
        return "Rain."

    assert in_memory(app, tool="poem", sampling=sample)["value"] == "Rain."
    assert "asks for sampling" in in_memory(app, tool="poem")["error"]["message"]


def test_nothing_of_the_sdk_is_imported_by_who_declares_a_server() -> None:
    code = (
        "import sys\nfrom overwinter import Agent\nfrom overwinter.functions.toolset import MCP\n"
        "Agent('desk', 'scripted:echo', tools=[MCP('w', ['python', 's.py'])])\n"
        "print([name for name in ('mcp', 'mcp_types', 'httpx2', 'anyio', 'yaml', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
