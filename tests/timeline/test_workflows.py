"""The timeline of a workflow has the times at which its code really did things, waits too, of which the journal has
only the ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from overwinter import Context, ExecutionFailed, Retry, TimedOut, workflow
from overwinter.orchestrator.timeline.timeline import Timeline
from overwinter.testing.world import World

from .living import folds, lines, lived, one, since, told, waits

TRIES: list[str] = []


async def work(what: str = "") -> str:
    await asyncio.sleep(2)
    return what


async def fourth(what: str) -> str:
    TRIES.append(what)
    await asyncio.sleep(1)
    if len(TRIES) < 4:
        raise RuntimeError("not yet")
    return what


async def broken(what: str) -> str:
    raise ValueError(f"no {what}")


@workflow
async def nap(ctx: Context, what: str) -> str:
    await ctx.step(work, what)
    await ctx.sleep("30s")
    return await ctx.step(work, what)


@workflow
async def stages(ctx: Context, what: str) -> None:
    await ctx.step(work, what)
    await ctx.sleep("1h", name="pause")
    await ctx.wait_for("paid")
    with suppress(TimedOut):
        await ctx.wait_for("never", timeout="2m")
    await ctx.child(nap, what)
    await ctx.wait_for("more")


def test_steps_sleeps_events_and_children_in_a_row() -> None:
    async def act(world: World) -> Timeline:
        await world.start(stages, "a", id="x")
        await waits(world, "x", "event paid")
        await asyncio.sleep(100)
        await world.signal("x", "paid")
        await waits(world, "x", "event more")
        await asyncio.sleep(20)
        return await told(world, "x")

    found = lived([stages, nap], act)
    assert lines(found) == [
        ("0", "step", "work", 0, 2, "done"),
        ("1", "sleep", "pause", 2, 3_602, "done"),
        ("", "event", "paid", 3_602, 3_702, "done"),
        ("3", "event", "never", 3_702, 3_822, "failed"),
        ("4", "child", "nap", 3_822, 3_856, "done"),
        ("", "event", "more", 3_856, None, "open"),
    ]
    assert folds(found) == [
        (2, 3_602, "sleep pause"),
        (3_602, 3_702, "event paid"),
        (3_702, 3_822, "event never"),
        (3_856, 3_876, "event more"),
    ]
    assert one(found, "4").child == "x/4" and not one(found, "0").wait and one(found, "1").wait
    assert (found.status, since(found, found.end)) == ("waiting", 3_876)


@workflow
async def trip(ctx: Context, what: str) -> None:
    async def air(ctx: Context) -> None:
        await ctx.sleep("1m")
        await ctx.step(work, "seat")

    async def hotel(ctx: Context) -> None:
        await ctx.step(work, "room")
        await ctx.approve("the hotel")

    await ctx.parallel(air, hotel, work, names=("air", "hotel", "car"))
    await ctx.map(work, ["1", "2"])


def test_branches_stand_below_their_group_and_begin_with_it() -> None:
    async def act(world: World) -> Timeline:
        await world.start(trip, "a", id="x")
        await waits(world, "x", "approval")
        await asyncio.sleep(100)
        return await told(world, "x")

    found = lived([trip], act)
    assert [(bar.op, bar.depth, bar.parent) for bar in found.rows if bar.kind != "start"] == [
        ("0", 0, ""),
        ("0.0", 1, "0"),
        ("0.0.0", 2, "0.0"),
        ("0.0.1", 2, "0.0"),
        ("0.1", 1, "0"),
        ("0.1.0", 2, "0.1"),
        ("0.1.1", 2, "0.1"),
        ("0.2", 1, "0"),
    ]
    assert one(found, "0.0.0").begin == found.begin and one(found, "0.0.0").branch == "air"
    hotel = one(found, "0.1")
    assert (hotel.kind, hotel.name, hotel.end, hotel.status) == ("group", "hotel", None, "open")
    assert folds(found) == [(2, 60, "sleep, approval the hotel"), (62, 102, "approval the hotel")]


@workflow
async def stubborn(ctx: Context, what: str) -> str:
    await ctx.step(work, what)
    return await ctx.step(fourth, what, retry=Retry(attempts=5, first="1s", factor=30, jitter=False, in_process="5s"))


def test_attempts_in_the_process_and_across_it() -> None:
    async def act(world: World) -> Timeline:
        TRIES.clear()
        await (await world.start(stubborn, "a", id="x")).result()
        return await told(world, "x")

    found = lived([stubborn], act)
    bar = one(found, "1")
    assert (since(found, bar.begin), bar.tried, bar.guessed, bar.status) == (2, 4, True, "done")
    # The first attempt failed at 3 s and the second, after a second in this process, at 5 s: of both one entry tells.
    spans = [(one.n, since(found, one.begin), since(found, one.end)) for one in bar.attempts]
    assert spans == [(2, None, 5), (3, 35, 36), (4, 936, 937)]
    assert [one.error and one.error["message"] for one in bar.attempts] == ["not yet", "not yet", None]
    assert folds(found) == [
        (5, 35, "another try of step fourth"),
        (36, 936, "another try of step fourth"),
    ]


@workflow
async def undone(ctx: Context, what: str) -> None:
    async with ctx.saga("booking") as saga:
        await ctx.step(work, what)
        saga.undo(work, "back")
        await ctx.step(broken, what)


def test_a_saga_is_undone_below_its_own_row_and_errors_name_the_line() -> None:
    async def act(world: World) -> Timeline:
        run = await world.start(undone, "seat", id="x")
        with suppress(ExecutionFailed):
            await run.result()
        return await told(world, "x")

    found = lived([undone], act)
    failed = next(bar for bar in found.rows if bar.name == "broken")
    assert failed.error == "ValueError: no seat" and failed.line.startswith("tests/timeline/test_workflows.py:")
    saga = next(bar for bar in found.rows if bar.kind == "saga")
    undoing = [bar for bar in found.rows if bar.parent == saga.op]
    assert [(bar.kind, bar.status, bar.depth) for bar in undoing] == [("step", "done", 1)]
    assert found.rows[-1].kind == "failed" and found.status == "failed" and found.end == found.rows[-1].end


def test_what_a_child_waits_for_is_no_work_of_its_parent() -> None:
    @workflow
    async def parent(ctx: Context, what: str) -> None:
        await ctx.child(asking, what)

    @workflow
    async def asking(ctx: Context, what: str) -> None:
        await ctx.step(work, what)
        await ctx.approve("it")

    async def act(world: World) -> Timeline:
        await world.start(parent, "a", id="x")
        await waits(world, "x/0", "approval")
        await asyncio.sleep(1000)
        return await told(world, "x")

    assert folds(lived([parent, asking], act)) == [(2, 1_002, "child x/0")]


def test_only_the_last_entries_are_told_when_that_is_asked_for() -> None:
    async def act(world: World) -> Timeline:
        await (await world.start(nap, "a", id="x")).result()
        return await world.call(lambda runtime: runtime.timeline("x", last=2))

    found = lived([nap], act)
    document: dict[str, Any] = found.as_json()
    assert document["first"] == 4 and [row["kind"] for row in document["rows"]] == ["step", "completed"]
    assert document["from"] <= document["rows"][0]["begin"]


@workflow
async def dozes(ctx: Context, what: str) -> None:
    await ctx.step(work, what)
    await ctx.sleep("3d")


def test_what_a_termination_cut_off_is_there_though_no_entry_tells_of_it() -> None:
    async def act(world: World) -> Timeline:
        await world.start(dozes, "a", id="x")
        await asyncio.sleep(100)
        await world.terminate("x")
        await asyncio.sleep(1)
        return await told(world, "x")

    found = lived([dozes], act)
    assert lines(found) == [
        ("0", "step", "work", 0, 2, "done"),
        ("", "cut-off", "", 2, 100, "dropped"),
        ("", "terminated", "", 100, 100, "failed"),
    ]
    assert found.rows[2].guessed and found.rows[2].wait and since(found, found.end) == 100
