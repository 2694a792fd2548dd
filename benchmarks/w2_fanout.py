"""W2: one workflow, 100 trivial durable steps at once, joined. Floor: a start and 100 commits, one by one."""

from __future__ import annotations

import asyncio
import time

from overwinter import Runtime
from overwinter.benchmarks.floors import Floor
from overwinter.benchmarks.measure import Run, flat, interleave, main, median
from overwinter.benchmarks.subjects import fanout

WIDTH = 100


async def joined(dsn: str, times: int) -> list[float]:
    """Seconds of each workflow, from its start to its result."""
    taken: list[float] = []
    async with Runtime([fanout], store=dsn) as runtime:
        for _ in range(times):
            started = time.perf_counter()
            handle = await runtime.start(fanout, WIDTH)
            assert await handle.result() == WIDTH * (WIDTH + 1) // 2
            taken.append(time.perf_counter() - started)
    return taken


async def one_by_one(floor: Floor, times: int) -> list[float]:
    async with floor:
        return [await floor.workflows(1, WIDTH) for _ in range(times)]


def measure(run: Run) -> None:
    rounds, times = (3, 5) if run.quick else (7, 10)
    raw, dsn = run.place.floor("raw"), run.place.dsn("w2")
    asyncio.run(joined(dsn, 3))
    run.progress(f"{rounds} rounds of {times} workflows")
    floor, product = interleave(
        rounds, lambda: asyncio.run(one_by_one(raw, times)), lambda: asyncio.run(joined(dsn, times))
    )
    run.report("w2.{}.ms", median(flat(product)) * 1000, "ms", median(flat(floor)) * 1000)


if __name__ == "__main__":
    main(measure)
