"""What metrics cost: W1's workflows of ten trivial steps, 64 at a time, with metrics counted and without, in turn with
each other in the same run. Beside that, how long a scrape takes.

``metrics.w1.ratio`` is processor time of this process with metrics by that without, each the mean of the quickest fifth
of many short rounds: on a machine that others use as well, all else says more about them.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from contextlib import AsyncExitStack

from overwinter import Runtime
from overwinter.benchmarks.measure import Run, main
from overwinter.benchmarks.subjects import sequence
from overwinter.benchmarks.w1_steps import workflows
from overwinter.telemetry.metrics.prometheus import exposition

VARIABLE = "OVERWINTER_METRICS"
SCRAPES = 200


def made(run: Run, name: str, said: str) -> Runtime:
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = said
    try:
        return Runtime([sequence], store=run.place.dsn(name))
    finally:
        os.environ.pop(VARIABLE)
        os.environ |= {} if before is None else {VARIABLE: before}


async def measure_all(run: Run) -> None:
    count, rounds = (160, 20) if run.quick else (240, 60)
    plain, counting = made(run, "plain", "0"), made(run, "counting", "1")
    took: dict[Runtime, list[float]] = {plain: [], counting: []}
    async with AsyncExitStack() as open:
        for runtime in (plain, counting):
            await open.enter_async_context(runtime)
            await workflows(runtime, 100, 64)
        for number in range(rounds):
            run.progress(f"round {number + 1} of {rounds}, {count} workflows with metrics and without")
            for runtime in (plain, counting) if number % 2 else (counting, plain):
                took[runtime].append((await workflows(runtime, count, 64)).cpu)
        quickest = {runtime: statistics.mean(sorted(found)[: rounds // 5]) for runtime, found in took.items()}
        run.report("metrics.w1.ratio", quickest[counting] / quickest[plain], "times")
        meter = counting.meter
        assert meter is not None
        await meter.read()  # what the store is asked for is fresh from here on
        started = time.perf_counter()
        for _ in range(SCRAPES):
            exposition(await meter.read())
        run.report("metrics.scrape.ms", (time.perf_counter() - started) / SCRAPES * 1000, "ms")


def measure(run: Run) -> None:
    asyncio.run(measure_all(run))


if __name__ == "__main__":
    main(measure)
