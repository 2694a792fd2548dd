"""Schedules under the crash kit: the process dies at every operation of the store, and nothing is different."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter import Context, schedule, workflow
from overwinter.orchestrator.schedule.decider import ScheduleDecider
from overwinter.state.records import FINAL
from overwinter.testing import CrashFailure, World, crash_everywhere


async def work(n: int) -> int:
    await asyncio.sleep(40)
    return n


@schedule(every="1m", name="tick", input=5, overlap="queue")
@workflow
async def report(ctx: Context, n: int) -> str:
    return f"{ctx.execution[:5]} {await ctx.step(work, n)}"


async def scenario(world: World) -> Any:
    """Five runs, a pause, a change, one by hand, and away with it. What became of each."""
    for _ in range(3):
        await world.sleep("1m")
    await world.call(lambda runtime: runtime.schedules.run_now("tick", id="hand"))
    await world.pause("schedule/tick")
    await world.sleep("5m")
    await world.resume("schedule/tick")
    await world.sleep("70s")
    await world.call(lambda runtime: runtime.schedules.change("tick", every="10m"))
    await world.sleep("11m")
    await world._effect(lambda runtime: runtime.schedules.remove("tick"))
    await world.reached("schedule/tick", *FINAL)
    runs = [head for head in world.ledger.heads_now() if head.parent == "schedule/tick"]
    return sorted((head.id.partition("@")[2][:1], head.status) for head in runs), len(runs)


def test_a_crash_anywhere_makes_no_difference() -> None:
    report_ = crash_everywhere(scenario, functions=[report], kills=60, seed=3)
    assert report_.kills > 50


async def short(world: World) -> Any:
    await world.until(lambda: True if len(runs(world)) == 2 else None)
    await world._effect(lambda runtime: runtime.schedules.remove("tick"))
    await world.reached("schedule/tick", *FINAL)
    return len({entry["id"] for entry in ordered(world)}) == len(ordered(world))


def ordered(world: World) -> list[Any]:
    return [entry for entry in world.journal("schedule/tick") if entry["type"] == "ordered"]


def runs(world: World) -> list[Any]:
    return [head for head in world.ledger.heads_now() if head.parent == "schedule/tick" and head.status in FINAL]


def test_a_crash_at_each_point_makes_no_difference() -> None:
    assert crash_everywhere(short, functions=[report]).points > 20


def test_what_is_begun_without_a_record_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ScheduleDecider._write

    def unrecorded(self: ScheduleDecider, entry: Any) -> None:
        original(self, entry)
        if entry["type"] == "ordered":
            self._pending.remove(entry)
            self._number -= 1

    monkeypatch.setattr(ScheduleDecider, "_write", unrecorded)
    with pytest.raises(CrashFailure, match="before schedule/tick had recorded that it orders it"):
        crash_everywhere(short, functions=[report])
