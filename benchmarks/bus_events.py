"""Events a second to one subscriber: published, carried, taken, and what they begin run to its end.

SQLite: the store is the broker. Floor: a bare commit of the same event, one after another. Redis: streams are the
broker, and the subscriber keeps what it takes in memory, or in a store on the same server (``stored``). Floor: XADD
from as many lanes, XREADGROUP of as many entries at a time and XACK, with redis-py's own client.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from overwinter import Context, Runtime, Settings, subscribe, workflow
from overwinter.benchmarks.measure import Run, main, median

LANES = 256
TOGETHER = 200
POOL = 64
DATA = {"order": "o-1", "text": "x" * 200}
TAKEN: list[int] = []


@subscribe(type="order.paid")
@workflow
async def ship(ctx: Context, order: dict[str, Any]) -> None:
    TAKEN.append(1)


async def carried(runtime: Runtime, count: int) -> float:
    """Events a second, from the first publication until the last was worked on."""
    TAKEN.clear()
    left = iter(range(count))

    async def lane() -> None:
        for _ in left:
            await runtime.publish("order.paid", DATA)

    begun = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(LANES)))
    while len(TAKEN) < count:  # noqa: ASYNC110  # what counts is the code of a subscriber
        await asyncio.sleep(0.001)
    return count / (time.perf_counter() - begun)


async def streamed(dsn: str, count: int) -> float:
    """The same number of entries through a stream and its group."""
    from redis.asyncio import BlockingConnectionPool, Redis

    text = json.dumps(
        {"specversion": "1.0", "id": "x" * 36, "source": "/overwinter", "type": "order.paid", "data": DATA}
    )
    made: Any = BlockingConnectionPool
    pool = made.from_url(dsn.partition("?")[0], max_connections=POOL)
    client: Any = Redis.from_pool(pool)
    await client.delete("raw")
    await client.xgroup_create("raw", "g", id="$", mkstream=True)
    left = iter(range(count))

    async def lane() -> None:
        for _ in left:
            await client.xadd("raw", {"e": text}, maxlen=1_000_000, approximate=True)

    async def reader() -> None:
        taken = 0
        while taken < count:
            for _, entries in await client.xreadgroup("g", "c", {"raw": ">"}, count=TOGETHER, block=1000):
                taken += len([json.loads(fields[b"e"]) for _, fields in entries])
                await client.xack("raw", "g", *(id for id, _ in entries))

    begun = time.perf_counter()
    await asyncio.gather(reader(), *(lane() for _ in range(LANES)))
    took = time.perf_counter() - begun
    await client.aclose()
    return count / took


async def sqlite(run: Run, count: int, rounds: int) -> None:
    raw: list[float] = []
    ours: list[float] = []
    async with run.place.floor("raw") as floor, Runtime([ship], run.place.dsn("bus"), Settings(max_active=2000)) as bus:
        await carried(bus, count // 4)
        for number in range(rounds):
            raw.append(1 / (await floor.workflows(count // 20, 1) / (count // 20 * 2)))
            ours.append(await carried(bus, count))
            run.progress(f"round {number + 1}")
    run.report("bus.sqlite.floor.commits_per_s", median(raw), "commits/s")
    run.report("bus.sqlite.events_per_s", median(ours), "events/s", median(raw))


async def redis(run: Run, count: int, rounds: int) -> None:
    raw: list[float] = []
    ours: list[float] = []
    stored: list[float] = []
    broker = run.place.dsn("bus")
    async with (
        Runtime([ship], "memory://", Settings(max_active=2000), broker=broker) as bus,
        Runtime([ship], run.place.dsn("store"), Settings(max_active=2000), broker=run.place.dsn("other")) as kept,
    ):
        await carried(bus, count // 4)
        await streamed(broker, count // 4)
        for number in range(rounds):
            raw.append(await streamed(broker, count))
            ours.append(await carried(bus, count))
            stored.append(await carried(kept, count))
            run.progress(f"round {number + 1}")
    run.report("bus.redis.events_per_s", median(ours), "events/s", median(raw))
    run.report("bus.redis.stored.events_per_s", median(stored), "events/s", median(raw))


def measure(run: Run) -> None:
    count, rounds = (2000, 2) if run.quick else (10_000, 5)
    asyncio.run(sqlite(run, count, rounds) if run.place.name == "sqlite" else redis(run, count, rounds))


if __name__ == "__main__":
    main(measure)
