"""Events that Redis still has are shown and handed over once more; who has taken one does not take it again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from overwinter import InvalidInput, Runtime
from overwinter.cli.commands.events import moment
from overwinter.cli.main import cli
from overwinter.functions.bus.retained import Reached, following, kept, retaining
from overwinter.functions.event import CloudEvent
from overwinter.tests.apart.place import on_a_loop, until
from overwinter.tests.servers.redis import RedisServer

from .shop import SHIPPED, checkout, fresh, ship


@pytest.fixture(autouse=True)
def _fresh() -> None:
    fresh()


def paid(number: int) -> CloudEvent:
    return CloudEvent(id=f"e-{number}", source="/shop", type="order.paid", data={"id": f"o-{number}"})


async def publish(broker: str, *numbers: int) -> None:
    async with Runtime([checkout], "memory://", broker=broker) as runtime:
        for number in numbers:
            await runtime.publish(paid(number))


def run(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    assert result.exit_code == code, result.output
    return result.output


def test_a_subscription_gets_the_past_once(redis_server: RedisServer, tmp_path: Path) -> None:
    broker, store = redis_server.dsn(prefix="past", partitions=4), f"sqlite:///{tmp_path}/shop.db"
    asyncio.run(publish(broker, *range(12)))

    async def serve(count: int) -> None:
        async with asyncio.timeout(60), Runtime([ship], store, broker=broker):
            await until(lambda: len(SHIPPED) == count)

    asyncio.run(serve(0))
    asyncio.run(publish(broker, 12))
    asyncio.run(serve(1))
    replay = ["events", "replay", "--from", "1h", "--broker", broker, "--store", store]
    assert json.loads(run(*replay)) == {"events": 13, "taken": 13}
    asyncio.run(serve(13))
    assert sorted(SHIPPED) == sorted(f"o-{number}" for number in range(13)), "one of them had been taken before"
    assert json.loads(run(*replay, "--subscription", "ship"))["taken"] == 13
    assert json.loads(run(*replay, "--to", "30m")) == {"events": 0, "taken": 0}
    run(*replay, "--subscription", "other", code=2)
    lines = run("events", "tail", "--from", "1h", "--count", "13", "--broker", broker).splitlines()
    told = [json.loads(line) for line in lines]
    assert {one["event"]["id"] for one in told} == {f"e-{number}" for number in range(13)}
    assert [one["at"] for one in told] == sorted(one["at"] for one in told)


@on_a_loop
async def test_what_is_published_is_followed(redis_server: RedisServer) -> None:
    broker = redis_server.dsn(prefix="tail", partitions=2)
    await publish(broker, 0)
    place = retaining(broker)
    seen: list[str] = []

    async def follow() -> None:
        async for one in following(place):
            seen.append(one.event.id)

    watching = asyncio.create_task(follow())
    number = 1
    while not seen:
        await publish(broker, number)
        number += 1
        await asyncio.sleep(0.01)
    await until(lambda: f"e-{number - 1}" in seen)
    assert "e-0" not in seen
    watching.cancel()
    await asyncio.wait([watching])
    assert {one.event.id async for one in kept(place, 0, 2**53)} == {f"e-{one}" for one in range(number)}


@on_a_loop
async def test_nothing_is_missed_between_what_is_kept_and_what_comes(redis_server: RedisServer) -> None:
    """Also in a stream that had nothing before."""
    broker = redis_server.dsn(prefix="seam", partitions=4)
    place, reached = retaining(broker), Reached()
    await publish(broker, 0, 1)
    seen = [one.event.id async for one in kept(place, 0, 2**53, reached)]
    await publish(broker, *range(2, 20))
    async with asyncio.timeout(60):
        async for one in following(place, reached):
            seen.append(one.event.id)
            if len(seen) == 20:
                break
    assert sorted(seen) == sorted(f"e-{number}" for number in range(20))


def test_what_keeps_nothing_says_so() -> None:
    with pytest.raises(InvalidInput, match="keeps no events"):
        retaining("store")
    with pytest.raises(InvalidInput, match="no broker is known for 'kafka'"):
        retaining("kafka://x")
    assert "not in the range" in run("events", "tail", "--count", "0", "--broker", "redis://h", code=2)
    with pytest.raises(InvalidInput, match="is no time"):
        moment("soon")
    assert moment("2026-11-29T10:00:00Z") == 1795946400000
