"""``overwinter model-server`` and ``overwinter route``."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from overwinter import Runtime, tool
from overwinter.cli.main import cli
from overwinter.functions.bus.takers import takers
from overwinter.functions.model import ModelFunction
from overwinter.tests.servers.redis import RedisServer

from .place import served


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OVERWINTER_ROUTES", "OVERWINTER_CONFIG", "OVERWINTER_STATE"):
        monkeypatch.delenv(name, raising=False)


def ran(*words: str, **env: str) -> Any:
    return CliRunner().invoke(cli, list(words), env=env)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "Missing argument"),
        (("fast",), "fast=openai/gpt-5-mini"),
        (("=openai/x",), "fast="),
        (("fast=openai-compatible:",), "names no model"),
        (("fast=scripted:echo", "fast=scripted:echo"), "two model functions"),
        (("fast=function:slow",), "asks another one"),
        (("a/b=scripted:echo",), "a/b"),
    ],
)
def test_what_is_no_model_function_is_said(words: tuple[str, ...], why: str) -> None:
    done = ran("model-server", *words, "--store", "memory://", "--port", "0")
    assert done.exit_code != 0
    assert re.search(why, done.output), done.output


def test_routes_are_listed_and_tried() -> None:
    @tool
    def look(order: str) -> str:
        """Look."""
        return order

    async def main() -> None:
        async with served([ModelFunction("fast", "scripted:echo"), look], token="a-token-of-some-length") as place:
            table = {
                "fast": {"url": place.url, "token": "env:T"},
                "look": {"url": place.url, "token": "env:T"},
                "absent": {"url": place.url, "token": "env:T"},
                "closed": place.url,
                "nobody": "http://127.0.0.1:1",
                "own": "here",
                "*": "kubernetes://agents",
            }
            env = {"OVERWINTER_ROUTES": json.dumps(table), "T": "a-token-of-some-length"}
            done = await asyncio.to_thread(ran, "route", "list", **env)
            assert done.exit_code == 0 and "http://*.agents.svc" in done.output and "a-token" not in done.output
            done = await asyncio.to_thread(ran, "route", "check", "--json", **env)
            assert done.exit_code == 1
            assert {row["name"]: row["found"] for row in json.loads(done.output)} == {
                "fast": "model",
                "look": "tool",
                "absent": "does not serve it",
                "closed": "HTTP 401: send Authorization: Bearer TOKEN",
                "nobody": "no answer (All connection attempts failed)",
            }
            done = await asyncio.to_thread(ran, "route", "check", "fast", **env)
            assert done.exit_code == 0, done.output

    asyncio.run(main())


def test_a_broker_is_asked_who_takes_calls(redis_server: RedisServer) -> None:
    @tool
    def look(order: str) -> str:
        """Look."""
        return order

    dsn = redis_server.dsn(prefix="takers")
    env = {"OVERWINTER_ROUTES": "look=broker", "OVERWINTER_BROKER": dsn}

    async def main() -> None:
        done = await asyncio.to_thread(ran, "route", "check", **env)
        assert done.exit_code == 1 and "no process takes its calls" in done.output.replace("\n", " ")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OVERWINTER_ROUTES", "look=here")
            async with Runtime([look], "memory://", broker=dsn):
                async with asyncio.timeout(20):
                    while not await takers(dsn, "look"):  # noqa: ASYNC110  # the broker tells nobody
                        await asyncio.sleep(0.01)
                done = await asyncio.to_thread(ran, "route", "check", "--json", **env)
        assert done.exit_code == 0 and [row["found"] for row in json.loads(done.output)] == ["taken"]

    asyncio.run(main())
    assert "broker" in ran("route", "list", **env).output
    for broker, why in (("redis://127.0.0.1:9/0", "out of reach"), ("", "the broker is the store")):
        done = ran("route", "check", "--json", **{**env, "OVERWINTER_BROKER": broker})
        assert done.exit_code == 1 and why in json.loads(done.output)[0]["found"]


def test_a_route_that_is_not_there_is_said() -> None:
    done = ran("route", "check", "fast")
    assert done.exit_code != 0 and "no route leads to 'fast'" in done.output
    assert "no routes" in ran("route", "list").output
    assert json.loads(ran("route", "list", "--json").output) == []
