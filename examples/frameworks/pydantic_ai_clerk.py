"""An agent of pydantic-ai that survives its process: each question to its model and each call of a tool is recorded.

    overwinter run examples/frameworks/pydantic_ai_clerk.py clerk "Where is o-17?" --store memory://

The model here is a script, so that it runs without a key; ``Agent("openai:gpt-5-mini", …)`` asks a real one.
"""

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent, ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from overwinter.functions.foreign import ForeignAgent
from overwinter.functions.frameworks.pydantic_ai import PydanticAI


def script(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """It looks the order up, refunds it, and says what it has done."""
    results: list[Any] = [part.content for part in messages[-1].parts if part.part_kind == "tool-return"]
    if not results:
        return ModelResponse([ToolCallPart("lookup", {"order_id": "o-17"}), ToolCallPart("weather", {"city": "Oslo"})])
    if len(results) == 2:
        return ModelResponse([ToolCallPart("refund", {"order_id": "o-17", "cents": results[0]["cents"]})])
    return ModelResponse([TextPart(f"Done: {results[0]}")])


agent = Agent(FunctionModel(script), instructions="You help customers of a shop.")


@agent.tool_plain
def lookup(order_id: str) -> dict[str, int | str]:
    """Look up an order."""
    return {"order_id": order_id, "cents": 2450}


@agent.tool_plain
async def weather(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


@agent.tool_plain
async def refund(order_id: str, cents: int) -> str:
    """Give the money back."""
    return f"{cents / 100:.2f} for {order_id} given back"


clerk = ForeignAgent("clerk", PydanticAI(agent), irreversible=["refund"], description="Helps customers of a shop.")
