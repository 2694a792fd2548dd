"""From start to end: what an execution does with facts out of season, cancellation, checkpoints and eviction."""

from __future__ import annotations

import asyncio
import gc
import logging
import warnings
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

import pytest

from overwinter.orchestrator.protocol.decider import Verdict
from overwinter.orchestrator.workflow.context import Context
from overwinter.orchestrator.workflow.function import Workflow

from .world import START, World, replay, replayed_from_every_prefix

START_FACT = {"type": "start", "at": START, "input": None, "seed": "s"}


async def work(n: int = 1) -> int:
    return n


# -- beginning ---------------------------------------------------------------------------------------


def test_only_what_follows_from_the_start_alone_is_immediate() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step(work)
        await ctx.step(work)

    first = World(flow)
    assert first.last.immediate and list(first.open) == ["0"]
    first.perform()
    assert not first.last.immediate
    second = Workflow(flow).decider("w")
    second.replay("", 1, [], START)
    second.offer({"type": "event", "id": "e", "name": "n", "data": 1, "at": START})
    second.offer(dict(START_FACT))
    assert not second.decide().immediate
    assert not replay(first.workflow, "w", first.journal[:1]).decide().immediate


def test_events_may_come_before_the_start() -> None:
    async def flow(ctx: Context) -> Any:
        return await ctx.wait_for("n")

    decider = Workflow(flow).decider("w")
    decider.replay("", 1, [], START)
    assert decider.offer({"type": "event", "id": "e", "name": "n", "data": 7, "at": START}) is Verdict.TAKEN
    assert decider.decide().status == "pending"
    assert decider.offer(dict(START_FACT)) is Verdict.TAKEN
    assert decider.decide().entries[-1]["value"] == 7


def test_a_second_start_is_ignored() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.sleep(1)

    assert World(flow).mail(dict(START_FACT)) == [Verdict.IGNORED]


def test_a_result_without_a_json_form_fails_the_execution() -> None:
    async def flow(ctx: Context) -> object:
        return object()

    assert "can't be stored as JSON" in str(World(flow).error)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exit_is_a_failure_of_the_workflow_alone(error: type[BaseException]) -> None:
    async def flow(ctx: Context) -> None:
        raise error("out")

    world = World(flow)
    assert world.journal[-1]["error"]["kind"] == f"builtins.{error.__name__}"


# -- cancelling --------------------------------------------------------------------------------------


def test_cancelled_before_it_starts() -> None:
    async def flow(ctx: Context) -> None: ...

    decider = Workflow(flow).decider("w")
    assert decider.offer({"type": "cancel", "at": START, "reason": "no", "by": "x"}) is Verdict.TAKEN
    assert decider.offer(dict(START_FACT)) is Verdict.IGNORED
    decision = decider.decide()
    assert decision.status == "cancelled" and decision.entries[0]["reason"] == "no"


def test_cancelling_gives_up_what_runs_and_lets_it_clean_up() -> None:
    seen: list[str] = []

    async def flow(ctx: Context) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(ctx.step(work, name="a"))
                group.create_task(ctx.step(work, name="b"))
        except asyncio.CancelledError as error:
            seen.append(str(error))
            await ctx.step(work, name="undo")
            raise

    world = World(flow)
    assert world.mail({"type": "cancel", "reason": "enough", "by": "x"}) == [Verdict.TAKEN]
    assert world.last.abandon == ["0", "1"] and list(world.open) == ["2"]
    late = {"type": "step", "op": "0", "name": "a", "ms": 1, "value": 1}
    assert world.mail({"type": "cancel", "reason": "again", "by": "x"}, late) == [Verdict.IGNORED] * 2
    world.run()
    assert world.journal[-1] == {"type": "cancelled", "at": world.now, "reason": "enough"}
    assert seen == ["enough"]
    replayed_from_every_prefix(world)


def test_ending_leaves_nothing_running() -> None:
    async def flow(ctx: Context) -> str:
        ctx.step(work)
        ctx.state.get("k")
        ctx.child("kid")
        await ctx.wait_for("go")
        return "done"

    world = World(flow)
    world.perform("2")
    world.event("go")
    assert world.last.abandon == ["0", "1"] and list(world.open) == ["2.cancel"] and world.last.wake is None
    assert replay(world.workflow, "w-1", world.journal).decide().perform == world.last.perform
    world.perform()
    assert not replay(world.workflow, "w-1", world.journal).decide().perform


# -- checkpoints -------------------------------------------------------------------------------------


async def rounds(ctx: Context, n: int) -> list[Any]:
    ctx.status(f"round {n}")
    await ctx.step(work, n)
    if n == 3:
        return [str(ctx.uuid()), await ctx.wait_for("keep"), ctx.parent]
    ctx.child("kid", n)
    await ctx.sleep("1h")
    await ctx.checkpoint(n + 1)


def test_a_checkpoint_is_all_that_is_needed_to_go_on() -> None:
    world = World(rounds, 1)
    world.event("keep", "kept")
    world.run()
    assert world.value[1] == "kept"
    points = [index for index, entry in enumerate(world.journal) if entry["type"] == "checkpoint"]
    assert len(points) == 2 and world.base == points[-1] + 1
    point = world.journal[points[-1]]
    assert point["input"] == 3 and point["first"] == 6 and point["events"][0]["data"] == "kept"
    ops = [entry["op"] for entry in world.journal if entry["type"] == "step"]
    assert ops == ["0", "3", "6"], "ids go on, so that idempotency keys and children never collide"
    decider = world.workflow.decider("w-1")
    decider.replay("", world.base, world.journal[points[-1] : -1], START)
    decision = decider.decide()
    assert decision.entries == world.journal[-1:] and decision.note == "round 3"


def test_the_status_line_outlives_a_checkpoint() -> None:
    async def flow(ctx: Context, n: int) -> None:
        if n == 0:
            ctx.status("under way")
            await ctx.sleep(1)
            await ctx.checkpoint(1)
        await ctx.wait_for("go")

    world = World(flow, 0).run()
    assert world.last.note == "under way"
    decider = world.workflow.decider("w-1")
    decider.replay("", world.base, world.journal[world.base - 1 :], START)
    assert decider.decide().note == "under way"


def test_facts_of_the_turn_in_which_it_begins_anew_are_not_lost() -> None:
    async def flow(ctx: Context, n: int) -> list[Any]:
        if n == 0:
            await ctx.wait_for("go")
            await ctx.checkpoint(1)
        return [await ctx.wait_for("go"), await ctx.wait_for("stop")]

    world = World(flow, 0)
    go = {"type": "event", "id": "1", "name": "go", "data": 1}
    late = {"type": "decided", "op": "0", "approved": True, "by": "", "reason": ""}
    verdicts = world.mail(go, {**go, "data": 2}, late, {"type": "cancel", "reason": "", "by": ""})
    assert verdicts == [Verdict.TAKEN, Verdict.TAKEN, Verdict.IGNORED, Verdict.LATER]
    world.event("stop", 3)
    assert world.value == [2, 3]
    replayed_from_every_prefix(world)


def test_a_checkpoint_waits_for_what_was_sent() -> None:
    async def flow(ctx: Context, n: int) -> str:
        if n == 0:
            ctx.child("kid")
            await ctx.wait_for("go")
            await ctx.checkpoint(1)
        return "done"

    world = World(flow, 0)
    world.event("go")
    assert world.status == "waiting" and list(world.open) == ["0"]
    world.perform()
    assert list(world.open) == ["0.cancel"]
    world.perform()
    assert world.value == "done" and world.types()[-2:] == ["checkpoint", "completed"]
    replayed_from_every_prefix(world)


def test_checkpoints_without_end_are_stuck() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.checkpoint()

    world = World(flow)
    assert world.status == "stuck" and "from checkpoint to checkpoint" in world.last.error


def test_a_checkpoint_belongs_to_the_whole_workflow() -> None:
    async def branch(ctx: Context, n: int) -> None:
        await ctx.checkpoint(n)

    async def flow(ctx: Context) -> None:
        await ctx.map(branch, [1])

    assert "outside of map and parallel" in str(World(flow).error)


# -- eviction ----------------------------------------------------------------------------------------


def test_eviction_runs_no_effects_and_leaves_no_warnings(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    async def ticks() -> AsyncGenerator[int, None]:
        try:
            for n in range(3):
                yield n
        finally:
            ended.append("generator")

    async def stubborn(ctx: Context) -> None:
        while True:
            try:
                await ctx.sleep("1h")
            except BaseException:
                await ctx.step(work)
                raise

    async def flow(ctx: Context) -> None:
        asyncio.create_task(stubborn(ctx))  # noqa: RUF006  # left behind on purpose
        ctx.parallel(stubborn, stubborn(ctx), stubborn(ctx), concurrency=1)
        try:
            async with asyncio.TaskGroup() as group, asyncio.timeout(9), aclosing(ticks()) as numbers:
                group.create_task(stubborn(ctx))
                async for _ in numbers:
                    await ctx.wait_for("never")
        finally:
            ended.append("finally")
            await ctx.step(work)
            ended.append("never")

    world = World(flow)
    world.decider.expire(world.now)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        world.close()
        world.close()
        assert world.decider.offer({"type": "cancel", "at": 1, "reason": "", "by": ""}) is Verdict.LATER
        del world
        gc.collect()
    assert sorted(ended) == ["finally", "generator"]
    assert not caplog.records


def test_what_nobody_awaited_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise LookupError("in the background")

    async def flow(ctx: Context) -> None:
        asyncio.create_task(fails())  # noqa: RUF006  # nobody looks at it
        await ctx.step(work)
        await ctx.step(work)

    with caplog.at_level(logging.ERROR):
        world = World(flow)
        world.perform()
        World(flow, journal=world.journal).close()
        world.run()
        World(flow, journal=world.journal).close()
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info] == [("in the background",)]  # type: ignore[union-attr]


# -- the loop ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reach",
    [
        lambda: asyncio.to_thread(print),
        lambda: asyncio.open_connection("localhost", 1),
        lambda: asyncio.create_subprocess_exec("true"),
        lambda: asyncio.get_running_loop().getaddrinfo("localhost", 1),
    ],
)
def test_reaching_outside_says_what_to_do(reach: Any) -> None:
    async def flow(ctx: Context) -> None:
        await reach()

    error = World(flow).error
    assert isinstance(error, RuntimeError) and "await ctx.step(" in str(error)


def test_a_future_of_another_loop_is_an_error() -> None:
    other = asyncio.new_event_loop()
    foreign = other.create_future()

    async def flow(ctx: Context) -> None:
        await foreign

    assert "attached to a different loop" in str(World(flow).error)
    other.close()


def test_it_runs_inside_of_a_running_loop_and_restores_it() -> None:
    async def flow(ctx: Context) -> bool:
        inner = asyncio.get_running_loop()
        await ctx.step(work)
        return inner is asyncio.get_running_loop() and asyncio.current_task() is not None

    async def main() -> None:
        outer = asyncio.get_running_loop()
        done: asyncio.Future[World] = outer.create_future()

        def turn() -> None:
            world = World(flow).run()
            assert asyncio.get_running_loop() is outer
            done.set_result(world)

        outer.call_soon(turn)
        assert (await done).value is True

    asyncio.run(main())


def test_sets_of_tasks_have_one_order() -> None:
    async def flow(ctx: Context) -> list[str]:
        async def one(n: int) -> int:
            return await ctx.step(work, n)

        tasks = {asyncio.create_task(one(n), name=str(n)) for n in range(40)}
        junk.append([object() for _ in range(len(junk) * 7)])  # memory lies differently each time
        done, _ = await asyncio.wait(tasks)
        return [task.get_name() for task in done]

    junk: list[Any] = []
    orders = {str(World(flow).run().value) for _ in range(5)}
    assert len(orders) == 1


def test_as_completed_refuses_what_has_no_order() -> None:
    async def one() -> None: ...

    async def flow(ctx: Context) -> None:
        waiting = {one(), one()}
        try:
            for each in asyncio.as_completed(waiting):
                await each
        finally:
            for left in waiting:
                left.close()

    with suppress(RuntimeWarning):
        assert "give as_completed a list" in str(World(flow).error)


def test_a_timer_that_is_cancelled_costs_nothing_later() -> None:
    async def flow(ctx: Context) -> None:
        ctx.sleep("1m")
        for _ in range(500):
            async with asyncio.timeout(3600):
                await ctx.step(work)
        await ctx.sleep("1d")

    world = World(flow)
    for _ in range(500):
        world.perform()
    timers = world.decider._run.timers  # pyright: ignore[reportPrivateUsage]  # what is held is what is tested
    assert len(timers) == 2 and len(timers._heap) < 100  # pyright: ignore[reportPrivateUsage]
    assert world.last.awaits == "timer until 2023-11-14T22:14:20Z"


def test_what_it_awaits_is_said_for_people() -> None:
    async def flow(ctx: Context) -> None:
        ctx.sleep("1h")
        await ctx.step(work)
        kids = [ctx.child("kid"), ctx.child("kid")]
        await ctx.wait_for("go")
        await asyncio.gather(*kids)
        await ctx.callback("job")

    world = World(flow)
    said = [world.last.awaits]
    world.perform()
    world.run(2)
    said.append(world.last.awaits)
    world.event("go")
    said.append(world.last.awaits)
    world.mail({"type": "child", "id": "w-1/2", "status": "completed", "value": None})
    said.append(world.last.awaits)
    world.mail({"type": "child", "id": "w-1/3", "status": "completed", "value": None})
    said.append(world.last.awaits)
    assert said == ["", "event go", "2 children", "child w-1/3", "callback job"]
