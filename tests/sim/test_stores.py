"""The simulator on every real store: random work, random deaths, stalls, lost answers, and each answer of the store
compared with the model's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from overwinter.state.dynamodb import DynamoStore
from overwinter.state.redis import RedisStore
from overwinter.state.sqlite import SqliteStore
from overwinter.state.store import Store
from overwinter.testing.mirror import Mirror
from overwinter.tests.servers.moto import Moto
from overwinter.tests.servers.redis import RedisCluster, RedisServer
from overwinter.tests.sim.simulation import Simulation

RUNS = int(os.environ.get("OVERWINTER_SIM_STORE_RUNS", "4"))
SEED = int(os.environ.get("OVERWINTER_SIM_SEED", "1"))
Maker = Callable[[], Store]


def _sqlite(folder: Path) -> Maker:
    def make() -> Store:
        store = SqliteStore(f"sqlite:///{path}")
        store._leases.machine = ""  # as on different machines: an owner's death shows only by its silence
        return store

    path = folder / f"{uuid4().hex}.db"
    return make


def _redis(server: RedisServer | RedisCluster) -> Maker:
    dsn = server.dsn(prefix=uuid4().hex[:8])
    return lambda: RedisStore(dsn)


def _dynamodb(server: Moto) -> Maker:
    dsn = server.dsn(f"t{uuid4().hex[:12]}", bucket=f"b{uuid4().hex[:12]}")
    asyncio.run(DynamoStore(dsn).create())
    return lambda: DynamoStore(dsn)


@pytest.fixture(params=["sqlite", "redis", "redis-cluster", "dynamodb"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Maker]:
    """Makes the maker of connections to new data."""
    if request.param == "sqlite":
        return lambda: _sqlite(tmp_path)
    if request.param == "dynamodb":
        return lambda: _dynamodb(request.getfixturevalue("moto"))
    server = request.getfixturevalue({"redis": "redis_server", "redis-cluster": "redis_cluster"}[request.param])
    return lambda: _redis(server)


def test_a_real_store_answers_as_the_model(fresh: Callable[[], Maker], request: pytest.FixtureRequest) -> None:
    conflicts = kills = 0
    slow = request.node.callspec.params["fresh"] == "dynamodb"  # moto does some dozens of changes a second
    for seed in range(SEED, SEED + (RUNS + 3) // 4 if slow else SEED + RUNS):
        mirror = Mirror(fresh())
        try:
            result = Simulation(seed, executions=12, ledger=lambda: mirror).run()  # noqa: B023 # used at once
        finally:
            mirror.end()
        listed = "\n  ".join(result.wrong[:20])
        assert not result.wrong, f"seed {seed}:\n  {listed}"
        conflicts, kills = conflicts + result.conflicts, kills + result.kills
    assert kills or slow
