"""W1: a workflow of ten trivial durable steps, one workflow at a time and 64 at a time.

Floor: one start and ten transitions for each, every one committed alone. At 64 the floor is still unbatched, so that
group commit shows: SQLite's commits one transaction after another, Redis' is 64 connections with a call each. Beside
the steps a second stands the processor time that one takes in this process (a Redis server's own is not in it).
"""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

from overwinter import Runtime
from overwinter.benchmarks.measure import Run, main, median
from overwinter.benchmarks.subjects import sequence

STEPS = 10


WARM_UP = 100


class Took(NamedTuple):
    """Seconds of the clock, and seconds of processor time in all threads of this process."""

    wall: float
    cpu: float


async def workflows(runtime: Runtime, count: int, concurrency: int) -> Took:
    """Run ``count`` workflows, ``concurrency`` of them at any time."""
    left = iter(range(count))

    async def worker() -> None:
        for _ in left:
            handle = await runtime.start(sequence, STEPS)
            assert await handle.result() == STEPS

    started, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return Took(time.perf_counter() - started, time.process_time() - used)


async def rounds_of(run: Run, count: int, concurrency: int, floor_count: int) -> tuple[float, Took]:
    """Median seconds of the floor and of the product, each on connections that stay open, as in a server."""
    raw: list[float] = []
    product: list[Took] = []
    runtime = Runtime([sequence], store=run.place.dsn(f"w{concurrency}"))
    async with run.place.floor(f"raw{concurrency}") as floor, runtime:
        await floor.workflows(WARM_UP, STEPS, concurrency)
        await workflows(runtime, WARM_UP, concurrency)
        for _ in range(3 if run.quick else 7):
            raw.append(await floor.workflows(floor_count, STEPS, concurrency))
            product.append(await workflows(runtime, count, concurrency))
    return median(raw), Took(median([took.wall for took in product]), median([took.cpu for took in product]))


async def measure_all(run: Run) -> None:
    alone, crowd = (20, 320) if run.quick else (60, 960)
    run.progress(f"rounds of {alone} workflows, one at a time")
    floor, product = await rounds_of(run, alone, 1, alone)
    scale = 1000 / alone / STEPS
    run.report("w1.{}.c1.ms_per_step", product.wall * scale, "ms", floor * scale)
    run.progress(f"rounds of {crowd} workflows, 64 at a time")
    floor, product = await rounds_of(run, crowd, 64, crowd // 4)
    steps = crowd * STEPS
    run.report("w1.{}.c64.steps_per_s", steps / product.wall, "steps/s", steps / 4 / floor)
    run.report("w1.{}.c64.cpu_us_per_step", product.cpu / steps * 1e6, "µs")


def measure(run: Run) -> None:
    asyncio.run(measure_all(run))


if __name__ == "__main__":
    main(measure)
