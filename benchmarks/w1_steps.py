"""W1: a workflow of ten trivial durable steps, one workflow at a time and 64 at a time.

Floor: one start and ten transitions, each a transaction of its own. At 64 the floor is still unbatched, one
transaction after another, so that group commit shows.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import closing

from overwinter import Runtime
from overwinter.benchmarks import floors
from overwinter.benchmarks.measure import Run, main, median
from overwinter.benchmarks.subjects import sequence

STEPS = 10


WARM_UP = 100


async def workflows(runtime: Runtime, count: int, concurrency: int) -> float:
    """Seconds for ``count`` workflows, ``concurrency`` of them at any time."""
    left = iter(range(count))

    async def worker() -> None:
        for _ in left:
            handle = await runtime.start(sequence, STEPS)
            assert await handle.result() == STEPS

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return time.perf_counter() - started


async def rounds_of(run: Run, count: int, concurrency: int, floor_count: int) -> tuple[float, float]:
    """Median seconds of the floor and of the product, each on one connection that stays open, as in a server."""
    raw: list[float] = []
    product: list[float] = []
    with closing(floors.connect(run.path(f"raw{concurrency}.db"))) as connection:
        async with Runtime([sequence], store=f"sqlite:///{run.path(f'w{concurrency}.db')}") as runtime:
            floors.transitions(connection, WARM_UP, STEPS)
            await workflows(runtime, WARM_UP, concurrency)
            for _ in range(3 if run.quick else 7):
                raw.append(floors.transitions(connection, floor_count, STEPS))
                product.append(await workflows(runtime, count, concurrency))
    return median(raw), median(product)


async def measure_all(run: Run) -> None:
    alone, crowd = (20, 320) if run.quick else (60, 960)
    run.progress(f"rounds of {alone} workflows, one at a time")
    floor, product = await rounds_of(run, alone, 1, alone)
    scale = 1000 / alone / STEPS
    run.report("w1.sqlite.c1.ms_per_step", product * scale, "ms", floor * scale)
    run.progress(f"rounds of {crowd} workflows, 64 at a time")
    floor, product = await rounds_of(run, crowd, 64, crowd // 8)
    steps = crowd * STEPS
    run.report("w1.sqlite.c64.steps_per_s", steps / product, "steps/s", steps / 8 / floor)


def measure(run: Run) -> None:
    asyncio.run(measure_all(run))


if __name__ == "__main__":
    main(measure)
