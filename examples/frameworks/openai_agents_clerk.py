"""An agent of the OpenAI Agents SDK that survives its process: each answer of its models and each call of a function
tool is recorded, also of the agent that it hands off to.

    overwinter run examples/frameworks/openai_agents_clerk.py clerk "Where is o-17?" --store memory://

The models here are scripts, so that it runs without a key; ``Agent(model="gpt-5-mini", …)`` asks a real one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, Model, ModelResponse, Usage, function_tool
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from overwinter.functions.foreign import ForeignAgent
from overwinter.functions.frameworks.openai_agents import OpenAIAgents


class Script(Model):
    """A model that goes by a list: names of tools with their arguments, or a text, in which {} is the last result."""

    def __init__(self, *lines: Any) -> None:
        self.lines = lines

    async def get_response(self, system_instructions: Any, input: Any, *_: Any, **__: Any) -> ModelResponse:
        begun = max(number for number, item in enumerate(input) if item.get("role") == "user")
        results = [item["output"] for item in input[begun:] if item.get("type") == "function_call_output"]
        said = [item for item in results if not item.startswith('{"assistant"')]  # what a handoff leaves
        line = self.lines[len(said)]
        call_id = f"call-{len(input)}"
        output: Any = (
            ResponseOutputMessage(
                id=f"message-{len(input)}",
                content=[ResponseOutputText(text=line.format(*said[-1:]), annotations=[], type="output_text")],
                role="assistant",
                status="completed",
                type="message",
            )
            if isinstance(line, str)
            else ResponseFunctionToolCall(
                name=line[0], arguments=json.dumps(line[1]), call_id=call_id, type="function_call"
            )
        )
        return ModelResponse([output], Usage(requests=1, input_tokens=7, output_tokens=3, total_tokens=10), None)

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


@function_tool
def lookup(order_id: str) -> str:
    """Look up an order."""
    return f"{order_id} costs 24.50"


@function_tool
async def refund(order_id: str, cents: int) -> str:
    """Give the money back."""
    return f"{cents / 100:.2f} for {order_id} given back"


cashier = Agent(
    name="cashier",
    model=Script((), ("refund", {"order_id": "o-17", "cents": 2450}), "{}."),  # its first line was the desk's
    tools=[refund],
)
desk = Agent(
    name="desk",
    model=Script(("lookup", {"order_id": "o-17"}), ("transfer_to_cashier", {})),
    instructions="You help customers of a shop.",
    tools=[lookup],
    handoffs=[cashier],
)
clerk = ForeignAgent("clerk", OpenAIAgents(desk), irreversible=["refund"], description="Helps customers of a shop.")
