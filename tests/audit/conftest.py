"""A fresh store of each kind, by its address."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

import pytest

from overwinter.tests.servers.moto import Moto
from overwinter.tests.servers.redis import RedisServer


@pytest.fixture(params=["memory", "sqlite", "redis", "dynamodb", "sealed"])
def dsn(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "redis":
        redis: RedisServer = request.getfixturevalue("redis_server")
        return redis.dsn(prefix=secrets.token_hex(4))
    if request.param == "dynamodb":
        moto: Moto = request.getfixturevalue("moto")
        return moto.dsn()
    if request.param == "sealed":
        monkeypatch.setenv("AUDIT_KEY", base64.b64encode(secrets.token_bytes(32)).decode())
        monkeypatch.setenv("OVERWINTER_KEYS", "env:AUDIT_KEY")
    if request.param == "memory":
        return "memory://"
    return f"sqlite:///{tmp_path}/store.db"
