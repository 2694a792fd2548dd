"""An agent of pydantic-ai (with its scripted models): its questions to the model and calls of tools are steps.

What is crashed is async throughout: for plain functions pydantic-ai uses threads of its own, which know no virtual
time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from overwinter import Runtime, run
from overwinter.functions.foreign import ForeignAgent
from overwinter.functions.invocation.loading import functions_of, load
from overwinter.state.errors import ExecutionFailed, InDoubt, InvalidInput
from overwinter.testing import World, crash_everywhere

pytest.importorskip("pydantic_ai", reason="pip install 'overwinter[pydantic-ai]'")
from pydantic_ai import Agent, ModelMessage, ModelResponse, ModelRetry, RunContext, TextPart, ToolCallPart
from pydantic_ai.messages import ToolReturn
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

from overwinter.functions.frameworks.pydantic_ai import PydanticAI
from overwinter.tests.frameworks.counting import CALLS, check, count

EXAMPLE = Path(__file__).parents[2] / "examples" / "frameworks" / "pydantic_ai_clerk.py"


async def script(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Two tools beside each other, then one that can't be undone, then what it has seen."""
    count("model")
    asked = [part.content for message in messages for part in message.parts if part.part_kind == "user-prompt"]
    results: list[Any] = [part.content for part in messages[-1].parts if part.part_kind == "tool-return"]
    if not results:
        return ModelResponse([ToolCallPart("lookup", {"order_id": "o-1"}), ToolCallPart("weather", {"city": "Oslo"})])
    if len(results) == 2:
        return ModelResponse([ToolCallPart("refund", {"cents": results[0]["cents"]})])
    return ModelResponse([TextPart(f"{results[0]} for {asked}")])


def made() -> Agent[Any, str]:
    agent: Agent[Any, str] = Agent(FunctionModel(script), instructions="Be brief.")

    @agent.tool_plain
    async def lookup(order_id: str) -> dict[str, Any]:
        """Look up an order."""
        count("lookup")
        return {"id": order_id, "cents": 2450}

    @agent.tool
    async def weather(ctx: RunContext[Any], city: str) -> str:
        """Tell the weather."""
        count("weather")
        return f"rain in {city}"

    @agent.tool_plain
    async def refund(cents: int) -> str:
        """Give the money back."""
        count("refund")
        return f"{cents} paid"

    return agent


clerk = ForeignAgent("clerk", PydanticAI(made()))
careful = ForeignAgent("careful", PydanticAI(made()), irreversible=["refund"])


async def talk(world: World) -> list[str]:
    CALLS.clear()
    said = [await world.send(clerk, "c", text, id=text) for text in ("first", "second")]
    answers = [str(await message.reply()) for message in said]
    check(world, "clerk/c", 2)
    return answers


def test_no_recorded_call_is_made_again_wherever_it_dies() -> None:
    report = crash_everywhere(talk, functions=[clerk])
    assert report.outcome.value == ["2450 paid for ['first']", "2450 paid for ['first', 'second']"]
    assert report.points > 25


def test_an_irreversible_tool_is_called_once_at_the_most() -> None:
    async def scenario(world: World) -> str:
        CALLS.clear()
        message = await world.send(careful, "c", "first", id="m-1")
        try:
            return str(await message.reply())
        except InDoubt:
            return "in doubt"
        finally:
            check(world, "careful/c", 2, "refund")

    seen: set[str] = set()

    def same(one: Any, other: Any) -> bool:
        seen.add(other)
        return other in (one, "in doubt")

    crash_everywhere(scenario, functions=[careful], same=same)
    assert seen == {"2450 paid for ['first']", "in doubt"}


def test_without_the_seams_it_is_one_step_and_made_again_as_a_whole() -> None:
    """What the wrappers are for: the same agent, called by a plain function."""
    agent = made()

    async def whole(input: str) -> str:
        return (await agent.run(input)).output

    alone = ForeignAgent("alone", whole)
    most = 0

    async def scenario(world: World) -> str:
        nonlocal most
        CALLS.clear()
        answer = str(await (await world.send(alone, "c", "first", id="m-1")).reply())
        most = max(most, CALLS.total())
        return answer

    crash_everywhere(scenario, functions=[alone])
    assert most == 2 * 6


def test_what_a_tool_asks_the_model_to_mend_is_told_to_it_and_not_tried_again() -> None:
    tries: list[int] = []
    agent = Agent(TestModel())

    @agent.tool_plain
    def picky(x: int) -> str:
        tries.append(x)
        if len(tries) == 1:
            raise ModelRetry("another one")
        return "taken"

    assert run(ForeignAgent("picky", PydanticAI(agent)), "Go", store="memory://") == '{"picky":"taken"}'
    assert len(tries) == 2


class Verdict(BaseModel):
    refund: bool
    why: str


def test_a_typed_answer_and_typed_dependencies() -> None:
    agent = Agent(TestModel(custom_output_args={"refund": True, "why": "broken"}), output_type=Verdict, deps_type=int)

    @agent.tool
    def limit(ctx: RunContext[int]) -> int:
        return ctx.deps

    made = ForeignAgent("judge", PydanticAI(agent, deps=lambda turn: len(turn.past) + 7))
    assert run(made, "The lamp broke", store="memory://") == Verdict(refund=True, why="broken")


@pytest.mark.parametrize("approved", [True, False])
def test_a_tool_that_requires_approval_waits_for_a_person(approved: bool) -> None:
    agent = Agent(TestModel())

    @agent.tool_plain(requires_approval=True)
    async def refund(cents: int) -> str:
        count("refund")
        return "paid"

    asking = ForeignAgent("asking", PydanticAI(agent))

    async def scenario(world: World) -> str:
        CALLS.clear()
        message = await world.send(asking, "c", "Refund it", id="m-1")
        await world.reached("asking/c", "waiting")
        assert not CALLS and world.open_approvals("asking/c")[0]["data"] == {"cents": 0}
        await (world.approve("asking/c", by="ana") if approved else world.deny("asking/c", by="ana", reason="no"))
        return str(await message.reply())

    report = crash_everywhere(scenario, functions=[asking])
    assert ("paid" in report.outcome.value) is approved


def test_what_can_not_be_recorded_is_refused_by_name() -> None:
    agent = Agent(TestModel())

    @agent.tool_plain
    def odd(x: int) -> ToolReturn:
        return ToolReturn("a", content=["b"])

    with pytest.raises(ExecutionFailed, match="content beside its value"):
        run(ForeignAgent("odd", PydanticAI(agent)), "Go", store="memory://")
    with pytest.raises(ExecutionFailed, match="has no model"):
        run(ForeignAgent("none", PydanticAI(Agent())), "Go", store="memory://")


@pytest.mark.parametrize("said", [{"approval": {"refnd": "desk"}}, {"irreversible": ["refnd"]}])
def test_a_tool_that_is_not_there_is_not_taken_for_one_that_is_looked_after(said: dict[str, Any]) -> None:
    agent: Agent[Any, str] = Agent(TestModel())
    clerk = ForeignAgent("clerk", PydanticAI(agent), **said)
    paid: list[int] = []

    @agent.tool_plain  # after it was given away, as in a module that goes on below
    async def refund(cents: int) -> str:
        paid.append(cents)
        return "paid"

    with pytest.raises(InvalidInput, match=rf"no tool 'refnd', of which {next(iter(said))}= .*; it has refund"):
        run(clerk, "Go", store="memory://")
    assert not paid


def test_the_example_runs() -> None:
    functions = functions_of(load(EXAMPLE))
    assert run(functions["clerk"], "Where is o-17?", store="memory://") == "Done: 24.50 for o-17 given back"


def test_usage_is_in_the_journal() -> None:
    import asyncio

    agent = ForeignAgent("usage", PydanticAI(Agent(TestModel())))

    async def main() -> list[dict[str, Any]]:
        async with Runtime([agent], "memory://") as runtime:
            handle = await runtime.start(agent, "Go")
            await handle.result("10s")
            return [entry for entry in await runtime.history(handle.id) if entry["type"] == "step"]

    (step,) = asyncio.run(main())
    assert step["name"] == "model test" and step["value"]["usage"]["output_tokens"] > 0
