"""What the tests of the Redis store share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from overwinter.state.contract.case import NOW, known, lease, mail, settle
from overwinter.state.records import Head, NewExecution
from overwinter.state.redis import RedisStore
from overwinter.state.store import Store

NEW = NewExecution("ticket", "workflow")


@asynccontextmanager
async def opened(dsn: str, **settings: Any) -> AsyncGenerator[RedisStore]:
    """An open store, closed whatever happens."""
    store = RedisStore(dsn, **settings)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def leased(store: Store, number: int) -> list[Head]:
    """So many executions ``x0`` … that "a" holds for ten minutes, with their start in the mailbox."""
    await store.beat("a", NOW, 600_000)
    starting = [store.accept(f"x{n}", mail("start", "start"), now=NOW, owner="a", create=NEW) for n in range(number)]
    return [known(accepted) for accepted in await asyncio.gather(*starting)]


async def furnish(store: Store) -> None:
    """Executions that stand in every index, and a value."""
    await settle(store, "failed", "failed")
    await settle(store, "waiting", "waiting", wake=NOW + 5)
    await store.accept("child", mail("k"), now=NOW, create=NEW._replace(parent="mother"))
    await lease(store, "held", "b")
    await store.put("s", "k", "1")
