"""A fresh store of each kind, by its address: the servers are started when a test first asks for them."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

import pytest

from .moto import Moto
from .redis import RedisServer

SHARED = ("sqlite", "redis", "dynamodb", "sealed")
"""Kinds that several processes, or openings, share."""
KINDS = ("memory", *SHARED)


def address(kind: str, request: pytest.FixtureRequest, folder: Path, environment: pytest.MonkeyPatch) -> str:
    """Where a fresh store of that kind is. ``sealed``: a file with a key in the environment."""
    if kind == "redis":
        redis: RedisServer = request.getfixturevalue("redis_server")
        return redis.dsn(prefix=secrets.token_hex(4))
    if kind == "dynamodb":
        moto: Moto = request.getfixturevalue("moto")
        return moto.dsn()
    if kind == "sealed":
        environment.setenv("STORE_KEY", base64.b64encode(secrets.token_bytes(32)).decode())
        environment.setenv("OVERWINTER_KEYS", "env:STORE_KEY")
    return "memory://" if kind == "memory" else f"sqlite:///{folder}/store.db"


@pytest.fixture(params=SHARED)
def dsn(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a fresh store of each kind that can be shared."""
    return address(request.param, request, tmp_path, monkeypatch)


@pytest.fixture(params=KINDS)
def any_dsn(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, and one in memory."""
    return address(request.param, request, tmp_path, monkeypatch)
