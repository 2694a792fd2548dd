"""What carries executions into a store opens it by this: the store is made when it is not there."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .exits import USAGE, Exit

if TYPE_CHECKING:
    from ..state.store import Store


@asynccontextmanager
async def made(dsn: str) -> AsyncGenerator[Store]:
    """An open store, made before if need be. Raises Exit for one that would be gone with this process."""
    from ..state.opening import open_store

    if dsn.partition("?")[0].startswith("memory:"):
        from ..security.address import shown

        raise Exit(f"{shown(dsn)} is gone when this command ends", code=USAGE, advice="Name a store that lasts.")
    store = open_store(dsn)
    await store.create()
    await store.open()
    try:
        yield store
    finally:
        await store.close()
