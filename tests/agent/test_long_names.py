"""A model may name its calls as it likes: nothing of what it says ends in a session that is stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from overwinter import Agent, Runtime, tool
from overwinter.functions.model import Message, Scripted, ToolCall
from overwinter.orchestrator.agent.answer import LONGEST


@tool
def look(place: str = "") -> str:
    """Look there."""
    return f"seen {place}"


@pytest.mark.parametrize(
    "call",
    [ToolCall("1", "n" * 300_000, "{}"), ToolCall("i" * 300_000, "look", "{}"), ToolCall("i" * LONGEST, "look", "{}")],
    ids=["name", "id", "longest id"],
)
def test_a_long_name_or_id_is_answered(call: ToolCall) -> None:
    told: list[Message] = []

    def script(messages: Sequence[Message], tools: Sequence[Any]) -> str | list[ToolCall]:
        told[:] = messages
        return [call] if messages[-1].role == "user" else "done"

    agent = Agent("looker", model=Scripted(script), tools=[look])

    async def main() -> None:
        async with Runtime([agent], "memory://") as runtime:
            assert await (await runtime.send(agent, "s", "go")).reply("20s") == "done"
            assert await (await runtime.send(agent, "s", "again")).reply("20s") == "done"
            history = await runtime.store.history("looker/s")
            assert max(map(len, history)) < 400_000, "the answer itself, once"

    asyncio.run(main())
    asked = next(message for message in told if message.tool_calls)
    answers = {message.tool_call_id for message in told if message.role == "tool"}
    assert {one.id for one in asked.tool_calls} <= answers
    assert ("seen" in told[-1].content) == (call.name == "look")
