"""The workflow of a ticket: it knows the tools and the desk by name alone; where they are, the routes say."""

from typing import Any

from tools import lookup, notify, refund  # type: ignore[import-not-found]  # beside this file

from overwinter import Context, InDoubt, workflow


@workflow
async def ticket(ctx: Context, name: str) -> list[Any]:
    order = await ctx.step(lookup, name)
    answer = await ctx.call("desk", name)
    try:
        paid = await ctx.step(refund, name)
    except InDoubt:
        paid = "in doubt"
    return [order, answer, paid, await ctx.step(notify, name)]
