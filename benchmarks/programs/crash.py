"""W6: starts (or, after the kill, goes on with) a number of workflows of ten steps of 20 ms and waits for all.

Arguments: DSN, file for the lines, number of workflows, "begin" or "go on". A step writes its line when it
begins, so a step that runs twice shows. The first steps wait until all workflows are accepted.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from overwinter import Context, Runtime, workflow

DSN, LINES, COUNT, MODE = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
STEPS = 10
accepted = asyncio.Event()


def note(line: str) -> None:
    with LINES.open("a") as lines:
        lines.write(line)


async def work(number: int, step: int) -> int:
    await accepted.wait()
    note(f"{number}:{step}\n")
    await asyncio.sleep(0.02)
    return step


@workflow
async def toil(ctx: Context, number: int) -> int:
    for step in range(STEPS):
        await ctx.step(work, number, step)
    return number


async def main() -> None:
    async with Runtime([toil], store=DSN) as runtime:
        if MODE == "begin":
            for number in range(COUNT):
                await runtime.start(toil, number, id=f"toil-{number}")
        accepted.set()
        results = await asyncio.gather(*(runtime.result(f"toil-{number}") for number in range(COUNT)))
        print(sum(result == number for number, result in enumerate(results)), flush=True)
        os._exit(0)


asyncio.run(main())
