"""An agent of the OpenAI Agents SDK (with scripted models): its models' answers and function tools are steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from overwinter import run
from overwinter.functions.foreign import ForeignAgent
from overwinter.functions.invocation.loading import functions_of, load
from overwinter.state.errors import ExecutionFailed, InDoubt, InvalidInput
from overwinter.testing import World, crash_everywhere

pytest.importorskip("agents", reason="pip install 'overwinter[openai-agents]'")
from agents import Agent, ComputerTool, ModelResponse, UserError, function_tool, handoff

from overwinter.functions.frameworks.openai_agents import OpenAIAgents
from overwinter.tests.frameworks.counting import CALLS, check, count

EXAMPLE = Path(__file__).parents[2] / "examples" / "frameworks" / "openai_agents_clerk.py"
example: Any = load(EXAMPLE)


class Script(example.Script):  # type: ignore[misc]
    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        count("model")
        found: ModelResponse = await super().get_response(*args, **kwargs)
        return found


@function_tool
def lookup(order_id: str) -> str:
    """Look up an order."""
    count("lookup")
    return f"{order_id} costs 2450"


@function_tool
async def refund(cents: int) -> str:
    """Give the money back."""
    count("refund")
    return f"{cents} paid"


def made(**options: Any) -> ForeignAgent:
    """It looks up, hands off, and the other one refunds."""
    cashier = Agent(name="cashier", model=Script((), ("refund", {"cents": 2450}), "{}!"), tools=[refund])
    desk = Agent(
        name="desk",
        model=Script(("lookup", {"order_id": "o-1"}), ("transfer_to_cashier", {})),
        tools=[lookup],
        handoffs=[handoff(cashier) if options.pop("object", False) else cashier],
    )
    return ForeignAgent("clerk", OpenAIAgents(desk), **options)


@pytest.mark.parametrize("handed", [False, True])
def test_no_recorded_call_is_made_again_wherever_it_dies(handed: bool) -> None:
    clerk = made(object=handed)

    async def talk(world: World) -> list[str]:
        CALLS.clear()
        said = [await world.send(clerk, "c", text, id=text) for text in ("first", "second")]
        answers = [str(await message.reply()) for message in said]
        check(world, "clerk/c", 1)
        assert len(CALLS) == 2 * 6
        return answers

    report = crash_everywhere(talk, functions=[clerk])
    assert report.outcome.value == ["2450 paid!", "2450 paid!"]
    assert report.points > 25


def test_an_irreversible_tool_is_called_once_at_the_most() -> None:
    clerk = made(irreversible=["refund"])
    seen: set[str] = set()

    async def scenario(world: World) -> str:
        CALLS.clear()
        message = await world.send(clerk, "c", "first", id="m-1")
        try:
            return str(await message.reply())
        except InDoubt:
            return "in doubt"
        finally:
            check(world, "clerk/c", 1, "refund")

    def same(one: Any, other: Any) -> bool:
        seen.add(other)
        return other in (one, "in doubt")

    crash_everywhere(scenario, functions=[clerk], same=same)
    assert seen == {"2450 paid!", "in doubt"}


@pytest.mark.parametrize("approved", [True, False])
def test_a_tool_that_needs_approval_waits_for_a_person(approved: bool) -> None:
    @function_tool(needs_approval=True)
    async def pay(cents: int) -> str:
        """Pay."""
        count("pay")
        return f"{cents} paid"

    asking = ForeignAgent(
        "asking", OpenAIAgents(Agent(name="asking", model=Script(("pay", {"cents": 5}), "{}!"), tools=[pay]))
    )

    async def scenario(world: World) -> str:
        CALLS.clear()
        message = await world.send(asking, "c", "Pay it", id="m-1")
        await world.reached("asking/c", "waiting")
        assert {what for what, _ in CALLS} == {"model"}
        assert world.open_approvals("asking/c")[0]["data"] == {"cents": 5}
        await (world.approve("asking/c", by="ana") if approved else world.deny("asking/c", by="ana", reason="no"))
        return str(await message.reply())

    report = crash_everywhere(scenario, functions=[asking])
    assert (report.outcome.value == "5 paid!") is approved
    assert approved or "denied by ana: no" in report.outcome.value


def test_a_tool_that_somebody_else_must_approve_by_its_name() -> None:
    clerk = made(approval={"refund": "desk"})

    async def scenario(world: World) -> str:
        message = await world.send(clerk, "c", "first", id="m-1")
        await world.deny("clerk/c", by="ana", reason="too much")
        return str(await message.reply())

    report = crash_everywhere(scenario, functions=[clerk])
    assert "denied by ana: too much" in report.outcome.value


def test_a_tool_that_is_not_there_is_not_taken_for_one_that_is_looked_after() -> None:
    with pytest.raises(InvalidInput, match=r"no tool 'refnd', of which approval= .*refund"):
        run(made(approval={"refnd": "desk"}), "first", store="memory://")


def test_what_has_no_seam_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="ComputerTool"):
        OpenAIAgents(Agent(name="odd", tools=[ComputerTool(computer=cast("Any", object()))]))
    with pytest.raises(InvalidInput, match="MCP servers"):
        OpenAIAgents(Agent(name="odd", handoffs=[Agent(name="more", mcp_servers=[cast("Any", object())])]))


def test_a_model_that_is_not_there_fails_the_turn_with_its_own_error() -> None:
    class Broken(Script):
        async def get_response(self, *_: Any, **__: Any) -> ModelResponse:
            raise UserError("no key")

    broken = ForeignAgent("broken", OpenAIAgents(Agent(name="broken", model=Broken())))
    with pytest.raises(ExecutionFailed, match="no key"):
        run(broken, "Go", store="memory://")


def test_the_example_runs() -> None:
    functions = functions_of(load(EXAMPLE))
    assert run(functions["clerk"], "Where is o-17?", store="memory://") == "24.50 for o-17 given back."
