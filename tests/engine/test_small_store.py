"""A store that takes less than others: what the code itself has written down, and is too big for it, is refused to the
code, which may go on with something smaller. The execution never gets stuck for it, nor after a restart.
"""

from __future__ import annotations

import asyncio

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.state.errors import InvalidInput, PayloadTooLarge
from overwinter.state.memory import MemoryStore

LIMIT = 300_000
BIG, HUGE = "x" * (LIMIT + 50_000), "y" * 17_000_000


class SmallStore(MemoryStore):
    payload_limit = LIMIT


@workflow
async def asks(ctx: Context) -> str:
    refused = []
    for data in (BIG, HUGE):
        try:
            await ctx.approve("sure?", data=data)
        except PayloadTooLarge as error:
            refused.append(str(error))
    try:
        await ctx.approve(BIG)
    except InvalidInput as error:  # what is asked for is a name
        refused.append(str(error))
    assert len(refused) == 3
    return (await ctx.approve("small", data="x" * (LIMIT - 10_000))).by


@workflow
async def anew(ctx: Context, text: str = "") -> str:
    if text:
        await ctx.wait_for("go")
        return f"{len(text)}"
    try:
        await ctx.checkpoint(BIG)
    except PayloadTooLarge as error:
        assert f"{LIMIT:,}" in str(error)
    await ctx.checkpoint("small")


@workflow
async def fails(ctx: Context) -> None:
    await ctx.approve("sure?", data=BIG)


async def rest(runtime: Runtime, id: str) -> str:
    for _ in range(2000):
        head = await runtime.store.head(id)
        if head is not None and not head.owner and head.status not in ("pending", "running"):
            return head.status
        await asyncio.sleep(0.005)
    raise AssertionError(f"{id} finds no rest")


def test_an_approval_that_is_too_big_is_refused_to_the_code() -> None:
    async def main() -> None:
        store = SmallStore()
        async with Runtime([asks], store) as runtime:
            await runtime.start(asks, id="a")
            assert await rest(runtime, "a") == "waiting"
        async with Runtime([asks], store) as runtime:  # replayed, it says the same
            await runtime.decide("a", None, True, by="ann")
            assert await runtime.result("a", 10) == "ann"

    asyncio.run(main())


def test_a_checkpoint_that_is_too_big_is_refused_to_the_code() -> None:
    async def main() -> None:
        store = SmallStore()
        async with Runtime([anew], store) as runtime:
            await runtime.start(anew, id="a")
            assert await rest(runtime, "a") == "waiting"
        async with Runtime([anew], store) as runtime:
            await runtime.signal("a", "go")
            assert await runtime.result("a", 10) == "5"

    asyncio.run(main())


def test_code_that_does_not_expect_it_fails_by_name_and_can_be_retried() -> None:
    async def main() -> None:
        async with Runtime([fails], SmallStore()) as runtime:
            await runtime.start(fails, id="a")
            assert await rest(runtime, "a") == "failed"
            with pytest.raises(Exception, match="PayloadTooLarge: the data of an approval has"):
                await runtime.result("a", 10)

    asyncio.run(main())


def test_what_another_store_took_is_read_in_a_smaller_one() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with Runtime([fails], store) as runtime:
            await runtime.start(fails, id="a")
            assert await rest(runtime, "a") == "waiting"
        store.payload_limit = LIMIT
        async with Runtime([fails], store) as runtime:
            await runtime.decide("a", None, True)
            assert await runtime.result("a", 10) is None

    asyncio.run(main())
