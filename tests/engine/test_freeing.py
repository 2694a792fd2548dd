"""An execution that has gone from a process is freed at once, without the collector: cycles would cost every process a
walk through all that it holds, again and again."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import pytest

from overwinter import Agent, Context, Runtime, tool, workflow
from overwinter.functions.model import Scripted, call
from overwinter.orchestrator.engine.engine import Settings


async def double(number: int) -> int:
    return 2 * number


@workflow
async def steps(ctx: Context, number: int) -> int:
    await ctx.sleep("1ms")
    one, two = await asyncio.gather(ctx.step(double, number), ctx.step(double, number))
    async with asyncio.timeout(60):
        return await ctx.step(double, one + two)


@workflow
async def parent(ctx: Context, number: int) -> int:
    return await ctx.child(steps, number)


@workflow
async def listener(ctx: Context, _: None) -> str:
    return str(await ctx.wait_for("news"))


@tool
def look(place: str) -> str:
    """Look there."""
    return place


def of_ours() -> Counter[str]:
    """What the collector finds of ours that only refers to itself, by type."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return Counter(
            f"{type(one).__module__}.{type(one).__qualname__}"
            for one in gc.garbage
            if type(one).__module__.startswith("overwinter.orchestrator")
        )
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


@pytest.mark.parametrize("cache", [0, 100])
def test_what_has_gone_leaves_no_cycle(cache: int) -> None:
    agent = Agent("looker", model=Scripted({"look": call("look", place="here"), ".*": "done"}), tools=[look])

    async def main() -> None:
        settings = Settings(cache=cache)
        async with Runtime([steps, parent, listener, agent], store="memory://", settings=settings) as runtime:
            gc.collect()
            gc.disable()
            for number in range(3):
                assert await (await runtime.start(parent, number)).result("20s") == number * 8
                handle = await runtime.start(listener, id=f"l{number}")
                await runtime.signal(f"l{number}", "news", "x")
                assert await handle.result("20s") == "x"
                assert await (await runtime.start(agent, "look")).result("20s") == "done"
            await asyncio.sleep(0.05)
            found = of_ours()
            assert not found, found

    try:
        asyncio.run(main())
    finally:
        gc.enable()
