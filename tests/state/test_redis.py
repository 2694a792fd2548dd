"""The whole contract on Redis and Valkey: one server each, and a cluster of three."""

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


class TestValkey(OnRedis):
    @pytest.fixture(autouse=True)
    def place(self, valkey_server: RedisServer) -> None:
        self.dsn = valkey_server.dsn(prefix=secrets.token_hex(4))


def test_valkey_is_valkey(valkey_server: RedisServer) -> None:
    assert "valkey_version" in valkey_server.say("INFO", "server")


class TestCluster(OnRedis):
    @pytest.fixture(autouse=True)
    def place(self, redis_cluster: RedisCluster) -> None:
        self.dsn = redis_cluster.dsn(prefix=secrets.token_hex(4))
