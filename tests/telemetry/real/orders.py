"""What the served process of these tests serves: a workflow with a call that fails first, a child, an approval, an
agent, an event for somebody else, and a step that goes on when a file is there."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from overwinter import Agent, Context, Retry, Scripted, call, current_call, subscribe, tool, workflow


async def charge(order: str) -> str:
    if current_call().attempt == 1:
        raise ConnectionError("the bank is away")
    return f"charged {order}"


async def pack(order: str) -> str:
    return f"packed {order}"


async def wait_for_file(order: str) -> str:
    """Says that it is at work, and goes on when it may."""
    gate = Path(os.environ["GATE"])
    gate.with_suffix(".reached").touch()  # it is another process that looks
    while not gate.exists():  # noqa: ASYNC110, ASYNC240  # it is another process that makes it
        await asyncio.sleep(0.02)
    return f"{order} went on"


async def refuse(order: str) -> str:
    raise ValueError(f"nobody delivers {order}")


@tool
async def lookup(order: str) -> str:
    """Look an order up."""
    return f"{order} is packed"


def say(messages: Any, tools: Any) -> Any:
    return "It is packed." if messages[-1].role == "tool" else call("lookup", order="A-1")


clerk = Agent("clerk", Scripted(say, delay="10ms"), tools=[lookup])


@workflow
async def parcel(ctx: Context, order: str) -> str:
    packed = await ctx.step(pack, order)
    await ctx.publish("parcel.packed", {"order": order})
    return packed


@subscribe(type="parcel.packed")
@workflow
async def tell(ctx: Context, parcel: dict[str, str]) -> str:
    return f"told of {parcel['order']}"


@workflow
async def order(ctx: Context, order: str) -> str:
    await ctx.step(charge, order, retry=Retry(3, first="10ms"))
    await ctx.child(parcel, order)
    await ctx.approve("delivery")
    await ctx.call(clerk, f"Where is {order}?")
    await ctx.step(wait_for_file, order)
    return await ctx.step(pack, "the rest")


@workflow
async def lost(ctx: Context, order: str) -> str:
    await ctx.step(pack, order)
    return await ctx.step(refuse, order, retry=Retry(1))
