"""A small desk on which people do things, and what each test needs of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from overwinter import Context, Runtime, workflow
from overwinter.orchestrator.audit.acts import Act, Wanted
from overwinter.orchestrator.audit.proving import Anchor, Finding, prove
from overwinter.orchestrator.audit.reading import acts
from overwinter.state.opening import open_store
from overwinter.state.store import Store

NOW = 1_790_000_000_000


@workflow
async def order(ctx: Context, what: str) -> str:
    await ctx.step(str.upper, what)
    said = await ctx.approve("send it?", role="desk")
    note = await ctx.wait_for("note", type=str)
    return f"{what} {said.by} {note}"


@workflow
async def short(ctx: Context, what: str) -> str:
    return await ctx.step(str.upper, what)


@asynccontextmanager
async def opened(dsn: str) -> AsyncGenerator[Store]:
    store = open_store(dsn)
    await store.create()
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def working(store: Store) -> AsyncGenerator[Runtime]:
    await store.create()
    async with Runtime([order, short], store) as runtime:
        yield runtime


async def asked(runtime: Runtime, id: str) -> None:
    """Until it waits for somebody to approve."""
    async with asyncio.timeout(60):
        while not await runtime.approvals(id):  # noqa: ASYNC110  # a store is asked, which tells nobody
            await asyncio.sleep(0.01)


async def one_order(runtime: Runtime, id: str = "o-1") -> None:
    """Ana starts it, Ben approves it, Cara sends the note."""
    handle = await runtime.start(order, "tea", id=id, by="ana")
    await asked(runtime, id)
    await runtime.approve(id, by="ben", reason="it is paid")
    await runtime.signal(id, "note", "soon", by="cara")
    await handle.result("20s")


async def findings(store: Store, anchors: list[Anchor] = []) -> list[Finding]:  # noqa: B006  # it is only read
    return [finding async for one in prove(store, anchors=anchors) for finding in one.findings]


async def anchored(store: Store) -> list[Anchor]:
    return [Anchor(one.chain, one.entries, one.link) async for one in prove(store)]


async def all_acts(store: Store, wanted: Wanted = Wanted()) -> list[Act]:
    return [act async for act in acts(store, wanted)]
