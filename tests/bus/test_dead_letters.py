"""What a subscription could not take: kept with its reason and attempts, edited, sent again, dropped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from overwinter import Context, InvalidInput, Retry, Runtime, subscribe, tool, workflow
from overwinter.functions.bus.outside import sorting
from overwinter.functions.event import CloudEvent, to_json
from overwinter.orchestrator.control import Control
from overwinter.state import open_store
from overwinter.state.errors import InvalidEvent, UnknownExecution
from overwinter.tests.apart.place import on_a_loop

from .shop import Order

BROKEN = [True]
CALLS: list[str] = []


@subscribe(type="order.paid")
@tool(retry=Retry(attempts=2, first="1ms"))
async def charge(id: str) -> str:
    """Charge it."""
    CALLS.append(id)
    if BROKEN[0]:
        raise ConnectionError(f"no bank for {id}")
    return f"charged {id}"


@subscribe(type="order.paid", gives="event")
@workflow
async def audit(ctx: Context, event: dict[str, Any]) -> str:
    if BROKEN[0]:
        raise ValueError("no audit")
    return str(event["id"])


@subscribe(type="order.paid")
@workflow
async def pack(ctx: Context, order: Order) -> str:
    return order.id


PAID = CloudEvent(id="e-1", source="/shop", type="order.paid", data={"id": "o-1"}, extensions={"region": "eu"})


@pytest.fixture(autouse=True)
def _broken() -> None:
    BROKEN[0] = True
    CALLS.clear()


async def letters(runtime: Runtime, count: int) -> list[str]:
    while len(found := await runtime.bus.dead_letters.all()) < count:  # noqa: ASYNC110  # only the store knows
        await asyncio.sleep(0.005)
    return [letter.subscription for letter in found]


@on_a_loop
async def test_what_has_failed_for_good_is_one_and_is_sent_again() -> None:
    async with asyncio.timeout(60), Runtime([charge, audit], "memory://") as runtime:
        await runtime.publish(PAID)
        assert set(await letters(runtime, 2)) == {"charge", "audit"}
        desk = runtime.bus.dead_letters
        (letter,) = await desk.all("charge")
        assert (letter.attempts, letter.execution, letter.reason) == (1, letter.id, "no bank for o-1")
        assert CALLS == ["o-1", "o-1"], "the tool's own retries came first"
        assert letter.event == to_json(PAID)
        assert (await desk.all("audit"))[0].event == letter.event
        # It fails once more: that is another attempt, of another execution.
        again = await desk.send(letter.id)
        with pytest.raises(Exception, match="no bank"):
            await runtime.result(again)
        (second,) = await desk.all("charge")
        assert (second.id, second.attempts) == (f"{letter.id}~2", 2)
        BROKEN[0] = False
        assert await runtime.result(await desk.send("charge")) == "charged o-1"
        assert await desk.all("charge") == []
        await desk.drop("audit")
        assert await desk.all() == []
        with pytest.raises(UnknownExecution):
            await desk.find("audit")


@on_a_loop
async def test_one_that_is_retried_and_fails_anew_shows_up_again() -> None:
    async with asyncio.timeout(60), Runtime([audit], "memory://") as runtime:
        await runtime.publish(PAID)
        await letters(runtime, 1)
        desk = runtime.bus.dead_letters
        (letter,) = await desk.all()
        await desk.drop(letter.id)
        assert await desk.all() == []
        await runtime.retry(letter.id)
        await letters(runtime, 1)
        BROKEN[0] = False
        await runtime.retry(letter.id)
        assert await runtime.result(letter.id) == "e-1"
        assert await desk.all() == []


@on_a_loop
async def test_it_is_edited_before_it_is_sent() -> None:
    BROKEN[0] = False
    async with asyncio.timeout(60), Runtime([pack], "memory://") as runtime:
        await runtime.publish(PAID.replace(data=["nothing"]))
        await runtime.publish(PAID.replace(id="e-2", data=["nothing"]))
        desk = runtime.bus.dead_letters
        with pytest.raises(InvalidInput, match="say more"):
            await desk.find("pack:")
        one, two = await desk.all()
        with pytest.raises(InvalidInput):
            await desk.send(one.id)  # it still does not fit
        assert (await desk.find(one.id)).attempts == 2
        with pytest.raises(InvalidEvent):
            await desk.edit(one.id, {"no": "event"})
        await desk.edit(one.id, {**one.event, "data": {"id": "mended"}})
        execution = await desk.send(one.id)
        assert execution == f"{one.id}~3" and await runtime.result(execution) == "mended"
        assert [letter.id for letter in await desk.all()] == [two.id]


@on_a_loop
async def test_a_failed_one_is_edited_and_sent() -> None:
    async with asyncio.timeout(60), Runtime([charge], "memory://") as runtime:
        await runtime.publish(PAID)
        await letters(runtime, 1)
        desk = runtime.bus.dead_letters
        (letter,) = await desk.all()
        BROKEN[0] = False
        edited = await desk.edit(letter.id, {**letter.event, "data": {"id": "o-2"}})
        assert await desk.all() == [edited] and edited.execution == letter.execution
        assert await runtime.result(await desk.send(letter.id)) == "charged o-2"
        assert await desk.all() == []


@on_a_loop
async def test_who_does_not_serve_the_function_lets_the_one_who_does_check(tmp_path: Path) -> None:
    """It is published, and sent again, by a process that has no code of the subscriber."""
    BROKEN[0] = False
    store = f"sqlite:///{tmp_path}/shop.db"
    async with Runtime([pack, charge], store):
        pass
    async with Runtime([audit], store) as elsewhere:
        await elsewhere.publish(PAID.replace(data={"cents": "no id"}))
    async with asyncio.timeout(60), Runtime([pack, charge], store) as runtime:
        assert set(await letters(runtime, 2)) == {"pack", "charge"}
        found = await runtime.bus.dead_letters.all()
        assert all("id" in letter.reason for letter in found)
        assert {head.status for head in await runtime.list(limit=50)} <= {"failed", "completed"}
    place = open_store(store)
    await place.open()
    control = Control(place)
    desk = sorting(place, control.clock)
    sent = []
    for letter in await desk.all():
        await desk.edit(letter.id, {**letter.event, "data": {"id": "o-3"}})
        sent.append(await desk.send(letter.id))
    assert await desk.all() == [] and len(sent) == 2
    await place.close()
    async with asyncio.timeout(60), Runtime([pack, charge], store) as runtime:
        assert {await runtime.result(id) for id in sent} == {"o-3", "charged o-3"}


@on_a_loop
async def test_a_subscription_that_is_gone_can_not_be_sent_to() -> None:
    async with asyncio.timeout(60), Runtime([pack], "memory://") as runtime:
        await runtime.publish(PAID.replace(data=["nothing"]))
        await runtime.store.remove(" kv/overwinter.subscriptions", "all")
        (letter,) = await runtime.bus.dead_letters.all()
        with pytest.raises(InvalidInput, match="drop"):
            await runtime.bus.dead_letters.send(letter.id)
