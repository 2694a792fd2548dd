"""Tools, agents and workflows that live in another process: called by HTTP, recorded once, whatever happens between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from overwinter import (
    Agent,
    Breaker,
    Context,
    InDoubt,
    InvalidInput,
    Limits,
    Retry,
    Runtime,
    Scripted,
    call,
    current_call,
    tool,
    workflow,
)
from overwinter.functions.invocation import sending
from overwinter.orchestrator.engine.cutting import Cut
from overwinter.state.errors import ExecutionCancelled, ExecutionFailed
from overwinter.state.ids import check_id
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Filter, Head

from .place import on_a_loop, served, until


class OutOfStock(Exception):
    """Of the shop's own."""


class Order(BaseModel):
    id: str
    parts: int


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
async def lookup(order: str) -> Order:
    """Find an order."""
    shop.calls.append(order)
    if order == "gone":
        raise OutOfStock(order)
    return Order(id=order, parts=len(shop.calls))


@tool
def threaded(order: str) -> str:
    return order.upper()


@tool
async def slow(order: str) -> str:
    shop.calls.append(order)
    await shop.go.wait()
    return f"{order} at last"


@tool(effect="irreversible", in_doubt="fail")
async def pay(order: str) -> str:
    shop.calls.append(order)
    return f"paid {order}"


@tool(approval="boss")
async def refund(order: str) -> str:
    shop.calls.append(order)
    return f"refunded {order}"


@workflow
async def billing(ctx: Context, order: str) -> dict[str, Any]:
    shop.calls.append(order)
    if order == "wait":
        await ctx.wait_for("never")
    if order == "bad":
        raise OutOfStock("no bill")
    return {"bill": order, "by": ctx.caller.get("caller"), "execution": ctx.caller.get("execution")}


@workflow
async def ask(ctx: Context, order: str) -> Order:
    return await ctx.step(lookup, order)


SERVED = [lookup, threaded, slow, pay, refund, billing]


def lead(monkeypatch: pytest.MonkeyPatch, url: str, *names: str, **more: str) -> None:
    table = dict.fromkeys(names or ("lookup", "threaded", "slow", "pay", "refund", "billing"), url)
    monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps(table | more))


async def kinds(runtime: Runtime, id: str) -> list[str]:
    return [entry["type"] async for entry in runtime.entries(id)]


@on_a_loop
async def test_a_step_is_made_elsewhere_and_typed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(SERVED) as there, Runtime([ask], "memory://") as here:
        lead(monkeypatch, there.url)
        assert await (await here.start(ask, "o", id="x")).result() == Order(id="o", parts=1)
        assert await kinds(here, "x") == ["start", "begun", "step", "completed"]
        found = [head async for head in _heads(there.runtime)]
        assert [(head.function, head.kind, head.status) for head in found] == [("lookup", "tool", "completed")]
        assert found[0].id.startswith("x/0@") or found[0].id.startswith("x/1@")


async def _heads(runtime: Runtime) -> AsyncGenerator[Head]:
    for head in (await runtime.store.executions(Filter(), None, 100)).heads:
        yield head


@on_a_loop
async def test_errors_come_back_as_their_class(monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def tries(ctx: Context) -> str:
        try:
            await ctx.step(lookup, "gone")
        except OutOfStock as error:
            return f"caught {error}"
        return "no"

    async with served(SERVED) as there, Runtime([tries], "memory://") as here:
        lead(monkeypatch, there.url)
        assert await (await here.start(tries)).result() == "caught gone"
        assert len(shop.calls) == 5  # the tool's own policy tries again, over there; nobody tries again here


@on_a_loop
async def test_an_agents_tools_live_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted([[call("lookup", order="o"), call("threaded", order="b")], "done"])
    desk = Agent("desk", script, tools=[lookup, threaded])
    async with served(SERVED) as there, Runtime([desk], "memory://") as here:
        lead(monkeypatch, there.url)
        assert await (await here.start(desk, "hi", id="x")).result() == "done"
        found = await kinds(here, "x")
        assert found.count("begun") == 2 and found.count("tool") == 2
        told = [entry async for entry in here.entries("x") if entry["type"] == "tool"]
        assert {json.dumps(entry["value"]) for entry in told} == {'{"id": "o", "parts": 1}', '"B"'}


@on_a_loop
async def test_a_workflow_elsewhere_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def buys(ctx: Context, order: str) -> Any:
        return await ctx.call("billing", order)

    async with served(SERVED) as there, Runtime([buys], "memory://") as here:
        lead(monkeypatch, there.url)
        handle = await here.start(buys, "o", id="x")
        bill = await handle.result()
        assert bill["bill"] == "o" and bill["execution"].startswith("x/")
        with pytest.raises(ExecutionFailed) as failed:
            await (await here.start(buys, "bad")).result()
        assert isinstance(failed.value.__cause__, ExecutionFailed)  # of the child
        assert isinstance(failed.value.__cause__.__cause__, OutOfStock)


@on_a_loop
async def test_what_is_slow_is_rested_for_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "HELD", 0)

    @workflow
    async def waits(ctx: Context) -> str:
        return await ctx.step(slow, "o")

    async with served(SERVED) as there, served([waits]) as here:
        lead(monkeypatch, there.url, waits=here.url)
        handle = await here.runtime.start(waits, id="x")
        await until(lambda: "x" not in here.runtime.engine.active and shop.calls)
        while (await here.runtime.show("x")).awaits != "answer of slow":  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.01)
        wake = (await here.runtime.show("x")).wake
        assert wake is not None and wake > here.runtime.clock() + 50_000  # it is told, so it need not ask
        shop.go.set()
        assert await handle.result(timeout=20) == "o at last"
        assert await kinds(here.runtime, "x") == ["start", "begun", "sent", "answered", "step", "completed"]
        assert shop.calls == ["o"]


@on_a_loop
async def test_who_can_not_be_told_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "HELD", 0)

    @workflow
    async def waits(ctx: Context) -> str:
        return await ctx.step(slow, "o")

    async with served(SERVED) as there, Runtime([waits], "memory://") as here:
        lead(monkeypatch, there.url)
        handle = await here.start(waits, id="x")
        await until(lambda: shop.calls)
        shop.go.set()
        assert await handle.result(timeout=20) == "o at last"
        assert shop.calls == ["o"]


@on_a_loop
async def test_a_process_that_dies_between_is_told_what_came_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def waits(ctx: Context) -> str:
        return await ctx.step(slow, "o")

    store = MemoryStore()
    async with served(SERVED) as there:
        lead(monkeypatch, there.url)
        first = Runtime([waits], store)
        await first.__aenter__()
        await first.start(waits, id="x")
        await until(lambda: shop.calls)
        await first.close(grace=0)
        shop.go.set()
        async with Runtime([waits], store) as second:
            assert await second.result("x", timeout=20) == "o at last"
        assert shop.calls == ["o"]


@on_a_loop
async def test_a_function_that_is_not_there_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "RETRY", Retry(attempts=50, first="5ms", factor=1, when=sending.RETRY.when))
    monkeypatch.setattr(sending, "BREAKER", Breaker(failures=5, reset="50ms"))
    async with Runtime([ask], "memory://") as here:
        lead(monkeypatch, "http://127.0.0.1:9")
        handle = await here.start(ask, "o", id="x")
        await asyncio.sleep(0.1)
        async with served(SERVED) as there:
            lead(monkeypatch, there.url)
            assert (await handle.result(timeout=30)).id == "o"


@on_a_loop
async def test_an_irreversible_call_that_may_have_arrived_is_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ATTEMPTS", 2)
    monkeypatch.setattr(sending, "RETRY", Retry(attempts=2, first="1ms", when=sending.RETRY.when))

    @workflow
    async def pays(ctx: Context) -> str:
        try:
            return await ctx.step(pay, "o")
        except InDoubt as doubt:
            return f"doubt: {doubt}"

    async with Runtime([pays], "memory://") as here:
        lead(monkeypatch, "http://127.0.0.1:9")
        assert "nobody knows whether it has taken effect" in await (await here.start(pays)).result()


@on_a_loop
async def test_a_cancellation_reaches_what_was_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def buys(ctx: Context) -> Any:
        return await ctx.call("billing", "wait")

    async with served(SERVED) as there, Runtime([buys], "memory://") as here:
        lead(monkeypatch, there.url)
        handle = await here.start(buys, id="x")
        await until(lambda: shop.calls)
        await here.cancel("x", reason="enough")
        with pytest.raises(ExecutionCancelled):
            await handle.result(timeout=20)
        (head,) = [head async for head in _heads(there.runtime)]
        with pytest.raises(ExecutionCancelled):
            await there.runtime.result(head.id, timeout=20)


@on_a_loop
async def test_what_was_begun_is_cancelled_when_who_ordered_it_is_terminated(monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def buys(ctx: Context) -> Any:
        return await ctx.call("billing", "wait")

    async with served(SERVED) as there, Runtime([buys], "memory://") as here:
        lead(monkeypatch, there.url)
        await here.start(buys, id="x")
        await until(lambda: shop.calls)
        await here.terminate("x", reason="enough")
        (head,) = [head async for head in _heads(there.runtime)]
        with pytest.raises(ExecutionCancelled):
            await there.runtime.result(head.id, timeout=20)


@on_a_loop
async def test_what_is_cancelled_before_it_comes_is_not_begun() -> None:
    """Two processes behind one address: the order lies in one that stands still, the cancellation is quicker."""
    about = {"key": "a/1", "mark": "m", "execution": "x" * 190, "operation": "1" * 30}
    async with served(SERVED) as there, httpx.AsyncClient() as client:
        url = f"{there.url}/calls/billing"
        for _ in range(2):
            told = await client.post(url, json={"call": about, "cancel": "enough"})
            assert told.status_code == 202 and told.json()["status"] == "cancelled", told.text
        late = await client.post(url, json={"call": about, "input": "o"})
        assert late.status_code == 409 and not shop.calls, late.text
        other = await client.post(url, json={"call": about | {"mark": "n"}, "input": "o"})
        assert other.status_code == 200 and shop.calls == ["o"]
        again = await client.post(url, json={"call": about | {"mark": "n"}, "cancel": "enough"})
        assert again.status_code == 202  # it has ended, and stays so
        assert (await client.post(url, json={"call": about | {"mark": "n"}, "input": "o"})).text == other.text


@on_a_loop
async def test_an_approval_is_asked_for_once_where_it_is_ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def refunds(ctx: Context) -> str:
        return await ctx.step(refund, "o")

    async with served(SERVED) as there, Runtime([refunds], "memory://") as here:
        lead(monkeypatch, there.url)
        handle = await here.start(refunds, id="x")
        while not await here.proposals("x"):  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.01)
        assert not shop.calls
        await here.approve("x", by="me")
        assert await handle.result(timeout=20) == "refunded o"


@on_a_loop
async def test_nobody_is_asked_what_would_never_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Agent("desk", Scripted([call("slow", order="o"), "done"]), tools=[slow], limits=Limits(time="3s"))
    async with served(SERVED) as there, Runtime([desk], "memory://") as here:
        lead(monkeypatch, there.url)
        with suppress(ExecutionFailed):  # whichever side is first
            await (await here.start(desk, "hi")).result(timeout=20)
        (head,) = [head async for head in _heads(there.runtime)]
        with pytest.raises(ExecutionFailed):  # the deadline went along: it does not work on for nobody
            await there.runtime.result(head.id, timeout=20)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"call": {}}, 422),
        ({"call": {"key": "a/1", "mark": "m", "execution": "a", "operation": "1", "deadline": "soon"}}, 422),
        ({"call": {"key": "a/1", "mark": "m", "execution": "a", "operation": "1"}, "input": {"order": 1}}, 422),
        ({"call": {"key": "a/1", "mark": "m", "execution": "a", "operation": "1"}, "input": "o"}, 422),
    ],
)
def test_what_is_no_call_is_refused_and_begins_nothing(body: Any, status: int) -> None:
    async def main() -> None:
        async with served(SERVED) as there, httpx.AsyncClient() as client:
            answer = await client.post(f"{there.url}/calls/lookup", json=body)
            assert answer.status_code == status, answer.text
            assert answer.headers["overwinter-error"] == "refused"
            assert (await client.post(f"{there.url}/calls/nobody", json=body)).status_code in (404, 422)
            assert [head async for head in _heads(there.runtime)] == []

    asyncio.run(main())


@pytest.mark.parametrize("name", ["overwinter.call", "overwinter.answer", "overwinter%2Fschedule", "nobody"])
def test_the_runtimes_own_functions_are_ordered_by_nobody(name: str) -> None:
    async def main() -> None:
        body = {"call": {"key": "a/1", "mark": "m", "execution": "a", "operation": "1"}, "input": {"function": "pay"}}
        async with served(SERVED) as there, httpx.AsyncClient() as client:
            answer = await client.post(f"{there.url}/calls/{name}", json=body)
            assert answer.status_code == 404 and "overwinter.answer, " not in answer.text, answer.text
            assert [head async for head in _heads(there.runtime)] == []

            @workflow
            async def names(ctx: Context) -> Any:
                return await ctx.call("overwinter.call", {"function": "pay", "input": {"order": "o"}})

            async with Runtime([names, pay], "memory://") as here:
                with pytest.raises(ExecutionFailed, match=r"overwinter\.call"):
                    await (await here.start(names)).result(timeout=20)

    asyncio.run(main())


@pytest.mark.parametrize("part", ["execution", "operation"])
@pytest.mark.parametrize("said", ["a\nb", "a\0b", "\x1b[2J", "a\u202eb", "..", "x/../y", " ", "a\ufffd", "a\u2028b"])
def test_what_a_caller_says_makes_no_id_that_nobody_may_choose(part: str, said: str) -> None:
    async def main() -> None:
        about = {"key": "a/1", "mark": "m", "execution": "a", "operation": "1", part: said}
        async with served(SERVED) as there, httpx.AsyncClient() as client:
            url, body = f"{there.url}/calls/lookup", {"call": about, "input": {"order": "o"}}
            answer = await client.post(url, json=body)
            assert answer.status_code == 200, answer.text
            (head,) = [head async for head in _heads(there.runtime)]
            assert check_id(head.id) == head.id == answer.json()["id"]
            again = await client.post(url, json=body)
            assert again.headers["idempotent-replay"] == "true" and again.text == answer.text
            other = await client.post(url, json={**body, "call": about | {"mark": "n"}})
            assert other.json()["id"] != head.id and shop.calls == ["o", "o"]

    asyncio.run(main())


@on_a_loop
async def test_who_can_not_be_found_is_not_told_and_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of itself leads nowhere; what it has ordered is begun, and that is what is answered."""
    monkeypatch.setenv("OVERWINTER_ROUTES", '{"*": "kubernetes://shop", "good": "http://127.0.0.1:9"}')
    async with served(SERVED) as there, httpx.AsyncClient() as client:
        for execution, caller, tells in (("a", "no service", False), ("a\nb", "good", False), ("a", "good", True)):
            about = {"key": "a/1", "mark": caller, "execution": execution, "operation": "1", "caller": caller}
            body = {"call": about, "input": {"order": "o"}}
            answer = await client.post(f"{there.url}/calls/slow", json=body, headers={"prefer": "wait=0"})
            assert answer.status_code == 202 and answer.json()["tells"] is tells, answer.text
        shop.go.set()


@on_a_loop
async def test_the_same_call_is_begun_once_and_another_one_is_another() -> None:
    async with served(SERVED) as there, httpx.AsyncClient() as client:
        about = {"key": "a/1", "mark": "m", "execution": "a", "operation": "1"}
        url, body = f"{there.url}/calls/lookup", {"call": about, "input": {"order": "o"}}
        first = await client.post(url, json=body)
        assert first.json()["result"] == {"id": "o", "parts": 1} and "idempotent-replay" not in first.headers
        again = await asyncio.gather(*(client.post(url, json=body) for _ in range(10)))
        assert {answer.text for answer in again} == {first.text}
        assert all(answer.headers["idempotent-replay"] == "true" for answer in again)
        other = await client.post(url, json=body | {"call": about | {"mark": "n"}})
        assert other.json()["result"]["parts"] == 2
        changed = await client.post(url, json=body | {"input": {"order": "p"}})
        assert changed.status_code == 409
        assert shop.calls == ["o", "o"]


@on_a_loop
async def test_a_wrong_token_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(SERVED, token="right") as there, Runtime([ask], "memory://") as here:
        lead(monkeypatch, there.url)
        with pytest.raises(ExecutionFailed) as failed:
            await (await here.start(ask, "o")).result()
        assert isinstance(failed.value.__cause__, InvalidInput)
        assert "token of its route" in str(failed.value.__cause__)


@on_a_loop
async def test_what_is_told_is_taken_by_the_door_for_deliveries_and_believed_by_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An event that says that a call is done has it asked for, where the route leads, and nothing more."""
    monkeypatch.setattr(sending, "HELD", 0)

    @workflow
    async def waits(ctx: Context) -> str:
        return await ctx.step(slow, "o")

    secrets = {"token": "a" * 40, "delivery_token": "b" * 40}
    async with served(SERVED) as there, served([waits], **secrets) as here, httpx.AsyncClient() as client:
        lead(monkeypatch, there.url, waits=here.url)
        handle = await here.runtime.start(waits, id="x")
        while (await here.runtime.show("x")).awaits != "answer of slow":  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.01)
        event = {"specversion": "1.0", "type": "io.overwinter.answered", "source": "/x", "subject": "x"}
        for number, data in enumerate([{"operation": "0"}, {"operation": "9"}, {"operation": "0", "value": "a lie"}]):
            told = await client.post(
                f"{here.url}/",
                json=event | {"id": str(number), "data": data},
                headers={"content-type": "application/cloudevents+json", "authorization": f"Bearer {'b' * 40}"},
            )
            assert told.status_code == 202, told.text
        wrong = await client.post(
            f"{here.url}/",
            json=event | {"id": "w", "data": {"operation": 3}},
            headers={"content-type": "application/cloudevents+json", "authorization": f"Bearer {'b' * 40}"},
        )
        assert wrong.status_code == 422
        shop.go.set()
        monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps({"slow": there.url}))
        ended = asyncio.create_task(handle.result(timeout=20))
        for number in range(100):  # one that comes while it is being asked about is passed over
            await client.post(
                f"{here.url}/",
                json=event | {"id": f"last {number}", "data": {"operation": "0"}},
                headers={"content-type": "application/cloudevents+json", "authorization": f"Bearer {'b' * 40}"},
            )
            await asyncio.wait([ended], timeout=0.2)
            if ended.done():
                break
        assert await ended == "o at last"
        assert shop.calls == ["o"]


@on_a_loop
async def test_a_process_whose_time_is_up_gives_up_no_call_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs here and had its share of the time counts as failed then; what runs elsewhere goes on there."""

    @workflow
    async def waits(ctx: Context) -> str:
        return await ctx.step(slow, "o")

    store = MemoryStore()
    async with served(SERVED) as there:
        lead(monkeypatch, there.url)
        first = Runtime([waits], store)
        await first.__aenter__()
        await first.start(waits, id="x")
        await until(lambda: shop.calls)
        await first.close(grace=0, cut=Cut(2**60, "it has no time"))
        shop.go.set()
        async with Runtime([waits], store) as second:
            assert await second.result("x", timeout=20) == "o at last"
            assert await kinds(second, "x") == ["start", "begun", "step", "completed"]
        assert shop.calls == ["o"]


@on_a_loop
async def test_for_whom_it_is_goes_along_over_two_hops(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    @tool
    async def whose(order: str) -> str:
        told.append(dict(current_call().caller))
        return order

    @workflow
    async def inner(ctx: Context, order: str) -> str:
        told.append(dict(ctx.caller))
        return await ctx.step(whose, order)

    @workflow
    async def outer(ctx: Context, order: str) -> Any:
        return await ctx.call("inner", order)

    about = {
        "key": "a/1",
        "mark": "m",
        "execution": "a",
        "operation": "1",
        "user": "u-7",
        "tenant": "t",
        "baggage": "x=1",
    }
    async with (
        served([whose]) as last,
        served([inner]) as there,
        served([outer]) as here,
        httpx.AsyncClient() as web,
    ):
        lead(monkeypatch, there.url, "inner", whose=last.url)
        answer = await web.post(f"{here.url}/calls/outer", json={"call": about, "input": "o"})
        assert answer.json()["result"] == "o", answer.text
    assert [one["user"] for one in told] == ["u-7", "u-7"] and [one["baggage"] for one in told] == ["x=1", "x=1"]
    assert [one["caller"] for one in told] == ["outer", "inner"]


@on_a_loop
async def test_a_tool_elsewhere_is_called_by_its_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def named(ctx: Context, order: str) -> list[Any]:
        found = await ctx.call("lookup", {"order": order}, output=Order)
        try:
            await ctx.call("lookup", {"order": "gone"})
        except ExecutionFailed as failed:
            return [found, str(failed.cause)]
        return []

    for functions in ([named], [named, lookup]):  # whether or not this process could make it itself
        async with served(SERVED) as there, Runtime(functions, "memory://") as here:
            lead(monkeypatch, there.url)
            found, cause = await (await here.start(named, "o", id="x")).result(timeout=20)
            assert (found, cause) == ({"id": "o", "parts": 1}, "gone")
            assert (
                sorted([(head.function, head.kind) async for head in _heads(there.runtime)]) == [("lookup", "tool")] * 2
            )
            assert [entry["type"] for entry in await here.history("x/0")][-1] == "completed"
        shop.calls.clear()


@on_a_loop
async def test_a_tool_that_is_here_is_called_by_its_name_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def named(ctx: Context, order: str) -> Any:
        return await ctx.call("lookup", {"order": order}, output=Order)

    monkeypatch.delenv("OVERWINTER_ROUTES", raising=False)
    async with Runtime([named, lookup], "memory://") as here:
        assert await (await here.start(named, "o", id="x")).result(timeout=20) == {"id": "o", "parts": 1}
