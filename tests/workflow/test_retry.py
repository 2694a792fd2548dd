"""A failed execution that is opened again: it begins at the failed operation, and keeps what succeeded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from overwinter.orchestrator.protocol.decider import Fact, Verdict
from overwinter.orchestrator.workflow.completion import Completion
from overwinter.orchestrator.workflow.context import Context
from overwinter.orchestrator.workflow.function import Workflow
from overwinter.state.errors import Denied, ExecutionFailed

from .world import World, replayed_from

broken = True
ran: list[str] = []


@pytest.fixture(autouse=True)
def _anew() -> None:
    global broken
    broken = True
    ran.clear()


async def work(name: str) -> str:
    ran.append(name)
    return name


async def fragile(name: str) -> str:
    ran.append(name)
    if broken:
        raise ValueError(f"{name} is broken")
    return name


def retried(world: World) -> World:
    """A new process takes the failed execution, with the retry in its journal."""
    global broken
    broken = False
    assert world.status == "failed"
    world.close()
    entry: Fact = {"type": "retry", "at": world.now + 10, "by": "ann"}
    ran.clear()
    again = World(world.workflow, journal=[*world.journal, entry], children=world.children)
    again.performed += world.performed
    return again


async def compensates(ctx: Context) -> list[str]:
    first = await ctx.step(work, "first")
    try:
        second = await ctx.step(fragile, "second")
    except ValueError:
        await ctx.step(work, "undo first")
        await ctx.step(work, "undo more")
        raise
    return [first, second, await ctx.step(work, "third")]


def test_begins_at_the_failed_step_and_drops_what_the_failure_led_to() -> None:
    world = World(compensates).run()
    assert world.journal[-1]["error"]["op"] == "1"
    again = retried(world).run()
    assert ran == ["second", "third"]
    assert again.value == ["first", "second", "third"]
    for cut in range(len(world.journal) + 1, len(again.journal) + 1):
        replayed_from(again, cut)


async def side_by_side(ctx: Context) -> list[str]:
    return list(await asyncio.gather(ctx.step(work, "a"), ctx.step(fragile, "b"), ctx.step(work, "c")))


def test_parallel_successes_stay() -> None:
    world = World(side_by_side)
    world.perform("2")
    world.perform("1")
    assert world.status == "failed" and world.last.abandon == ["0"]
    again = retried(world).run()
    assert again.value == ["a", "b", "c"] and ran == ["a", "b"]


async def in_a_group(ctx: Context) -> list[str]:
    async def careful() -> str:
        try:
            return await ctx.step(fragile, "b")
        except ValueError:
            await ctx.step(work, "undo b")
            raise

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(careful()), group.create_task(ctx.step(work, "c"))]
    return [task.result() for task in tasks]


def test_the_error_in_a_group_is_found() -> None:
    world = World(in_a_group)
    world.perform("0")
    world.perform("1")
    world.run()
    assert world.journal[-1]["error"]["op"] == "1"
    again = retried(world).run()
    assert again.value == ["b", "c"] and ran == ["b"]


async def many(ctx: Context) -> list[str]:
    results = await ctx.map(fragile, ["a", "b", "c"], completion=Completion.tolerate(count=1))
    return results.values


def test_a_map_that_missed_its_rule_runs_its_failures_again() -> None:
    world = World(many).run()
    assert world.journal[-1]["error"]["op"] == "0"
    again = retried(world).run()
    assert again.value == ["a", "b", "c"]


async def reworded(ctx: Context) -> str:
    try:
        return await ctx.step(fragile, "a")
    except ValueError as error:
        raise RuntimeError("in other words") from error


def test_an_error_raised_from_it_counts_too() -> None:
    world = World(reworded).run()
    assert world.journal[-1]["error"]["op"] == "0"
    assert retried(world).run().value == "a"


async def again_and_again(ctx: Context) -> str:
    return await ctx.step(work, "a") + await ctx.step(fragile, "b") + await ctx.step(fragile, "c")


def test_failing_again_and_retrying_again() -> None:
    global broken
    world = World(again_and_again).run()
    once = retried(world)
    once.perform("1")
    broken = True
    once.run()
    assert once.journal[-1]["error"]["op"] == "2"
    twice = retried(once).run()
    assert twice.value == "abc" and ran == ["c"]
    assert twice.types().count("retry") == 2
    replayed_from(twice, len(twice.journal))
    replayed_from(twice, len(twice.journal) - 2)


async def with_children(ctx: Context) -> list[Any]:
    other = ctx.child("other", 1)
    bad = await ctx.child("bad", 0)
    return [await other, bad]


def test_children_begin_again_under_another_id() -> None:
    def bad(n: int) -> str:
        if broken:
            raise ValueError("bad")
        return "well"

    world = World(with_children, children={"bad": bad}).run()
    assert isinstance(world.error, ExecutionFailed)
    assert [post.id for post in world.posts] == [] and [effect.op for effect in world.last.perform] == ["0.cancel"]
    world.children["other"] = lambda n: n
    again = retried(world).run()
    assert [spawn.id for spawn in again.spawned] == ["w-1/0~1", "w-1/1~1"]
    assert again.value == [1, "well"]
    for cut in range(len(world.journal) + 1, len(again.journal) + 1):
        replayed_from(again, cut)


async def asks(ctx: Context) -> str:
    return (await ctx.approve("refund", timeout="1h")).by


def test_an_expired_approval_is_asked_for_again() -> None:
    world = World(asks).run()
    assert isinstance(world.error, Denied)
    again = retried(world)
    ordered = again.journal[-1]
    assert ordered["type"] == "ordered" and ordered["until"] > world.now
    again.mail({"type": "decided", "op": "0", "approved": True, "by": "ann", "reason": ""})
    assert again.value == "ann"
    replayed_from(again, len(again.journal))


async def waits(ctx: Context) -> str:
    return str(await ctx.wait_for("go", timeout="1h"))


def test_a_wait_that_timed_out_has_its_whole_time_again() -> None:
    world = World(waits).run()
    again = retried(world)
    assert again.last.wake == world.now + 10 + 3_600_000
    again.event("go", "now")
    assert again.value == "now"


async def own_error(ctx: Context) -> str:
    first = await ctx.step(work, "a")
    if broken:
        raise LookupError("a defect in the workflow")
    return first + await ctx.step(work, "b")


def test_a_defect_that_was_fixed_goes_on_after_what_was_recorded() -> None:
    world = World(own_error).run()
    assert "op" not in world.journal[-1]["error"]
    again = retried(world).run()
    assert again.value == "ab" and ran == ["b"]


async def one_id_again(ctx: Context) -> list[Any]:
    return [await ctx.child("kept", 0, id="kept"), await ctx.child("kept", 0, id="kept")]


def test_a_child_that_was_asked_for_again_is_retried_alone() -> None:
    """Its end carries the id of both; only the second one went wrong."""
    ends: Iterator[int | None] = iter([1, None, 2])

    def kept(_: int) -> int:
        end = next(ends)
        if end is None:
            raise ValueError("bad")
        return end

    world = World(one_id_again, children={"kept": kept}).run()
    assert isinstance(world.error, ExecutionFailed) and world.journal[-1]["error"]["op"] == "1"
    again = retried(world).run()
    assert [spawn.id for spawn in again.spawned] == ["kept~1"]
    assert again.value == [1, 2]
    for cut in range(len(world.journal) + 1, len(again.journal) + 1):
        replayed_from(again, cut)


def test_a_child_that_ended_before_it_was_asked_for_again_is_told_of_after_the_asking() -> None:
    decider = Workflow(one_id_again).decider("w")
    ended: Fact = {"type": "child", "at": 5, "id": "kept", "status": "completed", "value": 1}
    assert decider.offer({"type": "start", "at": 1, "input": None, "seed": "s"}) is Verdict.TAKEN
    assert [entry["op"] for entry in decider.decide().entries] == ["0"]
    assert decider.offer(ended) is Verdict.TAKEN
    assert decider.offer(ended) is Verdict.LATER  # of the second one, which is not in the journal yet
    assert [entry["op"] for entry in decider.decide().entries] == ["1"]
    assert decider.offer(ended) is Verdict.TAKEN
    assert decider.decide().entries[-1]["value"] == [1, 1]
