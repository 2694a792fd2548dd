"""A lease goes only when nobody has anything left to tell: no fact is lost by any answer to any commit."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from overwinter import Context, workflow
from overwinter.functions.runtime import Runtime
from overwinter.orchestrator.engine import engine
from overwinter.orchestrator.protocol.decider import Fact
from overwinter.state.errors import ExecutionFailed
from overwinter.testing import Faults, Moment, World, crash_everywhere
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Chain, Sleep

broken = False


async def fragile() -> str:
    if broken:
        raise ValueError("it is broken")
    return "well"


@workflow
async def report(ctx: Context, day: int) -> int:
    return day


@workflow
async def weekly(ctx: Context) -> list[int]:
    return [await ctx.child(report, day, id=f"{ctx.execution}/report") for day in (1, 1)]


@workflow
async def patient(ctx: Context) -> str:
    await ctx.sleep("1m")
    return await ctx.step(fragile)


@workflow
async def persistent(ctx: Context) -> str:
    try:
        return await ctx.child(patient, id="patient")
    except ExecutionFailed:
        await ctx.sleep("1m")
        return await ctx.child(patient, id="patient")


def test_a_child_that_has_ended_already_is_told_of_at_every_crash() -> None:
    outcome = crash_everywhere(weekly, functions=[report]).outcome
    assert outcome.value == [1, 1]


def test_a_child_that_has_ended_already_is_told_of_on_sqlite(tmp_path: Path) -> None:
    async def main() -> None:
        async with Runtime([weekly, report], f"sqlite:///{tmp_path}/a.db") as runtime:
            assert await (await runtime.start(weekly)).result(timeout="1m") == [1, 1]

    asyncio.run(main())


def test_the_end_of_a_child_tells_of_its_start_too() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(weekly, report)
        await bench.start(process, "weekly", "e")
        await bench.ended("e")
        assert [fact["op"] for fact in bench.ledger.journal_now("e") if fact["type"] == "sent"] == ["0"]

    at_bench(work)


def test_a_child_that_ends_a_second_time_is_told_of_again() -> None:
    """It failed, somebody opened it again, and meanwhile its parent has asked for it anew."""

    async def scenario(world: World) -> Any:
        global broken
        broken = True
        run = await world.start(persistent)
        await world.reached("patient", "failed")
        broken = False
        await world.retry("patient")
        return await run.result()

    assert crash_everywhere(scenario, functions=[persistent, patient]).outcome.value == "well"


class Late(Faults):
    """Reports a fact to the execution while its releasing append is answered."""

    def __init__(self) -> None:
        self.bench: Bench | None = None
        self.told = 0

    async def at(self, moment: Moment) -> None:
        if self.bench is None or (moment.operation, moment.when) != ("append", "after") or self.told:
            return
        activation = self.bench.processes[0].engine.active["e"]
        self.told += 1
        fact: Fact = {"type": "timer", "op": "0", "at": activation.now(), "kind": "sleep", "name": ""}
        activation.report(fact)


@pytest.mark.parametrize("cache", [0, 256])
def test_what_comes_while_the_store_answers_that_the_lease_is_given_back_is_not_forgotten(cache: int) -> None:
    async def work(bench: Bench) -> None:
        late = Late()
        process = await bench.process(Chain("chain", [Sleep(3_600_000)]), faults=late, cache=cache)
        late.bench = bench
        await bench.start(process, "chain", "e")
        assert (await bench.ended("e"))["type"] == "completed"
        assert late.told and bench.loop.time() < 60

    at_bench(work)


def test_loading_that_fails_unforeseen_gives_the_execution_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done for an execution outside of its turns can't hold it for ever either."""
    failed: list[str] = []

    async def resolve(store: Any, id: str, facts: Any) -> None:
        if not failed:
            failed.append(id)
            raise LookupError("unforeseen")

    async def work(bench: Bench) -> None:
        process = await bench.process(Chain("chain", [Sleep(10_000)]), cache=0)
        await bench.start(process, "chain", "e", {"blob": "looks like one"})
        assert (await bench.ended("e"))["type"] == "completed"
        assert failed

    monkeypatch.setattr(engine, "resolve", resolve)
    at_bench(work)
