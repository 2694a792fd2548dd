"""W5, a Functions Framework source: one workflow of ten steps as the target."""

from __future__ import annotations

from overwinter import Context, workflow


def increment(value: int) -> int:
    return value + 1


@workflow
async def prepare(ctx: Context, count: int) -> int:
    value = count
    for _ in range(10):
        value = await ctx.step(increment, value)
    return value
