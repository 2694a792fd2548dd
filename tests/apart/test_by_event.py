"""Functions that have no address: called by an event over a real Redis, answered by an event, recorded once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from overwinter import Agent, Context, InDoubt, InvalidInput, Runtime, Scripted, call, current_call, tool, workflow
from overwinter.functions.effects import Done, NotDone
from overwinter.functions.events import addressed
from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.intake import ANSWERED
from overwinter.functions.invocation import by_event, sending
from overwinter.orchestrator.usercode.resilience import Retry
from overwinter.state.errors import ExecutionCancelled, ExecutionFailed, FunctionUnavailable, TimedOut
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Filter, Head
from overwinter.tests.servers.redis import RedisServer

from .place import on_a_loop, until

PATIENCE = 20.0


class OutOfStock(Exception):
    """Of the shop's own."""


class Shop:
    """What the other process does. ``go`` lets the slow ones go on."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.go = asyncio.Event()


shop: Shop


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    global shop
    shop = Shop()
    yield


@tool
async def lookup(order: str) -> dict[str, Any]:
    """Find an order."""
    shop.calls.append(order)
    return {"id": order, "by": current_call().caller.get("caller")}


@tool(effect="irreversible", in_doubt="fail")
async def pay(order: str) -> str:
    """Once."""
    shop.calls.append(order)
    if order == "gone":
        raise OutOfStock(order)
    return f"paid {order}"


@tool
async def slow(order: str) -> str:
    """Takes its time."""
    shop.calls.append(order)
    await shop.go.wait()
    return f"{order} at last"


@tool
async def large(size: int) -> str:
    """Says much."""
    return "x" * size


@workflow
async def billing(ctx: Context, order: str) -> str:
    shop.calls.append(order)
    if order == "wait":
        await ctx.wait_for("never")
    return f"{order} billed"


@workflow
async def buys(ctx: Context, order: str) -> Any:
    found = await ctx.step(lookup, order)
    return [found, await ctx.step(pay, order), await ctx.call("billing", order)]


@workflow
async def waits(ctx: Context, order: str) -> str:
    return await ctx.step(slow, order)


@workflow
async def pays(ctx: Context, order: str) -> str:
    return await ctx.step(pay, order)


FAR = [lookup, pay, slow, large, billing]


@asynccontextmanager
async def apart(
    monkeypatch: pytest.MonkeyPatch, server: RedisServer, near: list[object], store: Any = "memory://"
) -> AsyncGenerator[tuple[Runtime, Runtime]]:
    """The far process, and the near one, whose routes lead to the broker."""
    dsn = server.dsn(prefix=f"b{id(near)}", partitions=2)
    monkeypatch.setattr("overwinter.functions.bus.redis_partitions.LOOK", 0.05)
    monkeypatch.setenv("OVERWINTER_ROUTES", "*=here")
    async with asyncio.timeout(PATIENCE), Runtime(FAR, "memory://", broker=dsn) as far:
        lead(monkeypatch)
        async with Runtime(near, store, broker=dsn) as here:
            yield far, here


def lead(monkeypatch: pytest.MonkeyPatch) -> None:
    table = dict.fromkeys(("lookup", "pay", "slow", "large", "billing", "nobody", "nothing"), "broker")
    monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps(table))


async def heads(runtime: Runtime, function: str = "") -> list[Head]:
    found = (await runtime.store.executions(Filter(), None, 200)).heads
    return [head for head in found if head.function == function or not function]


async def kinds(runtime: Runtime, id: str) -> list[str]:
    return [entry["type"] async for entry in runtime.entries(id)]


@on_a_loop
async def test_tools_and_workflows_are_called_by_events(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with apart(monkeypatch, redis_server, [buys]) as (far, here):
        outcome = await (await here.start(buys, "o", id="x")).result()
        assert outcome == [{"id": "o", "by": "buys"}, "paid o", "o billed"]
        assert (await kinds(here, "x"))[:5] == ["start", "begun", "sent", "answered", "step"]
        assert shop.calls == ["o", "o", "o"]
        assert {head.function for head in await heads(here)} == {"buys", "overwinter.call"}
        assert [head.status for head in await heads(far)] == ["completed"] * 6
        with redis_server.client() as client:  # what was taken is gone, so nobody reads it ever
            lanes: Any = [key for key in client.scan_iter(f"b{id(here)}:*") if b"calls:" in key or b"answers:" in key]
            assert all(client.xlen(key) == 0 for key in lanes if client.type(key) == b"stream")


@on_a_loop
async def test_errors_come_back_as_their_class_and_are_final(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    @workflow
    async def tries(ctx: Context) -> str:
        try:
            await ctx.step(pay, "gone")
        except OutOfStock as error:
            return f"caught {error}"
        return "no"

    async with apart(monkeypatch, redis_server, [tries]) as (_, here):
        assert await (await here.start(tries)).result() == "caught gone"
        assert shop.calls == ["gone"]


@on_a_loop
async def test_what_does_not_fit_is_told_to_who_has_ordered_it(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    @tool(name="lookup")
    async def otherwise(number: int) -> Any:
        """As it was in an older release."""

    @workflow
    async def asks(ctx: Context) -> str:
        return str(await ctx.step(otherwise, 7))

    async with apart(monkeypatch, redis_server, [asks]) as (far, here):
        with pytest.raises(ExecutionFailed, match="order") as failed:
            await (await here.start(asks)).result()
        assert isinstance(failed.value.__cause__, InvalidInput)
        assert not await heads(far, "lookup")


@on_a_loop
async def test_an_agents_tools_are_called_by_events(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted([[call("lookup", order="o"), call("pay", order="b")], "done"])
    desk = Agent("desk", script, tools=[lookup, pay])
    async with apart(monkeypatch, redis_server, [desk]) as (_, here):
        assert await (await here.start(desk, "hi", id="x")).result() == "done"
        told = {json.dumps(entry["value"]) async for entry in here.entries("x") if entry["type"] == "tool"}
        assert told == {'{"id": "o", "by": "desk"}', '"paid b"'}


@on_a_loop
async def test_the_caller_rests_and_another_process_takes_the_answer(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    async with apart(monkeypatch, redis_server, [waits], store) as (_, here):
        await here.start(waits, "o", id="x")
        await until(lambda: "x" not in here.engine.active and shop.calls)
        while (await here.show("x")).awaits != "answer of slow":  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.01)
        await here.close(grace=0)
        shop.go.set()
        async with Runtime([waits], store, broker=here._broker) as second:
            assert await second.result("x") == "o at last"
        assert shop.calls == ["o"]


@on_a_loop
async def test_an_answer_is_believed_by_its_mark_alone(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with apart(monkeypatch, redis_server, [waits]) as (far, here):
        handle = await here.start(waits, "o", id="x")
        await until(lambda: shop.calls)
        while (await here.show("x")).awaits != "answer of slow":  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.01)
        (begun,) = [entry async for entry in here.entries("x") if entry["type"] == "begun"]
        assert here._bus is not None and here._bus._exchange is not None
        to = here._bus._exchange.address
        owed = {"event": "e", "function": "slow", "to": to, "execution": "x", "operation": begun["op"]}
        owed |= {"key": f"x/{begun['op']}", "mark": begun["mark"]}
        lie = {"status": "completed", "result": "a lie"}
        for wrong in ({"mark": "0" * 32}, {"key": "y/0"}, {"operation": "7", "key": "x/7"}, {"execution": "y"}):
            event = addressed.answer({**owed, **wrong, "event": f"e{wrong}"}, lie)
            await here._bus.take(here._bus._exchange.subscriptions[f"overwinter.answers.{to}"], event)
        before = await kinds(here, "x")
        shop.go.set()
        assert await handle.result() == "o at last"
        assert "answered" not in before and (await kinds(here, "x")).count("answered") == 1
        late = addressed.answer({**owed, "event": "late"}, lie)  # the mark is right, and it has been answered
        await here._bus.take(here._bus._exchange.subscriptions[f"overwinter.answers.{to}"], late)
        assert await here.result("x") == "o at last" and len(await heads(here)) == 1
        assert len(await heads(far, "slow")) == 1


@on_a_loop
async def test_a_call_that_comes_again_is_answered_and_not_made_again(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when its answer got lost, or it is being worked on: then that is said."""
    monkeypatch.setattr(by_event, "FIRST", 0.05)
    monkeypatch.setattr(by_event, "MOST", 0.05)
    async with apart(monkeypatch, redis_server, [waits]) as (far, here):
        handle = await here.start(waits, "o", id="x")
        while True:
            heard = [entry async for entry in here.entries("x") if entry["type"] == "answered"]
            if len(heard) > by_event.ASKS:  # it would have been given up long ago
                break
            await asyncio.sleep(0.02)
        assert all("outcome" not in entry for entry in heard)
        shop.go.set()
        assert await handle.result() == "o at last"
        assert shop.calls == ["o"] and len(await heads(far, "slow")) == 1


@on_a_loop
async def test_an_event_to_nobody_is_given_up(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_event, "FIRST", 0.01)
    monkeypatch.setattr(by_event, "MOST", 0.01)

    @tool(name="nobody")
    async def reads(order: str) -> str:
        """Served nowhere."""
        return order

    @tool(name="nothing", effect="irreversible", in_doubt="fail")
    async def spends(order: str) -> str:
        """Served nowhere."""
        return order

    @workflow
    async def tries(ctx: Context, once: bool) -> str:
        return await ctx.step(spends if once else reads, "o")

    async with apart(monkeypatch, redis_server, [tries]) as (_, here):
        with pytest.raises(ExecutionFailed, match="called 8 times by events and nobody has said a word") as failed:
            await (await here.start(tries, False, id="x")).result()
        assert isinstance(failed.value.__cause__, FunctionUnavailable)
        assert (await kinds(here, "x")).count("sent") == by_event.ASKS
        with pytest.raises(ExecutionFailed, match="nobody knows whether it has taken effect") as doubted:
            await (await here.start(tries, True)).result()
        assert isinstance(doubted.value.__cause__, InDoubt)


@on_a_loop
async def test_an_irreversible_one_to_nobody_waits_for_somebody_who_knows(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_event, "FIRST", 0.01)
    monkeypatch.setattr(by_event, "MOST", 0.01)

    @tool(name="nothing", effect="irreversible")
    async def spends(order: str) -> str:
        """Served nowhere."""
        return order

    @workflow
    async def tries(ctx: Context) -> str:
        return await ctx.step(spends, "o")

    async with apart(monkeypatch, redis_server, [tries]) as (_, here):
        handle = await here.start(tries, id="x")
        for asked, outcome in ((1, NotDone()), (2, Done("by hand"))):
            while not (doubts := await here.doubts("x")):  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0)
            assert doubts[0]["arguments"] == {"order": "o"}
            assert (await kinds(here, "x")).count("sent") == asked * by_event.ASKS
            await here.resolve("x", None, outcome)
        assert await handle.result() == "by hand"


@on_a_loop
async def test_who_comes_later_takes_what_was_ordered_before(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = redis_server.dsn(prefix="later", partitions=1)
    lead(monkeypatch)
    async with asyncio.timeout(PATIENCE), Runtime([pays], "memory://", broker=dsn) as here:
        handle = await here.start(pays, "o", id="x")
        while (await here.show("x")).awaits != "answer of pay":  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.01)
        monkeypatch.setenv("OVERWINTER_ROUTES", "pay=here")
        async with Runtime([pay], "memory://", broker=dsn):
            assert await handle.result() == "paid o"
        assert (await kinds(here, "x")).count("sent") == 1


@on_a_loop
async def test_nobody_waits_beyond_the_deadline(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    @tool(name="nobody")
    async def reads(order: str) -> str:
        """Served nowhere."""
        return order

    @workflow
    async def tries(ctx: Context) -> str:
        return await ctx.step(reads, "o")

    async with apart(monkeypatch, redis_server, [tries]) as (far, here):
        ordered = {"key": "a/1", "mark": "m", "execution": "a", "operation": "1", "deadline": here.clock() + 300}
        await here.order(here.engine.function("tries"), None, id="x", caller=ordered)
        with pytest.raises(ExecutionFailed, match="when the time was over") as failed:
            await here.result("x")
        assert isinstance(failed.value.__cause__, TimedOut)
        late = addressed.call("lookup", {"call": {**ordered, "deadline": 1}, "input": {"order": "o"}}, 0, "a" * 32)
        assert far._bus is not None and far._bus._exchange is not None
        await far._bus.take(far._bus._exchange.subscriptions["overwinter.call.lookup"], late)
        assert not await heads(far)


@on_a_loop
async def test_a_cancellation_reaches_what_was_begun(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    @workflow
    async def orders(ctx: Context) -> Any:
        return await ctx.call("billing", "wait")

    async with apart(monkeypatch, redis_server, [orders]) as (far, here):
        handle = await here.start(orders, id="x")
        await until(lambda: shop.calls)
        await here.cancel("x", reason="enough")
        with pytest.raises(ExecutionCancelled):
            await handle.result()
        (head,) = await heads(far, "billing")
        with pytest.raises(ExecutionCancelled):
            await far.result(head.id)


@on_a_loop
async def test_what_is_too_large_for_the_caller_is_a_named_error(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    @workflow
    async def asks(ctx: Context) -> str:
        return await ctx.step(large, 5000)

    store = MemoryStore()
    store.payload_limit = 2000
    async with apart(monkeypatch, redis_server, [asks], store) as (_, here):
        with pytest.raises(ExecutionFailed, match=r"the answer has 5,0\d\d bytes") as failed:
            await (await here.start(asks)).result()
        assert isinstance(failed.value.__cause__, InvalidInput)


@on_a_loop
async def test_a_large_answer_comes_whole(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def asks(ctx: Context) -> int:
        return len(await ctx.step(large, 2_000_000))

    async with apart(monkeypatch, redis_server, [asks]) as (_, here):
        assert await (await here.start(asks)).result() == 2_000_000


@on_a_loop
async def test_each_store_gets_its_own_answers(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that serve a function of the same name, on one broker."""
    async with apart(monkeypatch, redis_server, [buys]) as (_, here):
        async with Runtime([buys], "memory://", broker=here._broker) as other:
            runs = [await runtime.start(buys, "o", id=f"x{n}") for n in range(4) for runtime in (here, other)]
            assert [(await run.result())[2] for run in runs] == ["o billed"] * 8
        assert len(shop.calls) == 24


@on_a_loop
async def test_who_takes_calls_beside_another_store_is_told(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What has begun is known in its store alone, so what is sent again may begin in the other one."""
    said = "overwinter.call.pay: processes of another store take the same calls"
    async with apart(monkeypatch, redis_server, [pays]) as (far, here):
        monkeypatch.setenv("OVERWINTER_ROUTES", "*=here")
        async with Runtime(FAR, far.store, broker=here._broker):
            assert said not in caplog.text
        async with Runtime(FAR, "memory://", broker=here._broker):
            assert said in caplog.text


@on_a_loop
async def test_what_can_not_be_read_is_a_dead_letter_and_holds_nothing_up(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with apart(monkeypatch, redis_server, [buys]) as (far, here):
        await here.publish(CloudEvent(id="1", source="/x", type=addressed.ORDERED, subject="lookup", data={"call": 7}))
        exchange = here.bus._exchange
        assert exchange is not None
        extensions = {addressed.TO: exchange.address}
        await far.publish(CloudEvent(id="2", source="/x", type=ANSWERED, subject="x", data={}, extensions=extensions))
        assert (await (await here.start(buys, "o")).result())[1] == "paid o"
        (unread,), (answer,) = [await runtime.bus.dead_letters.all() for runtime in (far, here)]
        assert (unread.subscription, answer.subscription[:19]) == ("overwinter.call.lookup", "overwinter.answers.")


@on_a_loop
async def test_a_broker_that_reaches_nobody_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    lead(monkeypatch)
    async with Runtime([pays], "memory://", broker="store") as here:
        with pytest.raises(ExecutionFailed, match="'pay' leads to the broker, and it is the store itself"):
            await (await here.start(pays, "o")).result()
    assert not shop.calls


@on_a_loop
async def test_a_broker_that_is_away_is_waited_for(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "RETRY", Retry(attempts=500, first="20ms", factor=1, when=sending.RETRY.when))
    with RedisServer(aof="always") as server:
        async with apart(monkeypatch, server, [pays]) as (_, here):
            server.kill()
            handle = await here.start(pays, "o")
            await asyncio.sleep(0.1)
            server.start()
            assert await handle.result() == "paid o"
    assert shop.calls == ["o"]
