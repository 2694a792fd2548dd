"""What was acknowledged has its effect wherever it stands in the mailbox, also over an end that is not final."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.orchestrator.control import Control
from overwinter.state.errors import ExecutionFailed
from overwinter.state.opening import open_store

MANY = 230  # more than two pages
allowed: list[bool] = []


@workflow
async def asks(ctx: Context) -> int:
    await ctx.approve("go on?")
    if not allowed:
        raise ValueError("not yet")
    return int(await ctx.wait_for("number")) + int(await ctx.wait_for("number"))


@workflow
async def rests(ctx: Context) -> str:
    await ctx.wait_for("go")
    return "went"


async def waiting(runtime: Runtime, id: str, status: str) -> None:
    for _ in range(3000):
        head = await runtime.store.head(id)
        if head is not None and head.status == status and head.owner is None:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{id} does not become {status}")


@pytest.mark.parametrize("others", [0, MANY])
def test_an_event_that_came_before_a_failure_is_there_after_the_retry(tmp_path: Path, others: int) -> None:
    dsn = f"sqlite:///{tmp_path}/mail.db"

    async def main() -> None:
        allowed.clear()
        async with Runtime([asks], dsn) as runtime:
            await runtime.start(asks, id="a")
            await waiting(runtime, "a", "waiting")
        store = open_store(dsn)
        await store.open()
        control = Control(store)  # nobody is there who could take it
        await control.decide("a", None, True, by="ann")
        await control.signal("a", "number", 1)
        for number in range(others):
            await control.signal("a", "other", number)
        await control.signal("a", "number", 2)
        await store.close()
        async with Runtime([asks], dsn) as runtime:
            with pytest.raises(ExecutionFailed, match="not yet"):
                await runtime.result("a", "10s")
        allowed.append(True)
        async with Runtime([asks], dsn) as runtime:
            await runtime.retry("a")
            assert await runtime.result("a", "10s") == 3

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("verb", ["terminate", "resume"])
def test_a_verb_behind_pages_of_mail_reaches_one_that_is_paused(tmp_path: Path, verb: str) -> None:
    dsn = f"sqlite:///{tmp_path}/mail.db"

    async def main() -> None:
        async with Runtime([rests], dsn) as runtime:
            await runtime.start(rests, id="a")
            await runtime.pause("a")
            await waiting(runtime, "a", "paused")
        store = open_store(dsn)
        await store.open()
        control = Control(store)
        for _ in range(MANY):
            await control.cancel("a")
        await control.act(verb, "a")
        await store.close()
        async with Runtime([rests], dsn) as runtime:
            await waiting(runtime, "a", "terminated" if verb == "terminate" else "cancelled")

    asyncio.run(asyncio.wait_for(main(), 60))
