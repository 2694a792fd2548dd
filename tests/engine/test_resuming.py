"""Who resumes a stuck execution or retries a failed one hears how that ended, not what was before."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.state.errors import ExecutionFailed, ExecutionStuck


def weigh() -> int:
    return 250


def stamp() -> int:
    return 3


@workflow(name="parcel")
async def first(ctx: Context) -> int:
    grams = await ctx.step(weigh)
    await ctx.wait_for("courier")
    return grams


@workflow(name="parcel")
async def other(ctx: Context) -> int:
    await ctx.step(stamp)
    return await ctx.step(weigh)


def test_the_result_after_a_resume_is_that_of_the_mended_code(tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path}/parcels.db"

    async def main() -> None:
        async with Runtime([first], dsn) as runtime:
            await runtime.start(first, id="p-1")
        async with Runtime([other], dsn) as runtime:
            await runtime.signal("p-1", "courier")
            with pytest.raises(ExecutionStuck, match="asked for step 'stamp'"):
                await runtime.result("p-1", "10s")
        async with Runtime([first], dsn) as runtime:
            await runtime.resume("p-1")
            assert await runtime.result("p-1", "10s") == 250

    asyncio.run(asyncio.wait_for(main(), 60))


mended: list[bool] = []


def ship() -> str:
    if not mended:
        raise ValueError("no boxes")
    return "shipped"


@workflow
async def deliver(ctx: Context) -> str:
    return await ctx.step(ship)


def test_the_result_after_a_retry_is_that_of_the_retry() -> None:
    async def main() -> None:
        mended.clear()
        async with Runtime([deliver], "memory://") as runtime:
            handle = await runtime.start(deliver)
            with pytest.raises(ExecutionFailed):
                await handle.result("10s")
            mended.append(True)
            await runtime.retry(handle.id)
            assert await handle.result("10s") == "shipped"

    asyncio.run(main())
