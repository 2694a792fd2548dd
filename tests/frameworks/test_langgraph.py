"""A graph of LangGraph (with a scripted chat model): what is wrapped is a step, and interrupts wait for a person."""

from __future__ import annotations

import asyncio
import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest

from overwinter import run
from overwinter.functions.foreign import ForeignAgent
from overwinter.functions.invocation.loading import functions_of, load
from overwinter.state.errors import ExecutionFailed, InDoubt, InvalidInput
from overwinter.testing import World, crash_everywhere

pytest.importorskip("langgraph.checkpoint.memory", reason="pip install 'overwinter[langgraph]'")
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # typed, unmarked
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt

from overwinter.functions.frameworks.langgraph import LangGraph, recorded
from overwinter.tests.frameworks.counting import CALLS, check, count

EXAMPLE = Path(__file__).parents[2] / "examples" / "frameworks" / "langgraph_clerk.py"


class Script(BaseChatModel):
    """Two tools beside each other, then one that can't be undone, then what it has seen."""

    @property
    def _llm_type(self) -> str:
        return "script"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self.bind(tools=[one.name for one in tools])

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        count("model")
        asked = [message.text for message in messages if message.type == "human"]
        begun = max(number for number, message in enumerate(messages) if message.type == "human")
        results = [message.text for message in messages[begun:] if message.type == "tool"]
        calls: list[Any] = []
        if not results:
            calls = [("lookup", {"order_id": "o-1"}), ("weather", {"city": "Oslo"})]
        elif len(results) == 2:
            calls = [("refund", {"cents": 2450})]
        made: list[Any] = [{"name": name, "args": args, "id": f"{name}-{len(messages)}"} for name, args in calls]
        text = "" if calls else f"{results[-1]} for {asked}"
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text, tool_calls=made))])


@tool
def lookup(order_id: str) -> str:
    """Look up an order."""
    count("lookup")
    return f"{order_id} costs 2450"


@tool
async def weather(city: str) -> str:
    """Tell the weather."""
    count("weather")
    return f"rain in {city}"


@tool
async def refund(cents: int) -> str:
    """Give the money back."""
    count("refund")
    return f"{cents} paid"


def built() -> Any:
    tools = [recorded(one) for one in (lookup, weather, refund)]
    model = recorded(Script()).bind_tools(tools)

    async def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", tools_condition, ["tools", END])
    graph.add_edge("tools", "think")
    return graph.compile()


clerk = ForeignAgent("clerk", LangGraph(built()), output=str)
careful = ForeignAgent("careful", LangGraph(built()), output=str, irreversible=["refund"])


async def talk(world: World) -> list[str]:
    CALLS.clear()
    said = [await world.send(clerk, "c", text, id=text) for text in ("first", "second")]
    answers = [str(await message.reply()) for message in said]
    check(world, "clerk/c", 2)
    assert len(CALLS) == 2 * 6
    return answers


def test_no_recorded_call_is_made_again_wherever_it_dies() -> None:
    report = crash_everywhere(talk, functions=[clerk])
    assert report.outcome.value == ["2450 paid for ['first']", "2450 paid for ['first', 'second']"]
    assert report.points > 25


def test_an_irreversible_tool_is_called_once_at_the_most() -> None:
    seen: set[str] = set()

    async def scenario(world: World) -> str:
        CALLS.clear()
        message = await world.send(careful, "c", "first", id="m-1")
        try:
            return str(await message.reply())
        except InDoubt:
            return "in doubt"
        finally:
            check(world, "careful/c", 2, "refund")

    def same(one: Any, other: Any) -> bool:
        seen.add(other)
        return other in (one, "in doubt")

    crash_everywhere(scenario, functions=[careful], same=same)
    assert seen == {"2450 paid for ['first']", "in doubt"}


class Numbers(TypedDict):
    found: Annotated[list[str], operator.add]
    asked: str


@recorded
async def fetch(what: str) -> str:
    count("fetch")
    return f"{what}!"


def test_a_graph_of_plain_and_parallel_nodes_with_a_state_of_its_own() -> None:
    async def left(state: Numbers) -> dict[str, Any]:
        return {"found": [await fetch("left")]}

    async def right(state: Numbers) -> dict[str, Any]:
        return {"found": [await fetch("right")]}

    def join(state: Numbers) -> dict[str, Any]:
        return {"found": [f"joined {state['asked']}"]}

    graph: Any = StateGraph(Numbers)
    for node in (left, right, join):
        graph.add_node(node.__name__, node)
    for edge in ((START, "left"), (START, "right"), ("left", "join"), ("right", "join"), ("join", END)):
        graph.add_edge(*edge)
    agent = ForeignAgent(
        "both",
        LangGraph(
            graph.compile(),
            state=lambda turn, earlier: {"found": [], "asked": turn.input},
            result=lambda state: state["found"],
        ),
        output=list[str],
    )
    report = crash_everywhere(agent, "x", fresh=CALLS.clear)
    assert report.outcome.value == ["left!", "right!", "joined x"]


def test_a_function_waits_for_its_approval_as_a_tool_does() -> None:
    async def node(state: Numbers) -> dict[str, Any]:
        return {"found": [await fetch(state["asked"])]}

    graph: Any = StateGraph(Numbers)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    agent = ForeignAgent(
        "fetcher",
        LangGraph(graph.compile(), state=lambda turn, earlier: {"found": [], "asked": turn.input}, result=str),
        approval={"fetch": "desk"},
        irreversible=["fetch"],
    )

    async def scenario(world: World) -> None:
        run = await world.start(agent, "x", id="f")
        await world.sleep("1d")
        (asked,) = world.open_approvals("f")
        assert (asked["role"], asked["data"]) == ("desk", {"what": "x"}) and not CALLS
        await world.deny("f", by="ana", reason="no")
        with pytest.raises(ExecutionFailed, match="denied by ana"):
            await run.result()
        assert not CALLS

    crash_everywhere(scenario, functions=[agent], fresh=CALLS.clear)


@pytest.mark.parametrize("approved", [True, False])
def test_an_interrupt_waits_for_a_person(approved: bool) -> None:
    def ask(state: MessagesState) -> dict[str, Any]:
        may = interrupt({"cents": 5})
        return {"messages": [AIMessage("paid" if may else "not paid")]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    asking = ForeignAgent("asking", LangGraph(graph.compile()), output=str)

    async def scenario(world: World) -> str:
        message = await world.send(asking, "c", "Pay it", id="m-1")
        await world.reached("asking/c", "waiting")
        assert world.open_approvals("asking/c")[0]["data"] == {"cents": 5}
        await (world.approve("asking/c", by="ana") if approved else world.deny("asking/c", by="ana", reason="no"))
        return str(await message.reply())

    report = crash_everywhere(scenario, functions=[asking])
    assert report.outcome.value == ("paid" if approved else "not paid")


def test_what_a_tool_refuses_is_told_to_the_model_once() -> None:
    tries: list[int] = []

    @tool
    async def picky(x: int) -> str:
        """Take a number."""
        tries.append(x)
        raise ToolException("another one")

    picky.handle_tool_error = True
    node = recorded(picky)

    async def think(state: MessagesState) -> dict[str, Any]:
        said = await node.ainvoke({"name": "picky", "args": {"x": 1}, "id": "1", "type": "tool_call"})
        return {"messages": [AIMessage(said.text)]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_edge(START, "think")
    assert run(ForeignAgent("picky", LangGraph(graph.compile())), "Go", store="memory://") == "another one"
    assert len(tries) == 1


def test_outside_of_a_turn_what_is_wrapped_is_what_it_was() -> None:
    async def main() -> None:
        assert await recorded(weather_plain).ainvoke({"city": "Oslo"}) == "rain in Oslo"
        assert (await recorded(Plain()).ainvoke("Hi")).text == "Hi"
        assert recorded(Plain()).invoke("Hi").text == "Hi"
        assert recorded(weather_sync).invoke({"city": "Oslo"}) == "rain in Oslo"

    asyncio.run(main())


@tool
async def weather_plain(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


@tool
def weather_sync(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


class Plain(BaseChatModel):
    @property
    def _llm_type(self) -> str:
        return "plain"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(messages[-1].text))])


def test_what_can_not_work_is_refused_by_name() -> None:
    def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [recorded(Plain()).invoke([HumanMessage("Hi")])]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_edge(START, "think")
    with pytest.raises(ExecutionFailed, match="ainvoke"):
        run(ForeignAgent("sync", LangGraph(graph.compile())), "Go", store="memory://")
    with pytest.raises(InvalidInput, match="checkpointer"):
        LangGraph(graph.compile(checkpointer=InMemorySaver()))
    with pytest.raises(InvalidInput, match="compile"):
        LangGraph(graph)
    with pytest.raises(InvalidInput, match="async function"):
        recorded(lambda: 1)


def test_the_example_runs() -> None:
    functions = functions_of(load(EXAMPLE))
    assert run(functions["clerk"], "Where is o-17?", store="memory://") == "Found: rain in Oslo"
