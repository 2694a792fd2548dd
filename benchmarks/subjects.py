"""The workflows and agents that are measured, written as a user would write them: typed, nothing switched off."""

from __future__ import annotations

import asyncio

from overwinter import Agent, Context, workflow


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
