"""Servers that the tests share: started when the first test asks, ended with the last. And what holds for all tests:
none depends on how fast the machine is."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from overwinter.tests.servers.moto import Moto, signed
from overwinter.tests.servers.redis import RedisCluster, RedisServer

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or whoever imports it first asks the network for prices
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    with signed(), Moto() as server:
        yield server
