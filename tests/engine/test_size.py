"""What an execution does may grow; its head, a commit's round trips and a wake's reading may not."""

from __future__ import annotations

import asyncio

from overwinter.functions.agents.agent import Agent
from overwinter.functions.models.scripted import Scripted, echo
from overwinter.functions.workflow import workflow
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.codec import dumps
from overwinter.tests.engine.bench import Bench, at_bench


def test_a_map_over_ten_thousand_items_keeps_the_head_small() -> None:
    async def double(item: int) -> int:
        await asyncio.sleep(0.001)
        return 2 * item

    @workflow
    async def wide(ctx: Context, items: int) -> int:
        return sum(await ctx.map(double, range(items), concurrency=500))

    async def work(bench: Bench) -> None:
        process = await bench.process(wide)
        handle = await bench.start(process, "wide", "e", 10_000)
        await bench.ended("e")
        assert await process.call(lambda _: handle.result()) == 10_000 * 9_999
        head = bench.ledger.head_now("e")
        assert head is not None and head.length == 10_002
        assert bench.ledger.commits < 200  # results of one turn share a commit

    at_bench(work)  # the ledger holds every head under 64 KB


def test_a_session_of_many_messages_has_a_small_head_and_wakes_from_its_window() -> None:
    agent = Agent("desk", Scripted(echo), history=20)

    async def work(bench: Bench) -> None:
        process = await bench.process(agent, cache=0)
        for number in range(400):
            sent = await process.call(lambda runtime: runtime.send(agent, "s", "hello", id=f"m{number}"))  # noqa: B023
            await process.call(lambda _: sent.reply())  # noqa: B023
        head = bench.ledger.head_now("desk/s")
        assert head is not None and head.status == "idle"
        assert head.length >= 1200
        assert head.length - head.base < 100
        assert len(dumps(head)) < 2048

    at_bench(work)
