"""What came of a call in doubt, said in time and taken up late."""

from __future__ import annotations

import asyncio

from overwinter import Context, tool, workflow
from overwinter.functions.effects import Done, Resolve

from .bench import Bench, at_bench


@tool(effect="irreversible", in_doubt=Resolve(after="1m"))
async def wire(order: str) -> str:
    """The answer never comes."""
    await asyncio.sleep(86400)
    return order


@workflow
async def sends(ctx: Context, order: str) -> str:
    return await ctx.step(wire, order)


def test_the_word_of_a_person_that_came_in_time_comes_before_the_rule() -> None:
    async def scenario(bench: Bench) -> None:
        first = await bench.process(sends)
        await bench.start(first, "sends", "x", "o")
        await asyncio.sleep(1)
        first.kill()
        second = await bench.process(sends)
        await bench.status("x", "in-doubt")
        second.kill()
        onlooker = await bench.process(sends, onlooker=True)
        await asyncio.sleep(20)
        await onlooker.call(lambda runtime: runtime.resolve("x", None, Done("in time")))
        await asyncio.sleep(60)  # the rule's time has passed, and nobody has looked
        onlooker.kill()
        await bench.process(sends)
        assert (await bench.ended("x"))["value"] == "in time"

    at_bench(scenario)
