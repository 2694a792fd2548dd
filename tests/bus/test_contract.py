"""What every broker promises: the same tests on each."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from overwinter import Agent, Context, Runtime, Scripted, subscribe, tool, workflow
from overwinter.functions.bus.dead_letters import DeadLetter, DeadLetters
from overwinter.functions.bus.subscription import Subscription
from overwinter.functions.bus.taking import Taking, delivery_id
from overwinter.functions.event import CloudEvent
from overwinter.state.errors import ExecutionFailed, InvalidInput, PayloadTooLarge, StoreUnavailable
from overwinter.tests.apart.place import on_a_loop, until
from overwinter.tests.bus import aws
from overwinter.tests.servers.knative import KnativeServer
from overwinter.tests.servers.redis import RedisServer

from .pods import pod
from .shop import SHIPPED, book, checkout, fresh, ship

NUMBERS = itertools.count()
KEYS = ["ann", "bob", "eve"]

listener = subscribe(type="said", session="partitionkey")(Agent("listener", Scripted(["ok"] * 99)))


class Where(NamedTuple):
    """A broker and a store."""

    broker: str
    store: str
    knative: KnativeServer | None = None


PLACES = [
    *("store on memory", "store on sqlite", "store on redis", "redis on memory", "redis on sqlite"),
    *("sqs on sqlite", "sns on memory", "sns-raw on sqlite", "events on sqlite"),
]


@pytest.fixture(params=[*PLACES, "knative on memory", "knative on sqlite"])
def where(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Where]:
    fresh()
    broker, _, store = str(request.param).partition(" on ")
    prefix = f"bus{next(NUMBERS)}"
    server: RedisServer | None = request.getfixturevalue("redis_server") if "redis" in str(request.param) else None
    place = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/shop.db"}.get(store)
    if place is None:
        assert server is not None
        place = server.dsn(prefix=prefix)
    if broker == "redis":
        assert server is not None
        broker = server.dsn(prefix=prefix, partitions=4)
    if broker in aws.KINDS:
        broker = aws.prepared(broker, request.getfixturevalue("moto"), monkeypatch)
    with ExitStack() as stack:
        knative = stack.enter_context(KnativeServer()) if broker == "knative" else None
        yield Where(knative.url if knative is not None else broker, place, knative)


@asynccontextmanager
async def serving(where: Where, functions: list[Any]) -> AsyncGenerator[Runtime]:
    async with asyncio.timeout(60), Runtime(functions, where.store, broker=where.broker) as runtime:
        if where.knative is None:
            yield runtime
        else:  # nothing is read there: events are brought to the process
            async with pod(where.knative, runtime):
                yield runtime


def paid(number: int, **changes: Any) -> CloudEvent:
    event = CloudEvent(id=f"e-{number}", source="/shop", type="order.paid", data={"id": f"o-{number}"})
    return event.replace(**changes) if changes else event


@on_a_loop
async def test_each_subscription_takes_each_event_once(where: Where) -> None:
    async with serving(where, [ship, book]) as runtime:
        await asyncio.gather(*(runtime.publish(paid(number)) for number in range(20) for _ in range(2)))
        await runtime.publish(paid(99, type="order.seen"))
        await runtime.publish(paid(99, type="other"))
        await until(lambda: len(SHIPPED) == 20)
        assert sorted(SHIPPED) == sorted(f"o-{number}" for number in range(20))
        for event in (*map(paid, range(20)), paid(99, type="order.seen")):  # only one partition's are in their order
            await arrived(runtime, "ledger", event)
        assert len(await runtime.list(function="book", limit=100)) == 21
        assert len(await runtime.list(function="ship", limit=100)) == 20


async def arrived(runtime: Runtime, subscription: str, event: CloudEvent) -> None:
    while await runtime.find(delivery_id(subscription, event)) is None:  # noqa: ASYNC110  # only the store knows
        await asyncio.sleep(0.005)


@on_a_loop
async def test_what_a_workflow_publishes_is_confirmed(where: Where) -> None:
    async with serving(where, [ship, checkout]) as runtime:
        handle = await runtime.start(checkout, {"id": "o-1"}, id=f"buy-{next(NUMBERS)}")
        assert await handle.result() == "o-1"
        await until(lambda: SHIPPED == ["o-1"])


@on_a_loop
async def test_events_of_one_key_stay_in_their_order(where: Where) -> None:
    if where.broker.startswith("events:"):
        return  # EventBridge keeps no order, and docs/publish-subscribe.md says so
    async with serving(where, [listener]) as runtime:
        for number in range(30):
            key = KEYS[number % 3]
            await runtime.publish("said", f"{number}", key=key)
        for first, key in enumerate(KEYS):
            wanted = [f"{number}" for number in range(first, 30, 3)]
            await heard(runtime, key, wanted)


async def heard(runtime: Runtime, key: str, wanted: list[str]) -> None:
    while await said(runtime, f"listener/{key}") != wanted:  # noqa: ASYNC110  # only the store knows
        await asyncio.sleep(0.01)


async def said(runtime: Runtime, execution: str) -> list[Any]:
    if await runtime.find(execution) is None:
        return []
    return [fact["content"] for fact in await runtime.history(execution) if fact["type"] == "message"]


async def lettered(runtime: Runtime) -> Sequence[DeadLetter]:
    """The dead letters, as soon as there is one: a broker without order brings what comes later first."""
    while not (found := await runtime.bus.letters.all()):  # noqa: ASYNC110  # there is no event for it
        await asyncio.sleep(0.01)
    return found


@on_a_loop
async def test_a_poison_event_blocks_nobody(where: Where) -> None:
    async with serving(where, [ship]) as runtime:
        await runtime.publish(paid(1, data={"cents": 4}, extensions={"partitionkey": "k"}))
        await runtime.publish(paid(2, extensions={"partitionkey": "k"}))
        await until(lambda: SHIPPED == ["o-2"])
        (lost,) = await lettered(runtime)
        assert (lost.subscription, lost.event["id"], lost.attempts) == ("ship", "e-1", 1)


@pytest.mark.parametrize("part", ["data", "an attribute"])
@on_a_loop
async def test_an_event_that_is_too_big_to_be_kept_blocks_nobody(
    where: Where, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    """As on DynamoDB without a bucket: neither what it begins nor its dead letter goes in."""
    original = DeadLetters.put

    async def put(self: DeadLetters, letter: DeadLetter) -> None:
        if len(str(letter.event)) > 10_000:
            raise PayloadTooLarge("400 KB")
        await original(self, letter)

    monkeypatch.setattr(DeadLetters, "put", put)
    async with serving(where, [ship]) as runtime:
        data, note = ("x" * 20_000, "x") if part == "data" else ("x", "x" * 20_000)
        await runtime.publish(paid(1, data={"cents": data}, extensions={"partitionkey": "k", "note": note}))
        await runtime.publish(paid(2, extensions={"partitionkey": "k"}))
        await until(lambda: SHIPPED == ["o-2"])
        (lost,) = await lettered(runtime)
        assert (lost.event["id"], "data" in lost.event) == ("e-1", False)
        assert "could not be kept with it: 400 KB" in lost.reason and "can't be kept (400 KB)" in caplog.text


@on_a_loop
async def test_what_is_no_json_is_refused_and_harms_none_that_travel_along(where: Where) -> None:
    wrong = [float("nan"), "\ud800", {"no": object()}]
    async with serving(where, [ship]) as runtime:
        sent = [paid(number, data=data) for number, data in enumerate(wrong)]
        told = await asyncio.gather(*map(runtime.publish, [*sent, paid(9)]), return_exceptions=True)
        assert [type(one) for one in told] == [InvalidInput] * 3 + [str]
        bus = runtime.bus  # what is carried without being looked at before, as by a broker of somebody's own
        end = await asyncio.gather(bus.publish(paid(7, data=object())), bus.publish(paid(8)), return_exceptions=True)
        assert end[1] is None
        await until(lambda: sorted(SHIPPED) == ["o-8", "o-9"])


@on_a_loop
async def test_events_wait_for_a_subscriber_that_is_away(where: Where) -> None:
    if where.store == "memory://":
        return
    async with serving(where, [ship]):
        pass
    async with serving(where, [checkout]) as elsewhere:
        await elsewhere.publish(paid(1))
    async with serving(where, [ship]):
        await until(lambda: SHIPPED == ["o-1"])


@on_a_loop
async def test_what_can_not_be_taken_now_is_taken_later(where: Where, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is away for some time: a client is told, or the broker keeps it."""
    original, fails = Taking.take, [3]

    async def take(self: Taking, subscription: Subscription, event: CloudEvent) -> None:
        if fails[0]:
            fails[0] -= 1
            raise StoreUnavailable("away")
        await original(self, subscription, event)

    monkeypatch.setattr(Taking, "take", take)
    async with serving(where, [ship]) as runtime:
        while True:
            try:
                await runtime.publish(paid(1))
            except StoreUnavailable:
                continue
            break
        await until(lambda: SHIPPED == ["o-1"])


@pytest.mark.parametrize("durable", [False, True])
@on_a_loop
async def test_a_process_that_dies_in_the_middle_loses_nothing(
    where: Where, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    """It was about to take the event, or has taken it and not confirmed it: it is taken once."""
    if where.store == "memory://":
        return
    original, hung = Taking.take, asyncio.Event()

    async def hangs(self: Taking, subscription: Subscription, event: CloudEvent) -> None:
        if durable:
            await original(self, subscription, event)
        hung.set()
        await asyncio.Event().wait()

    async with serving(where, [ship]) as runtime:
        monkeypatch.setattr(Taking, "take", hangs)
        publishing = asyncio.ensure_future(runtime.publish(paid(1)))
        await hung.wait()
        monkeypatch.setattr(Taking, "take", original)
        publishing.cancel()
        await asyncio.wait([publishing])
        confirmed = not publishing.cancelled()
    async with serving(where, [ship, book]) as runtime:
        if not confirmed:  # who publishes knows that it was not, and does it again
            await runtime.publish(paid(1))
        await runtime.publish(paid(2))
        await until(lambda: len(SHIPPED) >= 2)
        assert sorted(SHIPPED) == ["o-1", "o-2"]


@on_a_loop
async def test_several_processes_take_each_event_once(where: Where) -> None:
    if where.store == "memory://":
        return
    async with serving(where, [ship, listener]) as one, serving(where, [ship, listener]) as two:
        for number in range(10):
            await asyncio.gather(one.publish(paid(number)), two.publish("said", f"{number}", key="ann"))
        await until(lambda: len(SHIPPED) >= 10)
        if not where.broker.startswith("events:"):
            await heard(one, "ann", [f"{number}" for number in range(10)])
        assert sorted(SHIPPED) == sorted(f"o-{number}" for number in range(10))


@on_a_loop
async def test_it_carries_calls_or_refuses_them_by_name(where: Where, monkeypatch: pytest.MonkeyPatch) -> None:
    @tool
    async def weigh(order: str) -> str:
        """Lives elsewhere."""
        return f"{order} weighed"

    @workflow
    async def packs(ctx: Context) -> list[str]:
        return list(await asyncio.gather(*(ctx.step(weigh, f"o-{number}") for number in range(5))))

    monkeypatch.setenv("OVERWINTER_ROUTES", "weigh=here")
    async with asyncio.timeout(60), Runtime([weigh], "memory://", broker=where.broker):
        monkeypatch.setenv("OVERWINTER_ROUTES", "weigh=broker")
        async with serving(where, [packs]) as runtime:
            packed = await runtime.start(packs)
            if not where.broker.startswith("redis"):
                with pytest.raises(ExecutionFailed, match="'weigh' leads to the broker, and "):
                    await packed.result()
            else:
                assert await packed.result() == [f"o-{number} weighed" for number in range(5)]
                assert not await runtime.bus.dead_letters.all()
