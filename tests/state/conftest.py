"""Servers that the tests of this folder share: started when the first test asks, ended with the last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from overwinter.tests.servers.redis import RedisCluster, RedisServer, valkey


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer(aof="everysec") as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[RedisServer]:
    try:
        executable = valkey()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    with RedisServer(aof="everysec", executable=executable) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    with RedisCluster(aof="everysec") as cluster:
        yield cluster
