"""What is Redis' own: partitions that move, servers that go away and forget, streams that others write to."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from overwinter import Runtime
from overwinter.functions.bus.redis_broker import RedisBroker
from overwinter.functions.bus.redis_partitions import Partitions
from overwinter.state.errors import BrokerUnavailable, InvalidInput
from overwinter.tests.apart.place import on_a_loop, until
from overwinter.tests.servers.redis import RedisServer

from .shop import SHIPPED, fresh, ship


@pytest.fixture(autouse=True)
def _fresh() -> None:
    fresh()


@on_a_loop
async def test_partitions_are_shared_and_change_hands(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overwinter.functions.bus.redis_partitions.LOOK", 0.0)
    place = RedisBroker(redis_server.dsn(prefix="share", partitions=4)).place
    redis = place.client()
    one, two = Partitions(place, redis, "s"), Partitions(place, redis, "s")
    assert sorted(await one.look()) == [0, 1, 2, 3]
    assert await two.look() == []
    assert await one.look() == [] and len(one.mine) == 2
    assert len(await two.look()) == 2
    assert sorted(one.mine + two.mine) == [0, 1, 2, 3]
    await two.leave()
    assert len(await one.look()) == 2 and sorted(one.mine) == [0, 1, 2, 3]
    one.forget()
    assert sorted(await one.look()) == [0, 1, 2, 3], "its own rights are its own still"
    await redis.aclose()


@pytest.mark.parametrize("aof", ["always", None])
@on_a_loop
async def test_a_server_that_is_away_is_said_and_waited_for(aof: str | None) -> None:
    """Also one that comes back without what it had."""
    with RedisServer(aof=aof) as server:
        dsn = server.dsn(prefix="gone")
        async with asyncio.timeout(60), Runtime([ship], "memory://", broker=dsn) as runtime:
            await runtime.publish("order.paid", {"id": "one"})
            await until(lambda: SHIPPED == ["one"])
            server.kill()
            with pytest.raises(BrokerUnavailable):
                await runtime.publish("order.paid", {"id": "two"})
            server.start()
            while True:
                try:
                    await runtime.publish("order.paid", {"id": "three"})
                except BrokerUnavailable:
                    continue
                break
            await until(lambda: "three" in SHIPPED)
    with pytest.raises(BrokerUnavailable):
        async with Runtime([ship], "memory://", broker=dsn):
            pass


@on_a_loop
async def test_what_is_no_event_is_passed_over_and_streams_stay_small(redis_server: RedisServer) -> None:
    dsn = redis_server.dsn(prefix="odd", partitions=1, keep=10)
    async with asyncio.timeout(60), Runtime([ship], "memory://", broker=dsn) as runtime:
        with redis_server.client() as client:
            fields: Any = [{"e": "{"}, {"x": "y"}, {"e": '{"specversion": "1.0"}'}]
            for one in fields:
                client.xadd("odd:events:0", one)
        for number in range(300):
            await runtime.publish("order.paid", {"id": f"{number}"})
        await until(lambda: len(SHIPPED) == 300)
        with redis_server.client() as client:
            assert client.xlen("odd:events:0") < 250  # whole nodes are trimmed
            pending: Any = client.xpending("odd:events:0", "ship")
            assert pending["pending"] == 0


@on_a_loop
async def test_what_was_read_and_trimmed_before_it_was_taken_holds_nothing_up(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody reads an event and dies, and the stream is trimmed before another reads on."""
    dsn = redis_server.dsn(prefix="trimmed", partitions=1)
    async with asyncio.timeout(60), Runtime([ship], "memory://", broker=dsn):
        pass
    stream: Any = "trimmed:events:0"
    async with asyncio.timeout(60), Runtime([], "memory://", broker=dsn) as runtime:
        await runtime.publish("order.paid", {"id": "gone"})
        await runtime.publish("order.paid", {"id": "read"})
        with redis_server.client() as client:
            read: Any = client.xreadgroup("ship", "died", {stream: ">"})
            client.xdel(stream, read[0][1][0][0])
        await runtime.publish("order.paid", {"id": "new"})
    async with asyncio.timeout(60), Runtime([ship], "memory://", broker=dsn):
        await until(lambda: len(SHIPPED) == 2)
        with redis_server.client() as client:
            await until(lambda: cast(Any, client.xpending(stream, "ship"))["pending"] == 0)
    assert SHIPPED == ["read", "new"]
    assert "events of the subscription ship are lost: 1 that had been read" in caplog.text


@pytest.mark.parametrize(
    "dsn", ["redis://h?keep=0", "redis://h?keep=x", "redis+cluster://h", "redis://h?what=1", "redis://:secret@[::1/0"]
)
def test_addresses_that_can_not_be(dsn: str) -> None:
    with pytest.raises(InvalidInput) as told:
        RedisBroker(dsn)
    assert "secret" not in str(told.value)
