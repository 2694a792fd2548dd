"""Events that nobody has taken go on over checkpoints, however many and big they are, and are journaled once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from overwinter import Context, workflow
from overwinter.orchestrator.protocol.keeping import CARRIED, Kept, keep, kept
from overwinter.state.codec import dumps
from overwinter.testing import Process, World, crash_everywhere
from overwinter.tests.engine.bench import Bench, at_bench

MANY = 5


@workflow
async def rounds(ctx: Context, left: int) -> list[Any]:
    """Begins anew three times, and takes the events only then."""
    if left:
        await ctx.wait_for(f"go {left}")
        await ctx.checkpoint(left - 1)
    found: list[Any] = [await ctx.wait_for("big") for _ in range(MANY)]
    return [[len(each["text"]), each["number"]] for each in found]


async def go(process: Process, left: int) -> None:
    await process.call(lambda runtime: runtime.signal("e", f"go {left}", event_id=f"go {left}"))


async def send(process: Process, size: int) -> None:
    for number in range(MANY):
        data = {"text": "x" * size, "number": number}
        await process.call(lambda runtime: runtime.signal("e", "big", data, event_id=str(number)))  # noqa: B023 # used at once


@pytest.mark.parametrize("size", [10, 20_000, 300_000, 3_900_000])
@pytest.mark.parametrize("again", [False, True], ids=["in one process", "each time another"])
def test_what_nobody_has_taken_goes_on(size: int, again: bool) -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(rounds)
        await bench.start(process, "rounds", "e", 3)
        await send(process, size)
        for left in (3, 2, 1):
            await bench.status("e", "waiting")
            if again:
                process.kill()
                process = await bench.process(rounds)
            if left == 2:  # what is journaled beside the code is counted too
                await process.call(lambda runtime: runtime.pause("e"))
                await bench.status("e", "paused")
                await process.call(lambda runtime: runtime.resume("e"))
            await go(process, left)
        assert (await bench.ended("e"))["value"] == [[size, number] for number in range(MANY)]
        journal = bench.ledger.journal_now("e")
        assert sum(fact["type"] == "event" and fact["name"] == "big" for fact in journal) == MANY
        points = [fact for fact in journal if fact["type"] == "checkpoint"]
        assert len(points) == 3
        assert all(len(dumps(point)) < CARRIED + 2000 for point in points)
        head = bench.ledger.head_now("e")
        assert head is not None
        assert journal[head.base - 1]["type"] == "checkpoint"  # the base is exact

    at_bench(work)


def test_nothing_of_it_is_lost_in_a_crash() -> None:
    async def scenario(world: World) -> Any:
        run = await world.start(rounds, 2, id="e")
        for number in range(MANY):
            await world.signal("e", "big", {"text": "x" * 40_000, "number": number})
        for left in (2, 1):
            await world.signal("e", f"go {left}")
        return await run.result()

    crash_everywhere(scenario, functions=[rounds])


def event(number: int, size: int) -> Kept:
    return Kept(number, {"type": "event", "id": str(number), "name": "n", "data": "x" * size})


def restored(point: dict[str, Any], journal: Sequence[Kept]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = [{"type": "step"} for _ in range(max((each.number for each in journal), default=0))]
    for each in journal:
        if each.number:
            entries[each.number - 1] = each.fact
    return [each.fact for each in kept(point, 1, entries)]


def test_the_first_are_carried_and_the_others_named_in_their_order() -> None:
    point: dict[str, Any] = {"type": "checkpoint"}
    events = [event(number, 20_000) for number in (9, 3, 4, 5, 12)]
    keep(point, events)
    assert [each["id"] for each in point["events"]] == ["3", "4", "5"]
    assert point["kept"] == [[9, 9], [12, 12]]
    assert restored(point, events) == [each.fact for each in sorted(events, key=lambda each: each.number)]


def test_what_a_checkpoint_carries_has_no_number_and_is_carried_on() -> None:
    point: dict[str, Any] = {"type": "checkpoint"}
    keep(point, [event(7, 70_000), event(0, 70_000), event(0, 1)])
    assert len(point["events"]) == 2
    assert point["kept"] == [[7, 7]]
    small: dict[str, Any] = {"type": "checkpoint"}
    keep(small, [event(number, 1) for number in range(1, 20)])
    assert "kept" not in small
