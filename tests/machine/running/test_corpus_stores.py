"""The corpus on real stores, each answer of which is compared with the model's, with processes that die on the way.

SQLite and Redis play a half of the cases each, DynamoDB (moto's server, some dozens of changes a second) one in 25. The
first process dies at a moment that was drawn for the case, the next one somewhat later. ``OVERWINTER_CORPUS=all`` plays
all cases on all stores; ``OVERWINTER_CORPUS=each`` with a death at every transition besides, for most of an hour.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from overwinter.state.opening import open_store
from overwinter.testing.mirror import Mirror
from overwinter.tests.machine.running import stage
from overwinter.tests.servers.moto import Moto
from overwinter.tests.servers.redis import RedisServer

from .cases import cases

HOW = os.environ.get("OVERWINTER_CORPUS", "")
ALL = dict(cases())
FILES = sorted({id.partition("/")[0] for id in ALL})
SHARES: dict[str, Callable[[int], bool]] = {
    "sqlite": lambda number: number % 2 == 0,
    "redis": lambda number: number % 2 == 1,
    "dynamodb": lambda number: number % 25 == 0,
}
"""Which cases a store plays by default, of those that are numbered through all files."""


@pytest.fixture(params=list(SHARES))
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Gives the address of an empty store, another one each time."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path / uuid4().hex}.db"
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        return lambda: server.dsn(prefix=uuid4().hex[:8])
    return partial(_table, request.getfixturevalue("moto"))


def _table(moto: Moto) -> str:
    from overwinter.state.dynamodb import DynamoStore

    dsn = moto.dsn(f"t{uuid4().hex[:12]}", bucket=f"b{uuid4().hex[:12]}")
    asyncio.run(DynamoStore(dsn).create())
    return dsn


@pytest.mark.parametrize("file", FILES)
def test_it_comes_to_the_same_on_every_store(
    file: str, empty: Callable[[], str], request: pytest.FixtureRequest
) -> None:
    share = SHARES[request.node.callspec.params["empty"]]
    died = 0
    for number, (id, case) in enumerate(ALL.items()):
        if id.partition("/")[0] == file and (HOW or share(number)):
            runs = [_played(id, case, empty(), deaths) for deaths in _deaths(id, case)]
            assert all(runs), f"no process died in {id}"
            died += sum(runs)
    assert died


def _deaths(id: str, case: dict[str, Any]) -> Sequence[Sequence[int]]:
    """At which moments the processes of each run die, always the same for the same case."""
    changes = stage.play(case).changes
    draw = random.Random(id)
    drawn = [draw.randint(1, changes), draw.randint(1, max(1, changes // 2))]
    return [drawn, *([number] for number in range(1, changes + 1))] if HOW == "each" else [drawn]


def _played(id: str, case: dict[str, Any], dsn: str, deaths: Sequence[int]) -> int:
    """How many died, of one run."""
    with _ledger(dsn) as ledger:
        played = stage.play(case, ledger, deaths)
    try:
        stage.check(case, played)
    except AssertionError as error:
        error.add_note(f"{id}, with deaths at {deaths}")
        raise
    return played.died


@contextmanager
def _ledger(dsn: str) -> Generator[Mirror]:
    mirror = Mirror(partial(open_store, dsn))
    try:
        yield mirror
    finally:
        mirror.end()
