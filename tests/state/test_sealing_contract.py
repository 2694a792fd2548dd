"""A sealed store is a store: it keeps the whole contract, whatever it stands around."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from overwinter.state.contract import StoreContract
from overwinter.state.memory import MemoryStore
from overwinter.state.redis import RedisStore
from overwinter.state.sealing.keys import Keys, new_key, read_keys
from overwinter.state.sealing.store import SealedStore
from overwinter.state.sqlite import SqliteStore
from overwinter.state.store import Store
from overwinter.tests.servers.redis import RedisServer


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEALING", "RETIRED"):
        monkeypatch.setenv(name, new_key())


def keys(references: str) -> Keys:
    found = read_keys(references)
    assert found is not None
    return found


class TestSealedMemory(StoreContract):
    async def make_store(self) -> Store:
        store = SealedStore(MemoryStore(), keys("strict env:SEALING"))
        await store.open()
        return store

    async def reopen(self, store: Store) -> Store:
        """Another process on the same data: what one object remembers of a lease the other does not."""
        assert isinstance(store, SealedStore)
        other = SealedStore(store.inner, keys("env:SEALING env:RETIRED"))
        await other.open()
        return other


class TestSealedSqlite(StoreContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store.db"

    async def make_store(self) -> Store:
        store = SealedStore(SqliteStore(f"sqlite:///{self.path}"), keys("env:SEALING env:RETIRED"))
        await store.open()
        return store

    async def reopen(self, store: Store) -> Store:
        other = SealedStore(SqliteStore(store.dsn), keys("env:SEALING"))
        await other.open()
        return other


class TestSealedRedis(StoreContract):
    @pytest.fixture(autouse=True)
    def place(self, redis_server: RedisServer) -> None:
        self.dsn = redis_server.dsn(prefix=secrets.token_hex(4))

    async def make_store(self) -> Store:
        store = SealedStore(RedisStore(self.dsn), keys("strict env:SEALING"))
        await store.open()
        return store

    async def reopen(self, store: Store) -> Store:
        other = SealedStore(RedisStore(self.dsn), keys("env:SEALING"))
        await other.open()
        return other
