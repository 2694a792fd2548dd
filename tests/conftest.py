"""Servers that the tests share: started when the first test asks, ended with the last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from overwinter.tests.servers.moto import Moto, signed
from overwinter.tests.servers.redis import RedisCluster, RedisServer


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
