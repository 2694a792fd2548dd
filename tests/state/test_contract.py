"""The whole contract, on every store."""

from __future__ import annotations

from pathlib import Path

import pytest

from overwinter.state.contract import StoreContract
from overwinter.state.memory import MemoryStore
from overwinter.state.sqlite import SqliteStore
from overwinter.state.store import Store


class TestMemory(StoreContract):
    async def make_store(self) -> Store:
        store = MemoryStore()
        await store.open()
        return store

    async def reopen(self, store: Store) -> Store:
        return store  # its data lives in the object; closing it loses nothing


class TestSqlite(StoreContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store.db"

    async def make_store(self) -> Store:
        store = SqliteStore(f"sqlite:///{self.path}")
        await store.open()
        return store

    async def reopen(self, store: Store) -> Store:
        other = SqliteStore(store.dsn)
        await other.open()
        return other
