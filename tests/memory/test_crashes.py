"""A process that dies anywhere remembers once, forgets for good, and answers as if it had not died."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from overwinter import Agent, Context, Memory, Scripted, call, current_call, workflow
from overwinter.functions.memory.looking import Wanted, held
from overwinter.testing import World, crash_everywhere

NOTES = Memory("support", embedding="scripted:echo")
ANA = NOTES.of("ana")


async def count() -> int:
    """How many there are: what says the same twice is recalled once."""
    shelf = current_call().shelf
    assert shelf is not None
    return sum(one.memories for one in await held(shelf.store, Wanted()))


@workflow
async def lesson(ctx: Context) -> tuple[list[str], list[str], int]:
    await asyncio.gather(*(ctx.step(ANA.remember, f"likes {drink} tea") for drink in ("green", "black")))
    wrong = await ctx.step(ANA.remember, "likes cold tea")
    before = await ctx.step(ANA.recall, "tea")
    await ctx.step(ANA.forget, wrong)
    after = await ctx.step(ANA.recall, "tea")
    return sorted(one.text for one in before), sorted(one.text for one in after), await ctx.step(count)


@workflow
async def look(ctx: Context) -> int:
    return await ctx.step(count)


def test_a_workflow_remembers_once_wherever_it_dies() -> None:
    report = crash_everywhere(lesson)
    green, black, cold = "likes green tea", "likes black tea", "likes cold tea"
    assert report.outcome.value == ([black, cold, green], [black, green], 2)
    assert report.points > 30


def test_a_session_remembers_once_wherever_it_dies() -> None:
    script = {"what do": call("recall", question="tea"), "i like": call("remember", text="likes green tea")}
    support = Agent("support", Scripted({**script, ".*": "ok"}), tools=NOTES.tools())

    async def scenario(world: World) -> Any:
        for text in ("I like green tea", "what do I like?"):
            await (await world.send(support, "ana", text)).reply()
        return await (await world.start(look)).result()

    report = crash_everywhere(scenario, functions=[support, look])
    assert report.outcome.value == 1 and report.points > 10


def test_on_a_real_store_too(tmp_path: Path) -> None:
    made = iter(range(10_000))

    def store() -> str:
        return f"sqlite:///{tmp_path}/{next(made)}.db"

    assert crash_everywhere(lesson, kills=6, store=store).kills
