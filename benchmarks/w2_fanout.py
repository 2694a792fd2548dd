"""W2: one workflow, 100 trivial durable steps at once, joined. Floor: a start and 100 commits, one by one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from overwinter import Runtime
from overwinter.benchmarks import floors
from overwinter.benchmarks.measure import Run, flat, interleave, main, median
from overwinter.benchmarks.subjects import fanout

WIDTH = 100


async def joined(path: Path, times: int) -> list[float]:
    """Seconds of each workflow, from its start to its result."""
    taken: list[float] = []
    async with Runtime([fanout], store=f"sqlite:///{path}") as runtime:
        for _ in range(times):
            started = time.perf_counter()
            handle = await runtime.start(fanout, WIDTH)
            assert await handle.result() == WIDTH * (WIDTH + 1) // 2
            taken.append(time.perf_counter() - started)
    return taken


def measure(run: Run) -> None:
    rounds, times = (3, 5) if run.quick else (7, 10)
    raw, path = run.path("raw.db"), run.path("w2.db")
    asyncio.run(joined(path, 3))
    run.progress(f"{rounds} rounds of {times} workflows")
    floor, product = interleave(
        rounds,
        lambda: [floors.steps(raw, 1, WIDTH) for _ in range(times)],
        lambda: asyncio.run(joined(path, times)),
    )
    run.report("w2.sqlite.ms", median(flat(product)) * 1000, "ms", median(flat(floor)) * 1000)


if __name__ == "__main__":
    main(measure)
