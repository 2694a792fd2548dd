"""A graph of LangGraph that survives its process: each answer of its model and each call of a tool is recorded, and a
node that interrupts itself waits for a person, for days if need be.

    overwinter run examples/frameworks/langgraph_clerk.py clerk "Where is o-17?" --store memory://

The model here is a script, so that it runs without a key; ``recorded(ChatOpenAI(model="gpt-5-mini"))`` asks a real one.
"""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # typed, unmarked
from langgraph.prebuilt import ToolNode, tools_condition

from overwinter.functions.foreign import ForeignAgent
from overwinter.functions.frameworks.langgraph import LangGraph, recorded


class Script(BaseChatModel):
    """It looks the order up and asks for the weather, and says what it has found."""

    @property
    def _llm_type(self) -> str:
        return "script"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self.bind(tools=[tool.name for tool in tools])

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        last = messages[-1]
        message = AIMessage(f"Found: {last.text}")
        if last.type == "human":
            calls = [
                {"name": "lookup", "args": {"order_id": "o-17"}, "id": f"call-{len(messages)}-a"},
                {"name": "weather", "args": {"city": "Oslo"}, "id": f"call-{len(messages)}-b"},
            ]
            message = AIMessage("", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=message)])


@tool
def lookup(order_id: str) -> str:
    """Look up an order."""
    return f"{order_id} costs 24.50"


@tool
async def weather(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


tools = [recorded(lookup), recorded(weather)]
model = recorded(Script()).bind_tools(tools)


async def think(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model.ainvoke(state["messages"])]}


graph: Any = StateGraph(MessagesState)
graph.add_node("think", think)
graph.add_node("tools", ToolNode(tools))
graph.add_edge(START, "think")
graph.add_conditional_edges("think", tools_condition, ["tools", END])
graph.add_edge("tools", "think")

clerk = ForeignAgent("clerk", LangGraph(graph.compile()), output=str, description="Helps customers of a shop.")
