"""A store that takes less than others says so beforehand: what is too big is refused to whoever made it, by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.state.dynamodb import DynamoStore
from overwinter.state.errors import ExecutionFailed, PayloadTooLarge
from overwinter.state.sealing.keys import new_key, read_keys
from overwinter.state.sealing.store import SealedStore
from overwinter.state.store import Store
from overwinter.tests.servers.moto import Moto

made: list[int] = []


async def report(size: int) -> str:
    made.append(size)
    return "x" * size


@workflow
async def careful(ctx: Context, size: int) -> list[Any]:
    """Goes on with the error of a step, and of a write, and keeps what fits."""
    said: list[Any] = []
    for attempt in (ctx.step(report, size), ctx.kv("shelf").put("big", "x" * size)):
        try:
            await attempt
        except PayloadTooLarge as error:
            said.append(str(error))
    return [*said, len(await ctx.step(report, 240_000))]


@workflow
async def careless(ctx: Context, size: int) -> str:
    return "x" * size


@workflow
async def patient(ctx: Context) -> Any:
    return await ctx.wait_for("news")


@pytest.fixture(params=["plain", "sealed"])
def make(request: pytest.FixtureRequest, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Store]:
    """A table without a bucket: nothing is bigger than an item there."""
    dsn = moto.dsn()
    monkeypatch.setenv("LIMITS_KEY", new_key())
    keys = read_keys("env:LIMITS_KEY")
    assert keys is not None
    return lambda: DynamoStore(dsn) if request.param == "plain" else SealedStore(DynamoStore(dsn), keys)


def test_without_a_bucket_what_is_too_big_is_an_error_that_the_workflow_goes_on_with(make: Callable[[], Store]) -> None:
    async def check() -> None:
        store = make()
        await store.create()
        made.clear()
        async with asyncio.timeout(60), Runtime([careful, careless, patient], store) as runtime:
            refused = await (await runtime.start(careful, 2_000_000, id="e")).result()
            assert refused[2] == 240_000
            assert all(f"{store.payload_limit:,}" in said for said in refused[:2])
            assert made == [2_000_000, 240_000]
            with pytest.raises(ExecutionFailed, match="PayloadTooLarge"):
                await (await runtime.start(careless, 2_000_000, id="f")).result()
            await runtime.start(patient, id="e2")
            with pytest.raises(PayloadTooLarge):
                await runtime.signal("e2", "news", "x" * 2_000_000)

    asyncio.run(check())
