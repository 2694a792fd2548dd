"""A desk that works at night: a timer, a step that lasts until a file exists, an agent, a tool, a wait.

``NIGHT_DESK`` names the folder of the files ``begun`` (written when the long step begins) and ``go``.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from overwinter import Agent, Retry, tool, workflow


def folder() -> Path:
    return Path(os.environ["NIGHT_DESK"])


@tool
def lookup_order(order_id: str) -> dict[str, str]:
    """Find an order."""
    if order_id == "down":
        raise RuntimeError("the shop is down")
    return {"id": order_id, "state": "shipped"}


@tool
async def answer_by_hand() -> str:
    """Wait for somebody to come."""
    (folder() / "begun").touch()
    while not (folder() / "go").exists():  # noqa: ASYNC110  # another process makes the file
        await asyncio.sleep(0.02)
    return "by hand"


@workflow
async def long_night(ctx: Any) -> str:
    """One step that lasts."""
    return str(await ctx.step(answer_by_hand))


def stand() -> str:
    """A plain step that lasts until the file is there."""
    with (folder() / "stood").open("a") as stood:
        stood.write("once\n")
    while not (folder() / "go").exists():
        time.sleep(0.02)
    return "stood"


@workflow
async def hard_night(ctx: Any) -> str:
    """A step that never fits into an invocation."""
    return str(await ctx.step(stand, retry=Retry(attempts=2)))


@workflow
async def errand(ctx: Any) -> str:
    """Set something going that nobody waits for."""
    await ctx.child(long_night, id="aside", detached=True)
    return "sent"


@workflow
async def shift(ctx: Any) -> str:
    """Two children that are waited for."""
    first, second = await ctx.child(remind, 1), await ctx.child(big, 2)
    return f"{first}, {second}"


@workflow
async def remind(ctx: Any, minutes: int) -> str:
    """A timer that outlives the process."""
    await ctx.sleep("1s")
    return f"slept, then {minutes}"


@workflow
async def parcel(ctx: Any) -> Any:
    """Wait for an event from outside."""
    return await ctx.wait_for("parcel.arrived")


@workflow
async def big(ctx: Any, size: int) -> str:
    """A large result, of text that grows in JSON."""
    return "é" * size


clerk = Agent("clerk", "scripted:echo", tools=[lookup_order])
