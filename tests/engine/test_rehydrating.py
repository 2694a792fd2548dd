"""A rehydrated execution is used again: signals that follow each other replay nothing, and nothing is read twice."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.orchestrator.workflow.decider import WorkflowDecider
from overwinter.state.memory import MemoryStore
from overwinter.testing import Faults, Moment
from overwinter.tests.engine.bench import Bench, at_bench

STEPS, SIGNALS = 30, 60


def nothing() -> None:
    return None


@workflow
async def listener(ctx: Context, _: Any) -> int:
    for _ in range(STEPS):
        await ctx.step(nothing)
    for _ in range(SIGNALS):
        await ctx.wait_for("tick")
        await ctx.step(nothing)
    return SIGNALS


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many entries each replay had."""
    lengths: list[int] = []
    genuine = WorkflowDecider.replay

    def replay(self: WorkflowDecider, state: str, first: int, entries: Any, now: int) -> None:
        lengths.append(len(entries))
        genuine(self, state, first, entries, now)

    monkeypatch.setattr(WorkflowDecider, "replay", replay)
    return lengths


def test_signals_that_follow_each_other_replay_nothing(tmp_path: Path, replayed: list[int]) -> None:
    """Each is sent as soon as the one before is acknowledged: while it is worked on, committed, released."""

    async def main() -> None:
        async with Runtime([listener], store=f"sqlite:///{tmp_path}/s.db") as runtime:
            handle = await runtime.start(listener, id="e")
            for number in range(SIGNALS):
                await runtime.signal("e", "tick", event_id=str(number))
                for _ in range(number % 7):
                    await asyncio.sleep(0)
            assert await handle.result("20s") == SIGNALS

    asyncio.run(main())
    assert replayed == [0]  # the start


class Slow(Faults):
    """A store some milliseconds away, each call as far as any other."""

    async def at(self, moment: Moment) -> None:
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_moment_at_which_the_next_signal_comes(seed: int, replayed: list[int]) -> None:
    draw = random.Random(seed)

    async def work(bench: Bench) -> None:
        process = await bench.process(listener, faults=Slow(), poll="1h")
        await bench.start(process, "listener", "e")
        await asyncio.sleep(5)
        for _ in range(SIGNALS):
            await process.call(lambda runtime: runtime.signal("e", "tick"))
            await asyncio.sleep(draw.choice((0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05)))
        assert (await bench.ended("e"))["value"] == SIGNALS

    at_bench(work)
    assert replayed == [0]


def test_the_journal_is_not_read_again_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is told which version is here, also while the release that makes it is on its way."""
    read: list[int] = []
    genuine = MemoryStore._accept

    def accept(self: MemoryStore, *arguments: Any) -> Any:
        accepted = genuine(self, *arguments)
        if accepted.entries:
            read.append(len(accepted.entries))
        return accepted

    monkeypatch.setattr(MemoryStore, "_accept", accept)

    async def work(bench: Bench) -> None:
        process = await bench.process(listener, faults=Slow(), poll="1h")
        await bench.start(process, "listener", "e")
        await asyncio.sleep(5)
        for number in range(SIGNALS):
            await process.call(lambda runtime: runtime.signal("e", "tick"))
            await asyncio.sleep(0.005 * (number % 6))
        assert (await bench.ended("e"))["value"] == SIGNALS

    at_bench(work)
    assert read == []
