"""What stores of other machines tell of their own work, counted against real servers."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from typing import Any

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.state.dynamodb import DynamoStore
from overwinter.state.redis import RedisStore
from overwinter.state.sizes import BITS, Sizes
from overwinter.telemetry.metrics import catalogue
from overwinter.tests.apart.place import on_a_loop
from overwinter.tests.servers.moto import Moto
from overwinter.tests.servers.redis import RedisServer

MANY = 40


@workflow
async def three(ctx: Context, order: str) -> str:
    for _ in range(3):
        await ctx.step(one)
    return order


async def one() -> int:
    return 1


async def told(runtime: Runtime) -> dict[str, dict[tuple[str, ...], Any]]:
    """What the runtime's meter says now: the value of a series, or its buckets and their sum."""
    meter = runtime.meter
    assert meter is not None
    return {
        reading.definition.name: {
            point.labels: (point.counts, point.value) if point.counts else point.value for point in reading.points
        }
        for reading in await meter.read()
    }


async def run(runtime: Runtime) -> None:
    handles = [await runtime.start(three, "x", id=f"e{number}") for number in range(MANY)]
    await asyncio.gather(*(handle.result("60s") for handle in handles))


@pytest.fixture(autouse=True)
def _counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_METRICS", "1")


@on_a_loop
async def test_redis_tells_its_calls_and_how_many_travelled_together(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.dsn(prefix=uuid.uuid4().hex[:8]))
    await store.create()
    async with Runtime([three], store) as runtime:
        await run(runtime)
        values = await told(runtime)
        numbers = store.numbers()
    requests = values[catalogue.REQUESTED.name]
    transitions = values[catalogue.TRANSITIONS.name]["redis",]
    assert transitions >= MANY * 3
    assert requests["redis", "append"] == transitions
    assert requests["redis", "accept"] >= MANY and requests["redis", "read"] > 0
    counts, total = values[catalogue.BATCH.name]["redis",]
    assert sum(requests.values()) <= total, "what connecting asks for travels too"
    assert sum(counts) < total, "nothing travelled together"
    assert set(numbers) == {"changes", "transactions", "requests"}
    assert store.numbers() == {}
    assert values[catalogue.COMMITS.name]["redis",][0][-1] == 0


@on_a_loop
async def test_what_is_sent_again_is_counted_again(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.dsn(prefix=uuid.uuid4().hex[:8]))
    await store.create()
    await store.open()
    try:
        parts = store._open
        before = Counter(parts.exchange.requests)
        asked = asyncio.ensure_future(store.head("nobody"))
        await asyncio.sleep(0)
        for link in parts.exchange.servers.links():
            link.drop(ConnectionError("gone"))
        assert await asked is None
        assert parts.exchange.requests - before == Counter(read=2)
    finally:
        await store.close()


@on_a_loop
async def test_dynamodb_tells_its_requests_and_the_items_of_its_commits(moto: Moto) -> None:
    store = DynamoStore(moto.dsn(f"t{uuid.uuid4().hex[:8]}"))
    await store.create()
    async with Runtime([three], store) as runtime:
        before = Counter(store.requests)
        handle = await runtime.start(three, "x", id="e")
        assert await handle.result("60s") == "x"
        values = await told(runtime)
        sent = Counter(store.requests)
    requests = values[catalogue.REQUESTED.name]
    transitions = values[catalogue.TRANSITIONS.name]["dynamodb",]
    counts, items = values[catalogue.BATCH.name]["dynamodb",]
    assert sum(counts) == transitions, "each commit is one request"
    assert items == 2 * transitions, "the head, and an item of the journal"
    written = sent["transact_write_items"] - before["transact_write_items"]
    assert written >= transitions and requests["dynamodb", "transact_write_items"] >= written - 1
    assert {operation for _, operation in requests} >= {"transact_write_items", "update_item", "query"}
    assert values[catalogue.COMMITS.name]["dynamodb",][1] > 0


def test_sizes_lie_in_the_buckets_of_their_metric() -> None:
    sizes = Sizes()
    for size in (1, 1, 3, 4, 1023, 1024, 10**9):
        sizes.add(size)
    numbers: dict[str, Any] = sizes.numbers()
    assert numbers["changes"] == 1 + 1 + 3 + 4 + 1023 + 1024 + 10**9
    found = dict(zip((*catalogue.BATCHES, float("inf")), numbers["transactions"], strict=True))
    assert found[1] == 2 and found[3] == 1 and found[7] == 1 and found[1023] == 1 and found[float("inf")] == 2
    assert len(catalogue.BATCHES) == BITS
