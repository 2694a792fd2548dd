"""W3: a workflow of many steps that then waits for an event, in a process that is killed and started again.

Arguments: DSN, number of the execution, steps, "begin" or "go on". "begin" prints when the workflow waits;
"go on" runs another execution first, as a process that serves has, then sends the event and prints the
seconds until the workflow has passed its recorded steps.
"""

from __future__ import annotations

import asyncio
import sys
import time

from overwinter import Context, Runtime, workflow

passed: list[float] = []  # when the code came to the end of the steps; a measurement, not an input of the code
DSN, NUMBER, LENGTH, MODE = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]


async def increment(value: int) -> int:
    return value + 1


@workflow
async def long(ctx: Context, length: int) -> int:
    value = 0
    for _ in range(length):
        value = await ctx.step(increment, value)
    passed.append(time.perf_counter())
    if length > 1:
        await ctx.wait_for("go")
    return value


async def main() -> None:
    id = f"long-{NUMBER}"
    async with Runtime([long], store=DSN) as runtime:
        if MODE == "begin":
            await runtime.start(long, LENGTH, id=id)
            while (head := await runtime.store.head(id)) is None or head.status != "waiting":  # noqa: ASYNC110  # nothing tells of a wait
                await asyncio.sleep(0.01)
            print("waiting", flush=True)
            await asyncio.Event().wait()
        assert await (await runtime.start(long, 1)).result() == 1
        passed.clear()
        started = time.perf_counter()
        await runtime.signal(id, "go")
        assert await runtime.result(id) == LENGTH
        print(passed[0] - started, flush=True)


asyncio.run(main())
