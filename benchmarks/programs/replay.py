"""W3: a workflow of many steps that then waits for an event, in a process that is killed and started again.

Arguments: database, number of the execution, steps, "begin" or "go on". "begin" prints when the workflow waits;
"go on" sends the event and prints the seconds until the workflow has taken it.
"""

from __future__ import annotations

import asyncio
import sys
import time

from overwinter import Context, Runtime, workflow

DATABASE, NUMBER, LENGTH, MODE = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]


async def increment(value: int) -> int:
    return value + 1


@workflow
async def long(ctx: Context, length: int) -> int:
    value = 0
    for _ in range(length):
        value = await ctx.step(increment, value)
    await ctx.wait_for("go")
    return value


async def main() -> None:
    id = f"long-{NUMBER}"
    async with Runtime([long], store=f"sqlite:///{DATABASE}") as runtime:
        if MODE == "begin":
            await runtime.start(long, LENGTH, id=id)
            while (head := await runtime.store.head(id)) is None or head.status != "waiting":  # noqa: ASYNC110  # nothing tells of a wait
                await asyncio.sleep(0.01)
            print("waiting", flush=True)
            await asyncio.Event().wait()
        started = time.perf_counter()
        await runtime.signal(id, "go")
        assert await runtime.result(id) == LENGTH
        print(time.perf_counter() - started, flush=True)


asyncio.run(main())
