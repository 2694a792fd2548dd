"""What Redis keeps for a subscription that was given up goes, and only when nobody misses it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from click.testing import CliRunner

from overwinter import Context, Runtime, workflow
from overwinter.cli.main import cli
from overwinter.functions.bus import redis_retiring
from overwinter.functions.bus.announcing import forget
from overwinter.functions.bus.bus import Bus
from overwinter.functions.bus.redis_broker import RedisBroker
from overwinter.functions.bus.retiring import retire, retired
from overwinter.functions.bus.subscription import subscriptions_of
from overwinter.orchestrator.usercode.served import by_name
from overwinter.state import open_store
from overwinter.tests.apart.place import on_a_loop, until
from overwinter.tests.servers.redis import RedisServer

from .shop import SHIPPED, book, checkout, fresh, ship

NUMBERS = count()
SHIP = subscriptions_of(by_name([ship]))["ship"]


@workflow(name="ship")
async def bare(ctx: Context, order: Any) -> str:
    """The same function in a release that has no subscription."""
    return "not any more"


class Place(NamedTuple):
    broker: str
    store: str
    prefix: str
    server: RedisServer

    def groups(self) -> list[dict[str, Any]]:
        """What the subscription has on each partition."""
        with self.server.client() as client:
            streams: Any = client.keys(f"{self.prefix}:events:?")
            found = [group for stream in streams for group in cast("Any", client.xinfo_groups(stream))]
            return [group for group in found if group["name"] == b"ship"]

    def pending(self) -> int:
        """How many events were read and are not confirmed."""
        return sum(group["pending"] for group in self.groups())


@pytest.fixture
def place(redis_server: RedisServer, tmp_path: Path) -> Iterator[Place]:
    fresh()
    prefix = f"retire{next(NUMBERS)}"
    store = f"sqlite:///{tmp_path}/shop.db"
    yield Place(redis_server.dsn(prefix=prefix, partitions=2), store, prefix, redis_server)


async def served(place: Place, *functions: Any, publishes: int = 0) -> None:
    """A process that starts, publishes, and goes when so much was taken in all."""
    async with Runtime(functions, place.store, broker=place.broker) as runtime:
        for number in range(publishes):
            await runtime.publish("order.paid", {"id": f"o-{number}"})
        await until(lambda: len(SHIPPED) >= publishes and (ship not in functions or place.pending() == 0))


async def given_up(place: Place, *, force: bool = False) -> str:
    """As ``overwinter subscriptions drop`` does it; why something is kept."""
    store = open_store(place.store)
    await store.open()
    try:
        await forget(store, "ship", kept=True)
        return (await retire(store, RedisBroker(place.broker), force=force)).get("ship", "")
    finally:
        await store.close()


@on_a_loop
async def test_it_goes_when_nobody_misses_it(place: Place) -> None:
    """Also where events have come since that it would not have taken."""
    await served(place, ship, publishes=5)
    assert len(place.groups()) == 2
    async with Runtime([checkout], place.store, broker=place.broker) as elsewhere:
        for number in range(600):
            await elsewhere.publish("order.seen", {"id": f"{number}"})
    assert await given_up(place) == ""
    assert place.groups() == []
    assert await given_up(place) == ""


@on_a_loop
async def test_a_release_without_it_takes_it_away(place: Place) -> None:
    await served(place, ship, publishes=1)
    async with asyncio.timeout(60), Runtime([bare, book], place.store, broker=place.broker) as runtime:
        while place.groups() or await retired(runtime.store):  # noqa: ASYNC110  # only Redis and the store know
            await asyncio.sleep(0.005)
    async with Runtime([ship], place.store, broker=place.broker) as runtime:  # and it may come back
        await runtime.publish("order.paid", {"id": "again"})
        await until(lambda: SHIPPED[-1] == "again")


@on_a_loop
async def test_what_was_not_taken_is_kept_until_somebody_lets_it_go(place: Place) -> None:
    await served(place, ship)
    async with Runtime([checkout], place.store, broker=place.broker) as elsewhere:
        await elsewhere.publish("order.paid", {"id": "late"})
    assert await given_up(place) == "1 of its events was not taken"
    assert len(place.groups()) == 2
    await served(place, ship, publishes=1)
    assert sorted(SHIPPED) == ["late", "o-0"], "the code has it again, and nothing was lost"
    async with Runtime([checkout], place.store, broker=place.broker) as elsewhere:
        for number in range(2):
            await elsewhere.publish("order.paid", {"id": f"late-{number}"})
    assert await given_up(place) == "2 of its events were not taken"
    assert await given_up(place, force=True) == ""
    assert place.groups() == []


@on_a_loop
async def test_what_was_read_and_not_confirmed_is_kept(place: Place) -> None:
    await served(place, ship)
    async with Runtime([checkout], place.store, broker=place.broker) as elsewhere:
        await elsewhere.publish("order.paid", {"id": "late"})
    with place.server.client() as client:
        streams: Any = {f"{place.prefix}:events:{number}": ">" for number in range(2)}
        client.xreadgroup("ship", "somebody", streams)
    assert await given_up(place) == "1 of its events was not taken"


@on_a_loop
async def test_who_reads_for_it_keeps_it(place: Place) -> None:
    async with Runtime([ship], place.store, broker=place.broker) as runtime:
        for force in (False, True):
            assert await given_up(place, force=force) == "a process reads for it"
        await runtime.publish("order.paid", {"id": "o-1"})
        await until(lambda: SHIPPED == ["o-1"])


@on_a_loop
async def test_processes_on_another_store_keep_it_also_at_zero(place: Place) -> None:
    await served(place, ship, publishes=1)
    other = place._replace(store=place.store + ".other")
    await served(other, ship)
    assert await given_up(place) == "processes on another store have it"
    async with Runtime([checkout], place.store, broker=place.broker) as runtime:
        await runtime.publish("order.paid", {"id": "for the other"})
    await served(other, ship, publishes=2)
    assert "for the other" in SHIPPED
    assert await given_up(other) == "", "the last one that has it takes it away"
    assert place.groups() == []


@pytest.mark.parametrize("comes", ["an event", "another event", "a reader"])
@on_a_loop
async def test_what_comes_in_the_last_moment_is_seen(place: Place, monkeypatch: pytest.MonkeyPatch, comes: str) -> None:
    await served(place, ship, publishes=1)
    original, done = redis_retiring._destroy, [False]
    broker = RedisBroker(place.broker)

    async def destroy(*given: Any) -> int:
        if not done[0]:
            done[0] = True
            if comes == "a reader":
                await broker.open(_Others(open_store("memory://")))  # it has announced itself, and reads nothing yet
            else:
                async with Runtime([checkout], place.store, broker=place.broker) as elsewhere:
                    await elsewhere.publish("order.paid" if comes == "an event" else "order.seen", {"id": "late"})
        return await original(*given)

    monkeypatch.setattr(redis_retiring, "_destroy", destroy)
    said = await given_up(place)
    kept = {"an event": "1 of its events was not taken", "another event": "", "a reader": "a process reads for it"}
    assert (said, len(place.groups())) == (kept[comes], 0 if comes == "another event" else 2)
    await broker.close()


class _Others:
    """A process that has just come."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.own = {"ship": SHIP}

    async def announced(self) -> Any:
        return self.own

    async def take(self, subscription: Any, event: Any) -> None: ...

    def spawn(self, work: Any) -> None:
        work.close()


@on_a_loop
async def test_a_broker_that_is_away_holds_nothing_up(place: Place) -> None:
    await served(place, ship)
    store = open_store(place.store)
    await store.open()
    await forget(store, "ship", kept=True)
    said = await retire(store, RedisBroker("redis://127.0.0.1:1/0"))
    assert "out of reach" in said["ship"]
    assert "out of reach" in (await retired(store))["ship"].kept
    await store.close()


@on_a_loop
async def test_one_that_is_announced_again_is_not_given_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies between writing it down and taking it back."""
    await served(place, ship)
    store = open_store(place.store)
    await store.open()
    await forget(store, "ship", kept=True)
    await store.close()
    await served(place, ship)
    assert await retire_all(place) == {} and len(place.groups()) == 2


async def retire_all(place: Place) -> Any:
    store = open_store(place.store)
    await store.open()
    try:
        return await retire(store, RedisBroker(place.broker))
    finally:
        await store.close()


def test_people_see_what_is_kept_and_let_it_go(place: Place) -> None:
    @on_a_loop
    async def prepare() -> None:
        await served(place, ship)
        async with Runtime([checkout], place.store, broker=place.broker) as elsewhere:
            await elsewhere.publish("order.paid", {"id": "late"})

    prepare()
    run = CliRunner()
    drop = ["subscriptions", "drop", "ship", "--store", place.store, "--broker", place.broker]
    shown = ["subscriptions", "list", "--store", place.store]
    said = run.invoke(cli, drop)
    assert said.exit_code == 0 and "still keeps its place: 1 of its events was not taken" in said.stderr + said.stdout
    assert "given up" in run.invoke(cli, shown, env={"COLUMNS": "200"}).stdout
    (one,) = json.loads(run.invoke(cli, [*shown, "--json"]).stdout)
    assert (one["name"], one["kept"]) == ("ship", "1 of its events was not taken")
    assert json.loads(run.invoke(cli, [*drop, "--json"]).stdout)["kept"] == "1 of its events was not taken"
    assert json.loads(run.invoke(cli, [*drop, "--force", "--json"]).stdout) == {"dropped": "ship", "kept": ""}
    assert place.groups() == [] and json.loads(run.invoke(cli, [*shown, "--json"]).stdout) == []
    assert run.invoke(cli, drop).exit_code != 0


def test_without_a_broker_that_keeps_anything_nothing_is_written_down(tmp_path: Path) -> None:
    @on_a_loop
    async def main() -> None:
        store = f"sqlite:///{tmp_path}/shop.db"
        async with Runtime([ship], store):
            pass
        async with Runtime([bare, book], store) as runtime:
            assert isinstance(runtime.bus, Bus) and await retired(runtime.store) == {}

    main()
