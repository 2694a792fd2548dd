"""Tasks of activities: one worker has each, its token says what came of it, and no crash makes two of one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, cast

import httpx
import pytest

from overwinter import ExecutionFailed, InvalidInput, Runtime, StateFailed, StateMachine
from overwinter.functions.http.app import create_app
from overwinter.orchestrator.machine import activities
from overwinter.orchestrator.machine import decider as deciding
from overwinter.orchestrator.machine.running.activity import taken_place, waiting_place
from overwinter.state.memory import MemoryStore
from overwinter.testing import crash_everywhere
from overwinter.testing.ledger import Ledger
from overwinter.testing.world import World

ARN = "arn:aws:states:eu-west-1:123456789012:activity:weigh"
TASK = {"Type": "Task", "Resource": ARN, "HeartbeatSeconds": 60}


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **named: Any) -> None:
        asyncio.run(test(*args, **named))

    return run


def weighing(**more: Any) -> StateMachine:
    return StateMachine("m", {"StartAt": "A", "States": {"A": {**TASK, **more, "End": True}}})


async def left(store: Any) -> list[str]:
    """What lies in the store of tasks."""
    return [*await store.keys(waiting_place("weigh")), *await store.keys(taken_place("weigh"))]


async def nothing_left(store: Any) -> None:
    while await left(store):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@on_a_loop
async def test_a_worker_takes_a_task_and_says_what_came_of_it() -> None:
    machine = weighing(Parameters={"parcel.$": "$.p"})
    async with Runtime([machine], "memory://") as runtime:
        assert await runtime.activity_task("weigh") is None
        handle = await runtime.start(machine, {"p": "book"})
        task = await runtime.activity_task("weigh", wait="20s")
        assert task is not None and task.input == {"parcel": "book"}
        assert (await runtime.show(handle.id)).awaits == "activity weigh"
        assert await runtime.activity_task("weigh") is None
        await runtime.heartbeat(task.token)
        await runtime.callback(task.token, value={"grams": 400})
        assert await handle.result() == {"grams": 400}
        await nothing_left(runtime.store)
        with pytest.raises(InvalidInput):
            await runtime.activity_task("a/b")


@on_a_loop
async def test_tasks_come_in_their_order_and_each_to_one() -> None:
    each = {"StartAt": "A", "States": {"A": {**TASK, "End": True}}}
    machine = StateMachine("m", {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": each, "End": True}}})
    async with Runtime([machine], "memory://") as runtime:
        handle = await runtime.start(machine, list(range(20)))
        while len(await runtime.store.keys(waiting_place("weigh"))) < 20:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        found = await asyncio.gather(*(runtime.activity_task("weigh") for _ in range(30)))
        tasks = [task for task in found if task is not None]
        for task in tasks:
            await runtime.callback(task.token, value=task.input * 2)
        while (more := await runtime.activity_task("weigh")) is not None:  # those that others were after
            tasks.append(more)
            await runtime.callback(more.token, value=more.input * 2)
        assert sorted(task.input for task in tasks) == list(range(20))
        assert await handle.result(timeout=20) == [number * 2 for number in range(20)]


@on_a_loop
async def test_a_worker_that_is_lost_is_noticed_and_the_task_given_out_again() -> None:
    retry = [{"ErrorEquals": ["States.HeartbeatTimeout"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    machine = weighing(HeartbeatSeconds=1, Retry=retry)
    async with Runtime([machine], "memory://") as runtime:
        handle = await runtime.start(machine)
        lost = await runtime.activity_task("weigh", wait="20s")
        again = await runtime.activity_task("weigh", wait="20s")
        assert lost is not None and again is not None and lost.token != again.token
        await runtime.callback(lost.token, value="late")
        await runtime.callback(again.token, value="well")
        assert await handle.result(timeout=20) == "well"
        await nothing_left(runtime.store)


@on_a_loop
async def test_what_nobody_waits_for_any_more_is_given_to_nobody() -> None:
    machine = weighing()
    async with Runtime([machine], "memory://") as runtime:
        await runtime.start(machine, id="x")
        while not await left(runtime.store):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await runtime.cancel("x")
        await nothing_left(runtime.store)
        assert await runtime.activity_task("weigh") is None


@on_a_loop
async def test_the_task_of_an_execution_that_has_ended_is_thrown_away() -> None:
    store, machine = MemoryStore(), weighing()
    async with Runtime([machine], store) as runtime:
        await runtime.start(machine, id="x")
        while not await left(store):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        (key,) = await store.keys(waiting_place("weigh"))
        value = await store.get(waiting_place("weigh"), key)
        assert value is not None
        await runtime.cancel("x")
        await nothing_left(store)
        await store.put(waiting_place("weigh"), key, value.value)  # as who put it down just before it died
        assert await activities.take(store, "weigh") is None and not await left(store)


@on_a_loop
async def test_who_goes_away_leaves_the_task_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    store, machine = MemoryStore(), weighing()
    async with Runtime([machine], store) as runtime:
        await runtime.start(machine, id="x")
        while not await left(store):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        begun, go, get = asyncio.Event(), asyncio.Event(), store.get

        async def slow(scope: str, key: str) -> Any:
            begun.set()
            await go.wait()
            return await get(scope, key)

        monkeypatch.setattr(store, "get", slow)
        gone = asyncio.ensure_future(activities.take(store, "weigh"))
        await begun.wait()
        gone.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert await activities.take(store, "weigh") is not None


@on_a_loop
async def test_over_http() -> None:
    catch = [{"ErrorEquals": ["Overweight"], "Next": "B", "ResultPath": "$.error"}]
    states = {"A": {**TASK, "Catch": catch, "End": True}, "B": {"Type": "Pass", "End": True}}
    machine = StateMachine("m", {"StartAt": "A", "States": states})
    async with Runtime([machine], "memory://") as runtime:
        transport = httpx.ASGITransport(
            cast("Any", create_app(runtime, token=None))
        )  # httpx types ASGI with plain dicts
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            assert (await client.post("/activities/weigh")).status_code == 204
            handle = await runtime.start(machine, {"p": 1})
            answer = await client.post("/activities/weigh", headers={"prefer": "wait=20"})
            assert answer.status_code == 200 and answer.json()["input"] == {"p": 1}
            token = answer.json()["taskToken"]
            assert (await client.post(f"/heartbeat/{token}")).status_code == 202
            told = await client.post(f"/fail/{token}", json={"error": "Overweight", "message": "3 kg"})
            assert told.status_code == 202
            assert (await handle.result())["error"] == {"Error": "Overweight", "Cause": "3 kg"}
            assert (await client.post("/activities/a%2Fb")).status_code in (404, 422)


@on_a_loop
async def test_an_error_without_a_name_is_a_failed_task() -> None:
    machine = weighing()
    async with Runtime([machine], "memory://") as runtime:
        handle = await runtime.start(machine)
        task = await runtime.activity_task("weigh", wait="20s")
        assert task is not None
        await runtime.callback(task.token, error="broken")
        with pytest.raises(ExecutionFailed) as failed:
            await handle.result()
    cause = failed.value.__cause__
    assert isinstance(cause, StateFailed) and (cause.error, cause.cause) == ("States.TaskFailed", "broken")


def test_an_activity_may_be_a_function_here() -> None:
    async def weigh(given: Any) -> Any:
        return given["n"] + 1

    states = {"StartAt": "A", "States": {"A": {**TASK, "End": True}}}
    machine = StateMachine("m", states, resources={ARN: weigh})
    assert crash_everywhere(machine, {"n": 1}).outcome.value == 2


@pytest.mark.parametrize("fresh", [400, 3, 2])
def test_a_crash_gives_out_no_task_twice(fresh: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker takes every task as soon as it lies there, before who has put it down knows that it does, or dies."""
    monkeypatch.setattr(deciding, "FRESH", fresh)
    each = {"StartAt": "A", "States": {"A": {**TASK, "End": True}}}
    states = {
        "M": {"Type": "Map", "ItemProcessor": each, "MaxConcurrency": 1, "Next": "W"},
        "W": {"Type": "Wait", "Seconds": 1, "End": True},
    }
    machine, worked = StateMachine("m", {"StartAt": "M", "States": states}), list[Any]()
    taken, put = list[activities.ActivityTask](), Ledger.put

    async def put_and_take(self: Ledger, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
        told = await put(self, scope, key, value, etag=etag)
        if scope == waiting_place("weigh") and (task := await activities._taken(self, "weigh", key)) is not None:
            taken.append(task)
        return told

    async def complete(world: World, task: activities.ActivityTask) -> None:
        await world.call(lambda runtime: runtime.callback(task.token, value=task.input * 2))

    async def scenario(world: World) -> Any:
        taken.clear()
        worked.clear()

        async def work() -> None:
            while True:
                while taken:
                    task = taken.pop(0)
                    worked.append(task.input)
                    await complete(world, task)
                await asyncio.sleep(0.05)

        run = await world.start(machine, [1, 2], id="x")
        worker = asyncio.get_running_loop().create_task(work())
        try:
            value = await run.result()
        finally:
            worker.cancel()
        return [value, [*worked], await left(world.ledger)]

    monkeypatch.setattr(Ledger, "put", put_and_take)
    report = crash_everywhere(scenario, functions=[machine])
    assert report.outcome.value == [[2, 4], [1, 2], []]
