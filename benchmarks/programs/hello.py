"""W5, a script with the library: one typed workflow of ten steps on an existing database, then "done"."""

from __future__ import annotations

import asyncio
import sys

from pydantic import BaseModel

from overwinter import Context, Runtime, workflow


class Order(BaseModel):
    item: str
    count: int


def increment(value: int) -> int:
    return value + 1


@workflow
async def prepare(ctx: Context, order: Order) -> int:
    value = order.count
    for _ in range(10):
        value = await ctx.step(increment, value)
    return value


async def main() -> None:
    async with Runtime([prepare], store=f"sqlite:///{sys.argv[1]}") as runtime:
        handle = await runtime.start(prepare, {"item": "ice", "count": 1})
        assert await handle.result() == 11
        print("done", flush=True)
        sys.stdin.read()


asyncio.run(main())
