"""The whole contract on DynamoDB, on moto's server over HTTP."""

from __future__ import annotations

import pytest

from overwinter.state.contract import StoreContract
from overwinter.state.dynamodb import DynamoStore
from overwinter.state.store import Store
from overwinter.tests.servers.moto import Moto

BUCKET = "contract"


class TestDynamo(StoreContract):
    events_a_day = 5

    @pytest.fixture(autouse=True)
    def server(self, moto: Moto) -> None:
        self.moto = moto

    async def make_store(self) -> Store:
        store = DynamoStore(f"{self.moto.dsn()}&bucket={BUCKET}", patience="60s")
        await store.create()
        await store.open()
        return store

    async def reopen(self, store: Store) -> Store:
        other = DynamoStore(store.dsn, patience="60s")
        await other.open()
        return other
