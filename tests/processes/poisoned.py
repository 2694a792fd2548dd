"""A process that serves one workflow whose step kills it, and one that harms nobody. Arguments: DSN, deaths.

It starts them all under constant ids and ends by itself when nothing of them is under way any more."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from overwinter import Context, Runtime, Settings, workflow
from overwinter.state.records import FINAL

INNOCENTS = 20


async def nap(number: int) -> int:
    await asyncio.sleep(0.2)
    return number


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@workflow
async def culprit(ctx: Context) -> None:
    await ctx.step(nap, 0)
    await ctx.step(kill)


@workflow
async def innocent(ctx: Context) -> list[int]:
    return [await ctx.step(nap, number) for number in range(3)]


async def main(dsn: str, deaths: int) -> None:
    async with Runtime([culprit, innocent], dsn, Settings(deaths=deaths)) as runtime:
        await runtime.start(culprit, id="culprit")
        for number in range(INNOCENTS):
            await runtime.start(innocent, id=f"innocent-{number}")
        while True:
            heads = (await runtime.store.executions(limit=100)).heads
            if all(head.owner is None and head.status in (*FINAL, "stuck") for head in heads):
                return
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
