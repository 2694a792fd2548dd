"""A call of a tool that lives elsewhere: recorded here, sent, begun and recorded there, answered, recorded here.

Both processes keep what they do in a store of their own. Floor: a bare httpx round trip to the same server, whose
framework answers by itself. Beside it, the same call of the same tool in this process.
"""

from __future__ import annotations

import asyncio
import os
import time

import httpx

from overwinter import Context, Runtime, tool, workflow
from overwinter.benchmarks.measure import Run, end, flat, main, percentile, program, read_line
from overwinter.functions.invocation.configuration import ROUTES

STEPS = 50


@tool
async def lookup(order_id: str) -> str:
    """Find an order."""
    return "shipped"


@workflow
async def asks(ctx: Context) -> list[float]:
    taken: list[float] = []
    for _ in range(STEPS):
        started = time.perf_counter()
        await ctx.step(lookup, "A-1")
        taken.append((time.perf_counter() - started) * 1000)
    return taken


async def called(runtime: Runtime, place: str) -> list[float]:
    """Milliseconds of each call, with the tool at that place."""
    os.environ[ROUTES] = f"lookup={place}"
    result: list[float] = await (await runtime.start(asks)).result()
    return result


async def bare(client: httpx.AsyncClient, url: str) -> list[float]:
    taken: list[float] = []
    for _ in range(STEPS):
        started = time.perf_counter()
        (await client.post(f"{url}/bare", json={"order_id": "A-1"})).raise_for_status()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


async def rounds(run: Run, url: str) -> None:
    far: list[list[float]] = []
    near: list[list[float]] = []
    floor: list[list[float]] = []
    async with httpx.AsyncClient() as client, Runtime([asks], run.place.dsn("near")) as runtime:
        for number in range(4 if run.quick else 21):
            told = (await called(runtime, url), await called(runtime, "here"), await bare(client, url))
            if number:  # the first warms everything up
                far.append(told[0])
                near.append(told[1])
                floor.append(told[2])
    least = percentile(flat(floor), 50)
    run.report("remote.call.p50_ms", percentile(flat(far), 50), "ms", least)
    run.report("remote.call.p99_ms", percentile(flat(far), 99), "ms", percentile(flat(floor), 99))
    run.report("remote.call.inprocess.p50_ms", percentile(flat(near), 50), "ms", least)


def measure(run: Run) -> None:
    process = program("far.py", run.place.dsn("far"))
    try:
        url = read_line(process)
        run.progress(f"{STEPS} calls a round")
        asyncio.run(rounds(run, url))
    finally:
        end(process)


if __name__ == "__main__":
    main(measure)
