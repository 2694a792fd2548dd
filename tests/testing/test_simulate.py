"""One run without a crash, on any store, and a kit that says nothing about code that is right."""

from __future__ import annotations

import asyncio
import gc
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from overwinter import Agent, Completion, Context, HeartbeatLost, Scripted, call, tool, workflow
from overwinter.state.errors import ExecutionFailed
from overwinter.state.sqlite import SqliteStore
from overwinter.testing import CrashFailure, Deadlock, World, crash_everywhere, simulate
from overwinter.tests.servers.moto import Moto
from overwinter.tests.servers.redis import RedisServer

till: list[int] = []


@tool
def price(item: str) -> int:
    return len(item)


@workflow
async def sale(ctx: Context, item: str) -> str:
    cents = await ctx.step(price, item)
    await ctx.sleep("3d")
    paid = await ctx.wait_for("paid", type=int)
    return f"{item} for {cents}, paid {paid}"


@workflow
async def watched(ctx: Context) -> str:
    parcel = ctx.callback("parcel", timeout="30d", heartbeat="2d")
    ctx.status(parcel.token)
    try:
        return str(await parcel)
    except HeartbeatLost:
        return "lost"


clerk = Agent("clerk", Scripted([call("price", item="lamp"), "4 cents."], "clerk"), tools=[price])


async def sold(world: World) -> str:
    run = await world.start(sale, "lamp", id="s-1")
    await world.signal("s-1", "paid", 4)
    return f"{await run.result()}; {await (await world.send(clerk, 'c', 'The lamp?')).reply()}"


async def beating(world: World) -> list[str]:
    said: list[str] = []
    for beats in (0, 3):
        run = await world.start(watched, id=f"w-{beats}")
        await world.until(lambda id=run.id: ((world.head(id) or None) and world.head(id).note) or None)  # type: ignore[misc,union-attr]
        head = world.head(run.id)
        assert head is not None
        for _ in range(beats):
            await world.sleep("1d")
            await world.heartbeat(head.note)
        if beats:
            await world.complete(head.note, "arrived")
        said.append(await run.result())
    return said


# -- once --------------------------------------------------------------------------------------------


def test_a_target_is_run_once_in_virtual_time() -> None:
    assert simulate(clerk, "The lamp?") == "4 cents."
    assert simulate(sold, functions=[sale, clerk]) == "lamp for 4, paid 4; 4 cents."


def test_heartbeats_count() -> None:
    assert simulate(beating, functions=[watched]) == ["lost", "arrived"]
    assert crash_everywhere(beating, functions=[watched], kills=20).outcome.value == ["lost", "arrived"]


def test_what_goes_wrong_is_raised() -> None:
    @workflow
    async def fails(ctx: Context) -> None:
        raise ValueError("no lamp")

    with pytest.raises(ExecutionFailed, match="no lamp"):
        simulate(fails)
    with pytest.raises(Deadlock, match="event paid"):
        simulate(sale, "lamp", functions=[sale])
    with pytest.raises(TypeError, match="no scenario"):
        simulate(price)


@pytest.mark.parametrize("kills", [0, -1, "all", 1.5])
def test_no_crash_is_no_test(kills: Any) -> None:
    with pytest.raises(ValueError, match="kills"):
        crash_everywhere(clerk, "The lamp?", kills=kills)


# -- on a store --------------------------------------------------------------------------------------


def _sqlite(folder: Path, _: pytest.FixtureRequest) -> str:
    return f"sqlite:///{folder / uuid4().hex}.db"


def _redis(_: Path, request: pytest.FixtureRequest) -> str:
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.dsn(prefix=uuid4().hex[:8])


def _dynamodb(_: Path, request: pytest.FixtureRequest) -> str:
    from overwinter.state.dynamodb import DynamoStore

    moto: Moto = request.getfixturevalue("moto")
    dsn = moto.dsn()
    asyncio.run(DynamoStore(dsn).create())
    return dsn


@pytest.mark.parametrize("place", [_sqlite, _redis, _dynamodb], ids=["sqlite", "redis", "dynamodb"])
def test_on_every_store(
    place: Callable[[Path, pytest.FixtureRequest], str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def fresh() -> str:
        return place(tmp_path, request)

    assert simulate(sold, functions=[sale, clerk], store=fresh) == "lamp for 4, paid 4; 4 cents."
    report = crash_everywhere(sold, functions=[sale, clerk], store=fresh, kills=4)
    assert report.kills > 0 and report.lost == report.repeated == 0


def test_a_store_that_answers_otherwise_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(SqliteStore, "dump", nothing)
    with pytest.raises(CrashFailure, match=r"s-1: dump: the store answered None"):
        simulate(sold, functions=[sale, clerk], store=lambda: f"sqlite:///{tmp_path / 'x.db'}")


# -- no noise ----------------------------------------------------------------------------------------


async def patient(number: int) -> int:
    try:
        await asyncio.sleep(10)
    finally:
        till.append(number)
    return number


def refused(number: int) -> None:
    raise ValueError(f"no {number}")


async def cleaning(ctx: Context, number: int) -> int:
    try:
        await ctx.sleep("1h")
        return await ctx.step(patient, number)
    finally:
        await ctx.step(till.append, number, name="clean up")


@workflow
async def careful(ctx: Context) -> list[Any]:
    both: list[Any] = list(await asyncio.gather(ctx.step(refused, 1), ctx.step(patient, 2), return_exceptions=True))
    try:
        await ctx.map(refused, [1, 2, 3])
    except ValueError:
        both.append("refused")
    first = await ctx.map(cleaning, [4, 5], completion=Completion.first())
    try:
        async with asyncio.timeout(5):
            await ctx.step(patient, 6)
    except TimeoutError:
        both.append("late")
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(ctx.step(refused, 7))
            group.create_task(ctx.step(patient, 8))
    except* ValueError:
        both.append("refused")
    return [*map(str, both), first.value]


@workflow
async def given_up(ctx: Context) -> None:
    long = ctx.step(patient, 1)
    await asyncio.gather(ctx.step(refused, 2), ctx.step(refused, 3))
    await long


@workflow
async def racing(ctx: Context) -> int:
    done, _ = await asyncio.wait(
        [asyncio.create_task(ctx.step(refused, n)) for n in range(2)], return_when=asyncio.FIRST_COMPLETED
    )
    return len(done)


@pytest.mark.parametrize("target", [careful, given_up], ids=["careful", "given up"])
def test_nothing_is_said_of_code_that_is_right(
    target: object, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.WARNING):
        warnings.simplefilter("always")
        crash_everywhere(target, kills=30)
        gc.collect()
    assert [record.getMessage() for record in caplog.records] == []
    assert unraisable == [] and warned == []


def test_what_nobody_awaited_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        crash_everywhere(racing)
        gc.collect()
    told = [record.getMessage() for record in caplog.records]
    assert told == ["in a workflow: Task exception was never retrieved"]
