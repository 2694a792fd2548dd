"""W1: a workflow of ten trivial durable steps, one workflow at a time and 64 at a time.

Floor: one start and ten transitions, each a transaction of its own. At 64 the floor is still unbatched, one
transaction after another, so that group commit shows.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from overwinter import Runtime
from overwinter.benchmarks import floors
from overwinter.benchmarks.measure import Run, interleave, main, median
from overwinter.benchmarks.subjects import sequence

STEPS = 10


async def workflows(path: Path, count: int, concurrency: int) -> float:
    """Seconds for ``count`` workflows, ``concurrency`` of them at any time."""
    async with Runtime([sequence], store=f"sqlite:///{path}") as runtime:
        left = iter(range(count))

        async def worker() -> None:
            for _ in left:
                handle = await runtime.start(sequence, STEPS)
                assert await handle.result() == STEPS

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(concurrency)))
        return time.perf_counter() - started


def measure(run: Run) -> None:
    rounds = 3 if run.quick else 7
    raw, path = run.path("raw.db"), run.path("w1.db")
    asyncio.run(workflows(path, 5, 1))
    floors.steps(raw, 5, STEPS)
    alone = 20 if run.quick else 60
    run.progress(f"{rounds} rounds of {alone} workflows, one at a time")
    floor, product = interleave(
        rounds, lambda: floors.steps(raw, alone, STEPS), lambda: asyncio.run(workflows(path, alone, 1))
    )
    scale = 1000 / alone / STEPS
    run.report("w1.sqlite.c1.ms_per_step", median(product) * scale, "ms", median(floor) * scale)
    crowd = 320 if run.quick else 960
    run.progress(f"{rounds} rounds of {crowd} workflows, 64 at a time")
    floor, product = interleave(
        rounds, lambda: floors.steps(raw, crowd // 8, STEPS), lambda: asyncio.run(workflows(path, crowd, 64))
    )
    steps = crowd * STEPS
    run.report("w1.sqlite.c64.steps_per_s", steps / median(product), "steps/s", steps / 8 / median(floor))


if __name__ == "__main__":
    main(measure)
