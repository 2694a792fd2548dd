"""The whole contract on Redis: one server, and a cluster of three."""

from __future__ import annotations

import secrets

import pytest

from overwinter.state.contract import StoreContract
from overwinter.state.redis import RedisStore
from overwinter.state.store import Store
from overwinter.tests.servers.redis import RedisCluster, RedisServer


class OnRedis(StoreContract):
    """Every test has a prefix of its own, which is as good as a server of its own."""

    dsn: str

    async def make_store(self) -> Store:
        store = RedisStore(self.dsn)
        await store.open()
        return store

    async def reopen(self, store: Store) -> Store:
        other = RedisStore(self.dsn)
        await other.open()
        return other


class TestOneServer(OnRedis):
    @pytest.fixture(autouse=True)
    def place(self, redis_server: RedisServer) -> None:
        self.dsn = redis_server.dsn(prefix=secrets.token_hex(4))


class TestCluster(OnRedis):
    @pytest.fixture(autouse=True)
    def place(self, redis_cluster: RedisCluster) -> None:
        self.dsn = redis_cluster.dsn(prefix=secrets.token_hex(4))
