"""An engine on a sealed store: what it can't read it leaves alone, and goes on when it can."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from overwinter import Context, Runtime, Settings, workflow
from overwinter.state.errors import ExecutionStuck
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Head
from overwinter.state.sealing import marker
from overwinter.state.sealing.store import SealedStore
from overwinter.tests.state.sealing_cases import keys, make_keys

NOT_CACHED = Settings(cache=0)


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    make_keys(monkeypatch)


@workflow
async def two_letters(ctx: Context, to: str) -> list[str]:
    first: str = await ctx.wait_for("letter")
    second: str = await ctx.wait_for("letter")
    return [to, first, second]


async def until(runtime: Runtime, id: str, wanted: Callable[[Head], bool]) -> Head:
    async with asyncio.timeout(10):
        while True:
            head = await runtime.store.head(id)
            if head is not None and head.owner is None and wanted(head):
                return head
            await asyncio.sleep(0.005)


async def begun(inner: MemoryStore) -> None:
    """Three executions that have read their first letter, sealed with the old key."""
    async with Runtime([two_letters], SealedStore(inner, keys()), NOT_CACHED) as runtime:
        for id in ("e", "f", "g"):
            await runtime.start(two_letters, id, id=id)
            await runtime.signal(id, "letter", "one")
            await until(runtime, id, lambda head: head.status == "waiting" and head.length >= 2)


def run(work: Callable[[MemoryStore], Awaitable[None]]) -> None:
    async def main() -> None:
        inner = MemoryStore()
        await begun(inner)
        await work(inner)

    asyncio.run(main())


def test_an_execution_whose_key_is_missing_keeps_its_mail_and_goes_on_when_it_is_there() -> None:
    async def work(inner: MemoryStore) -> None:
        await marker.forget(inner, keys().first.id)
        async with Runtime([two_letters], SealedStore(inner, keys("env:NEW")), NOT_CACHED) as runtime:
            await runtime.signal("e", "letter", "two")  # durable, though nobody here can read what it is for
            head = await until(runtime, "e", lambda head: head.awaits == "a key of the store")
            assert head.status == "waiting" and head.wake is not None
            fresh = await runtime.start(two_letters, "h", id="h")
            await runtime.signal("h", "letter", "one")
            await runtime.signal("h", "letter", "two")
            assert await fresh.result("10s") == ["h", "one", "two"]  # others are not held up
            assert not runtime.engine.active
        async with Runtime([two_letters], SealedStore(inner, keys("env:NEW env:OLD")), NOT_CACHED) as runtime:
            await runtime.signal("e", "poke")
            assert await runtime.result("e", "10s") == ["e", "one", "two"]
            await runtime.signal("f", "letter", "two")
            assert await runtime.result("f", "10s") == ["f", "one", "two"]

    run(work)


def test_an_execution_that_was_tampered_with_is_stuck_and_can_be_mended_and_resumed() -> None:
    async def work(inner: MemoryStore) -> None:
        journal = inner._executions["e"].journal
        whole = list(journal)
        journal[1] = inner._executions["f"].journal[1]  # a letter to somebody else
        async with Runtime([two_letters], SealedStore(inner, keys()), NOT_CACHED) as runtime:
            await runtime.signal("e", "letter", "two")
            head = await until(runtime, "e", lambda head: head.status == "stuck")
            assert "entry 2 of 'e' can't be opened" in head.awaits
            with pytest.raises(ExecutionStuck, match="entry 2"):
                await runtime.result("e", "10s")
            assert head.wake is None and not runtime.engine.active
            journal[:] = whole
            await runtime.resume("e")
            assert await runtime.result("e", "10s") == ["e", "one", "two"]

    run(work)
