"""Servers that the tests share: started when the first test asks, ended with the last. And what holds for all tests:
none depends on how fast the machine is, and none on whether SIGINT was ignored where they were started."""

from __future__ import annotations

import gc
import os
import signal
import sys
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from overwinter.tests.servers.moto import Moto, signed
from overwinter.tests.servers.redis import RedisCluster, RedisServer

pytest_plugins = ["overwinter.tests.parts"]

# Shells start what runs in the background with SIGINT ignored, programs hand that on to those they start, and a
# command that ignores it is not ended by it. The tests that press Ctrl-C mean a command in a terminal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or whoever imports it first asks the network for prices
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="module", autouse=True)
def nothing_of_litellm_is_left() -> Iterator[None]:
    """It keeps clients whose connections nobody closes; found later, they would fail whoever looks for garbage."""
    yield
    library = sys.modules.get("litellm")
    if library is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            library.in_memory_llm_clients_cache.flush_cache()
            gc.collect()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Moto]:
    with signed(), Moto() as server:
        yield server


@pytest.fixture
def moto(moto_server: Moto, monkeypatch: pytest.MonkeyPatch) -> Moto:
    """It answers one request after another, on a busy machine later than DynamoDB ever would."""
    monkeypatch.setattr("overwinter.state.dynamodb.wire._ANSWER", 60.0)
    return moto_server
