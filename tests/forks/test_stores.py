"""Forks on every kind of store: what they begin with, big values among it, and that nothing is done again."""

from __future__ import annotations

import asyncio

from overwinter import Context, Runtime, workflow
from overwinter.orchestrator.audit.proving import prove
from overwinter.state.opening import open_store
from overwinter.state.records import EVERYTHING
from overwinter.tests.apart.place import on_a_loop

DONE: list[str] = []
BIG = "x" * 300_000


async def draw(text: str) -> str:
    DONE.append(text[:9])
    return text + BIG


@workflow
async def part(ctx: Context, text: str) -> str:
    return await ctx.step(draw, f"{text[:3]} part")


@workflow
async def whole(ctx: Context) -> int:
    await ctx.state.put("seen", 1)
    first = await ctx.step(draw, "first")
    second = await ctx.child(part, first)
    return len(first) + len(second) + (await ctx.state.get("seen", type=int) or 0)


@on_a_loop
async def test_at_every_entry(dsn: str) -> None:
    DONE.clear()
    store = open_store(dsn)
    await store.create()
    async with asyncio.timeout(60), Runtime([whole, part], store) as runtime:
        said = await (await runtime.start(whole, id="o")).result()
        length = len(await runtime.history("o"))
        forks = [await runtime.fork("o", at) for at in range(2, length + 1)]
        assert [await runtime.result(fork) for fork in forks] == [said] * (length - 1)
        assert DONE == ["first", "fir part"]
        assert await runtime.result(await runtime.fork(forks[0], length)) == said
        assert not [finding async for one in prove(runtime.store, EVERYTHING) for finding in one.findings]
