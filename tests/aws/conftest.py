"""A store for the handlers of a test: SQLite, and DynamoDB on moto's server over HTTP."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from overwinter.functions.aws import Handler, handler_for
from overwinter.state.opening import open_store
from overwinter.tests.servers.moto import Moto

NIGHT_DESK = Path(__file__).parent / "programs" / "night_desk.py"
Make = Callable[..., Handler]


@pytest.fixture(params=["sqlite", "dynamodb"])
def dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The DSN of an empty store, made ready."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: Moto = request.getfixturevalue("moto")
    dsn = server.dsn(bucket=f"b-{uuid.uuid4().hex[:12]}")
    asyncio.run(open_store(dsn).create())
    return dsn


@pytest.fixture
def night(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """``night(**options)``: a handler for the night desk on the store, closed at the end."""
    monkeypatch.setenv("NIGHT_DESK", str(tmp_path))
    made: list[Handler] = []

    def make(**options: Any) -> Handler:
        given: dict[str, Any] = {"auth": "iam", "store": dsn, **options}
        made.append(handler_for(str(NIGHT_DESK), **given))
        return made[-1]

    yield make
    for handler in made:
        handler.close()
