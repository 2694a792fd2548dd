"""A Redis server for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from overwinter.tests.servers.redis import RedisServer


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server
