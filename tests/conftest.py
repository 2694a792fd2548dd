"""Servers that the tests share: started when the first test asks, ended with the last."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from overwinter.tests.servers.moto import Moto, signed
from overwinter.tests.servers.redis import RedisCluster, RedisServer

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or whoever imports it first asks the network for prices


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
