"""The workflows and agents that are measured, written as a user would write them: typed, nothing switched off."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from overwinter import Agent, Context, workflow
from overwinter.functions.models.port import Message, ToolSchema
from overwinter.functions.models.scripted import Scripted


async def increment(value: int) -> int:
    return value + 1


@workflow
async def sequence(ctx: Context, length: int) -> int:
    """``length`` trivial steps, one after another."""
    value = 0
    for _ in range(length):
        value = await ctx.step(increment, value)
    return value


@workflow
async def fanout(ctx: Context, width: int) -> int:
    """``width`` trivial steps at once, joined."""
    return sum(await asyncio.gather(*(ctx.step(increment, value) for value in range(width))))


def backwards(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str:
    """The last message backwards: an answer as long as what was said."""
    return messages[-1].content[::-1]


talker = Agent("talker", model=Scripted(backwards), instructions="You say it backwards.")
