"""Nobody waits for ever for what an unforeseen error has kept from being answered or heard."""

from __future__ import annotations

import asyncio
import gc
import secrets
from typing import Any

import pytest

from overwinter.state.contract.case import NOW, TTL, change, known, lease
from overwinter.state.errors import StoreCorrupt
from overwinter.state.redis import address, commands, servers
from overwinter.tests.servers.redis import RedisServer
from overwinter.tests.state import redis_cases as cases


def test_nobody_waits_for_an_answer_that_can_not_be_read(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with cases.opened(redis_server.dsn(prefix=secrets.token_hex(4))) as store:
            head = known(await lease(store, "x", "a"))

            def odd(*_: Any) -> Any:
                raise AttributeError("a mistake of ours")

            with monkeypatch.context() as patched:
                patched.setattr(commands, "_appended", odd)
                with pytest.raises(StoreCorrupt, match="a mistake of ours"):
                    await asyncio.wait_for(store.append(change(head, ["e"], token="t")), 30)
            assert "a mistake of ours" in caplog.text
            await asyncio.wait_for(store.beat("b", NOW, TTL), 30)  # and the connection is another one
            assert list(await store.history("x")) == ["e"]

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [EOFError("cut off"), AttributeError("a mistake of the client's")])
def test_who_watches_hears_again_after_an_unforeseen_error(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def scenario() -> None:
        async with cases.opened(redis_server.dsn(prefix=secrets.token_hex(4))) as store:
            head, dialled = known(await lease(store, "x", "a")), address.connection

            def odd(*_: Any) -> Any:
                monkeypatch.setattr(servers, "connection", dialled)
                raise error

            monkeypatch.setattr(servers, "connection", odd)
            async with store.watch("y"):
                pass
            async with store.watch("x") as told:
                assert told is not None
                await store.append(change(head, ["e"], tell=True))
                await asyncio.wait_for(told.wait(), 30)
            gc.collect()

    asyncio.run(scenario())
