"""What does not have the type that is waited for: refused where that is known, passed over where it is not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from overwinter.functions.agents.agent import Agent
from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.intake import take
from overwinter.functions.models.scripted import Scripted
from overwinter.functions.runtime import Runtime
from overwinter.functions.workflow import workflow
from overwinter.orchestrator.control import Control
from overwinter.orchestrator.protocol.shared import place_of
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.errors import ExecutionFailed, InvalidInput, Unfit
from overwinter.state.opening import open_store
from overwinter.state.records import Filter


class Order(BaseModel):
    id: int


@workflow
async def counting(ctx: Context) -> list[Any]:
    return [await ctx.wait_for("n", type=int), await ctx.wait_for("n", type=Order)]


@workflow
async def bank(ctx: Context) -> int:
    call = ctx.callback("bank", type=int)
    await ctx.step(lambda: tokens.append(call.token), name="tell")
    return await call


@workflow
async def reading(ctx: Context) -> int:
    return await ctx.kv("shop").get("limit", type=int) or 0


@workflow
async def numbering(ctx: Context) -> int:
    return 3


tokens: list[str] = []
desk = Agent("desk", Scripted({"": "hello"}, delay="100ms"))


async def rest(runtime: Runtime, id: str) -> None:
    """Wait until the execution is at rest here."""
    for _ in range(2000):
        head = await runtime.store.head(id)
        if head is not None and not head.owner and head.status != "pending" and id not in runtime.engine.active:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{id} finds no rest")


async def types(runtime: Runtime, id: str) -> list[str]:
    return [entry["type"] async for entry in runtime.entries(id)]


def test_at_rest_an_event_of_another_type_is_refused() -> None:
    async def main() -> None:
        async with Runtime([counting], "memory://") as runtime:
            await runtime.start(counting, id="a")
            await rest(runtime, "a")
            with pytest.raises(Unfit, match=r"a: the event 'n' does not have the type .*valid integer"):
                await runtime.signal("a", "n", "many")
            with pytest.raises(InvalidInput):
                await take(runtime, CloudEvent(id="1", source="/s", type="n", subject="a", data=[]))
            assert await runtime.signal_all(Filter(), "n", "many") == 0
            assert await types(runtime, "a") == ["start"]
            assert await runtime.signal("a", "other", "many")
            await runtime.signal("a", "n", 1, event_id="e", source="s")
            await rest(runtime, "a")
            assert not await runtime.signal("a", "n", 1, event_id="e", source="s"), "a repetition is one still"
            with pytest.raises(Unfit):
                await runtime.signal("a", "n", 1, event_id="f", source="s")
            await runtime.signal("a", "n", {"id": 2})
            assert await runtime.result("a", 10, typed=False) == [1, {"id": 2}]

    asyncio.run(main())


def test_where_nothing_is_known_it_is_passed_over_visibly(tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path}/shop.db"

    async def main() -> None:
        async with Runtime([counting], dsn) as runtime:
            await runtime.start(counting, id="a")
            await rest(runtime, "a")
        store = open_store(dsn)
        await store.open()
        control = Control(store)
        for data in ("many", 1, [2], {"id": 2}):
            await control.signal("a", "n", data)
        await store.close()
        async with Runtime([counting], dsn) as runtime:
            assert await runtime.result("a", 10, typed=False) == [1, {"id": 2}]
            assert (await types(runtime, "a")).count("skipped") == 2

    asyncio.run(main())


def test_events_on_their_way_are_not_judged_by_what_is_waited_for_now() -> None:
    async def main() -> None:
        async with Runtime([counting], "memory://") as runtime:
            await runtime.start(counting, id="a")
            await rest(runtime, "a")
            await runtime.signal("a", "n", 1)
            await runtime.signal("a", "n", {"id": 2})  # the first is durable, and may not have been taken yet
            assert await runtime.result("a", 10, typed=False) == [1, {"id": 2}]

    asyncio.run(main())


def test_a_completion_of_another_type_is_refused() -> None:
    async def main() -> None:
        async with Runtime([bank], "memory://") as runtime:
            tokens.clear()
            await runtime.start(bank, id="b")
            await rest(runtime, "b")
            with pytest.raises(Unfit, match="the value of callback 'bank'"):
                await runtime.callback(tokens[0], value="many")
            await runtime.callback(tokens[0], value=5)
            assert await runtime.result("b", 10) == 5

    asyncio.run(main())


def test_a_value_in_the_store_of_another_type_fails_and_can_be_put_right() -> None:
    async def main() -> None:
        async with Runtime([reading], "memory://") as runtime:
            await runtime.store.put(place_of("shop"), "limit", '"many"')
            await runtime.start(reading, id="r")
            with pytest.raises(ExecutionFailed, match="shop/limit does not have the type"):
                await runtime.result("r", 10)
            await runtime.store.put(place_of("shop"), "limit", "7")
            await runtime.retry("r")
            assert await runtime.result("r", 10) == 7

    asyncio.run(main())


def test_an_outcome_whose_type_has_changed_can_still_be_read(tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path}/shop.db"

    async def spelled(ctx: Context) -> Order:
        raise AssertionError

    async def main() -> None:
        async with Runtime([numbering], dsn) as runtime:
            await runtime.start(numbering, id="n")
            assert await runtime.result("n", 10) == 3
        async with Runtime([workflow(name="numbering")(spelled)], dsn) as runtime:
            with pytest.raises(InvalidInput, match="read it with typed=False"):
                await runtime.result("n", 10)
            assert await runtime.result("n", 10, typed=False) == 3

    asyncio.run(main())


def test_an_event_for_an_agent_is_refused_where_that_is_known(tmp_path: Path) -> None:
    async def main() -> None:
        async with Runtime([desk, counting], f"sqlite:///{tmp_path}/shop.db") as runtime:
            sent = await runtime.send(desk, "s", "hi")
            with pytest.raises(Unfit, match="desk/s: an agent waits for no events; send it a message"):
                await runtime.signal("desk/s", "news", 1)  # at work
            await sent.reply(10)
            await rest(runtime, "desk/s")
            for _ in range(2):
                with pytest.raises(Unfit, match="send it a message"):
                    await runtime.signal("desk/s", "news", 1)  # at rest here
            with pytest.raises(Unfit, match="send it a message"):
                await Control(runtime.store).signal("desk/s", "news", 1)
            await runtime.start(counting, id="a")
            assert await runtime.signal_all(Filter(), "news", 1) == 1
            assert "skipped" not in await types(runtime, "desk/s")

    asyncio.run(main())


def test_an_event_for_an_agent_that_nobody_knows_here_is_passed_over_visibly(tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path}/shop.db"

    async def main() -> None:
        async with Runtime([desk], dsn) as runtime:
            await (await runtime.send(desk, "s", "hi")).reply(10)
        async with Runtime([desk], dsn) as runtime:  # nothing of it is in memory
            assert await runtime.signal("desk/s", "news", 1, event_id="e", source="s")
            await rest(runtime, "desk/s")
            entries = [entry async for entry in runtime.entries("desk/s")]
            skipped = entries[-1]
            assert (skipped["type"], skipped["name"], skipped["id"]) == ("skipped", "news", "e")
            assert "waits for no events" in skipped["why"]
            assert await (await runtime.send(desk, "s", "again")).reply(10) == "hello"
        async with Runtime([desk], dsn) as runtime:  # and it is read back
            assert await (await runtime.send(desk, "s", "once more")).reply(10) == "hello"
            assert (await types(runtime, "desk/s")).count("skipped") == 1

    asyncio.run(main())
