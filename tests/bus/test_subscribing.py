"""What is published reaches those that have subscribed to it: each kind of function, each once, also in other
processes; and what can't be taken lies with the dead letters."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from overwinter import Agent, Context, InvalidInput, Runtime, Scripted, subscribe, tool, workflow
from overwinter.functions.bus.announcing import forget
from overwinter.functions.bus.taking import delivery_id
from overwinter.functions.event import CloudEvent
from overwinter.state import open_store
from overwinter.tests.apart.place import on_a_loop, until

from .shop import MAILED, SHIPPED, book, checkout, desk, fresh, mail, once, ship, watch

PAID = CloudEvent(id="e-1", source="/shop", type="order.paid", subject="o-1", data={"id": "o-1"})


@pytest.fixture(autouse=True)
def _fresh() -> None:
    fresh()


@on_a_loop
async def test_every_kind_of_function_gets_its_events_once() -> None:
    async with Runtime([ship, book, mail], "memory://") as runtime:
        for _ in range(3):
            assert await runtime.publish(PAID) == "e-1"
        assert await runtime.result(delivery_id("ship", PAID)) == "packed o-1"
        assert await runtime.result(delivery_id("mail", PAID)) == "mailed o-1"
        assert await runtime.result(delivery_id("ledger", PAID)) == ["order.paid", "o-1", {"id": "o-1"}]
        assert SHIPPED == ["o-1"] and MAILED == ["o-1"]
        assert (await runtime.show(delivery_id("mail", PAID))).kind == "tool"
        await runtime.publish("order.seen", subject="o-2")
        heads = await runtime.list(function="book")
        assert len(heads) == 2 and not await runtime.bus.letters.all()


@on_a_loop
async def test_an_agent_gets_messages_in_the_session_that_is_named() -> None:
    async with Runtime([desk, watch, once], "memory://") as runtime:
        for number, who in enumerate(["ann", "bob", "ann"]):
            event = CloudEvent(id=f"{number}", source="/mail", type="customer.wrote", subject=who, data=f"hi {number}")
            await runtime.publish(event)
            await runtime.publish(event)
            message = delivery_id("desk", event).rpartition(":")[2]
            assert await runtime.reply(f"desk/{who}", message) == "Noted."
            assert await runtime.reply("watch/all", message) == "Seen."
            assert await runtime.result(delivery_id("once", event)) == "Done."
        said = [fact["content"] for fact in await runtime.history("watch/all") if fact["type"] == "message"]
        assert said == ["hi 0", "hi 1", "hi 2"]
        await runtime.publish("customer.wrote", "who am I?")  # it names no session
        (lost,) = await runtime.bus.letters.all()
        assert lost.subscription == "desk" and "no subject" in lost.reason


@on_a_loop
async def test_a_workflow_publishes_and_the_subscriber_is_told_where_it_came_from() -> None:
    async with Runtime([ship, book, checkout], "memory://") as runtime:
        handle = await runtime.start(checkout, {"id": "o 9"}, id="buy/9")
        assert await handle.result() == "o 9"
        await until(lambda: SHIPPED)
        (entry,) = [fact for fact in await runtime.history("buy/9") if fact["type"] == "ordered"]
        event = entry["event"]
        assert event["source"] == "/overwinter/checkout/buy/9" and event["partitionkey"] == "o 9"
        assert event["data"] == {"id": "o 9", "cents": 0} and event["time"].endswith("Z")
        assert SHIPPED == ["o 9"]


@on_a_loop
async def test_a_big_event_is_published_whole(tmp_path: Path) -> None:
    @workflow
    async def tell(ctx: Context) -> str:
        return await ctx.publish("order.big", "x" * 900_000)

    @subscribe(type="order.big")
    @workflow
    async def measure(ctx: Context, text: str) -> int:
        return len(text)

    store = f"sqlite:///{tmp_path}/shop.db"
    async with Runtime([tell, measure], store) as runtime:
        await (await runtime.start(tell, id="t")).result()
        (head,) = await runtime.list(function="measure")
        assert await runtime.result(head.id) == 900_000
    async with Runtime([tell, measure], store) as runtime:
        assert len(str([fact for fact in await runtime.history("t") if fact["type"] == "ordered"])) > 900_000


@on_a_loop
async def test_what_does_not_fit_is_kept_and_holds_nothing_up() -> None:
    async with Runtime([ship, mail], "memory://") as runtime:
        bad = PAID.replace(id="bad", data={"cents": 5})
        for _ in range(2):
            await runtime.publish(bad)
        await runtime.publish(PAID)
        assert await runtime.result(delivery_id("ship", PAID)) == "packed o-1"
        letters = {letter.subscription: letter for letter in await runtime.bus.letters.all()}
        assert set(letters) == {"ship", "mail"}
        assert "id" in letters["ship"].reason and letters["ship"].event["id"] == "bad"
        assert letters["ship"].attempts == 1
        assert await runtime.bus.letters.all("ship") == [letters["ship"]]
        assert await runtime.bus.dead_letters.find("ship:") == letters["ship"]


@on_a_loop
async def test_other_processes_on_the_store_are_reached(tmp_path: Path) -> None:
    """Also those that are not there now: their events lie in the store until somebody serves them."""
    store = f"sqlite:///{tmp_path}/shop.db"
    await open_store(store).create()
    async with Runtime([checkout], store) as shop_side:
        async with Runtime([ship], store):
            await (await shop_side.start(checkout, {"id": "o-1"})).result()
            await until(lambda: SHIPPED == ["o-1"])
        await shop_side.publish(PAID.replace(data={"id": "o-2"}))
        assert (await shop_side.show(delivery_id("ship", PAID))).status == "pending"
        async with Runtime([ship], store):
            await until(lambda: SHIPPED == ["o-1", "o-2"])


@on_a_loop
async def test_a_subscription_that_is_gone_from_the_code_gets_nothing_more(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/shop.db"
    await open_store(store).create()

    @workflow(name="ship")
    async def unsubscribed(ctx: Context, order: Any) -> None: ...

    async with Runtime([ship, book], store):
        pass
    async with Runtime([checkout], store) as elsewhere:  # it serves neither: both stay
        assert set(await elsewhere.bus.announced()) == {"ship", "ledger"}
    async with Runtime([unsubscribed], store) as changed:

        async def withdrawn() -> bool:
            return set(await changed.bus.announced()) == {"ledger"}

        while not await withdrawn():
            pass
        await changed.publish(PAID)
        assert await changed.find(delivery_id("ship", PAID)) is None
        assert await changed.find(delivery_id("ledger", PAID)) is not None
        assert await forget(changed.store, "ledger") and not await forget(changed.store, "ledger")
        assert await changed.bus.announced() == {}


@on_a_loop
async def test_what_a_newer_release_announces_harms_nobody() -> None:
    async with Runtime([ship], "memory://") as runtime:
        found = await runtime.store.get(" kv/overwinter.subscriptions", "all")
        assert found is not None
        text = found.value[:-1] + ',"new":{"function":"x","kind":"workflow","filters":[{"sql":"true"}]}}'
        await runtime.store.put(" kv/overwinter.subscriptions", "all", text)
        await runtime.publish(PAID)
        assert await runtime.result(delivery_id("ship", PAID)) == "packed o-1"


@on_a_loop
async def test_what_can_not_be_published_is_said_where_it_is_published() -> None:
    @workflow
    async def wrong(ctx: Context, what: str) -> str:
        try:
            if what == "id":
                return await ctx.publish("order.paid", id="mine")
            if what == "source":
                return await ctx.publish("order.paid", source="no source at all")
            return await ctx.publish("order.paid", "x" * 40_000_000)
        except InvalidInput as error:
            return str(error)

    async with Runtime([wrong], "memory://") as runtime:
        assert "its id itself" in await (await runtime.start(wrong, "id")).result()
        assert "source" in await (await runtime.start(wrong, "source")).result()
        assert "limit" in await (await runtime.start(wrong, "size")).result()
        with pytest.raises(InvalidInput):
            await runtime.publish("order.paid", source="no source at all")
        with pytest.raises(InvalidInput):
            await runtime.publish(PAID, {"two": "data"})
        with pytest.raises(InvalidInput, match="give one of them"):
            await runtime.publish("order.paid", key="a", partitionkey="b")
    with pytest.raises(RuntimeError):
        await runtime.publish(PAID)


def test_subscriptions_that_can_not_be() -> None:
    @tool
    async def other(id: str) -> str:
        return id

    with pytest.raises(InvalidInput, match="above @tool"):
        subscribe(type="x")(lambda: None)
    with pytest.raises(InvalidInput, match="which events"):
        subscribe()
    with pytest.raises(InvalidInput, match="no sessions"):
        subscribe(type="x", session="subject")(other)
    with pytest.raises(InvalidInput, match="give one of them"):
        subscribe(type="x", session="subject", key="k")
    subscribe(type="x")(other)
    with pytest.raises(InvalidInput, match="name="):
        subscribe(type="y")(other)
    subscribe(type="y", name="second")(other)
    agent = subscribe(type="x", name="second")(Agent("a", Scripted("")))
    with pytest.raises(InvalidInput, match="both have a subscription 'second'"):
        Runtime([other, agent], "memory://")
    with pytest.raises(InvalidInput, match="OVERWINTER_BROKER"):
        Runtime([other], "memory://", broker="kafka://here")
    with pytest.raises(InvalidInput, match="or a Broker, not 5"):
        Runtime([other], "memory://", broker=cast(Any, 5))
    for wrong in ({"type": 5}, {"subject": 5.5}, {"type": "x", "where": 5}, {"where": "x"}):
        with pytest.raises(InvalidInput):
            subscribe(**cast(Any, wrong))
