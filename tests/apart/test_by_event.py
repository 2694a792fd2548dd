"""Functions that have no address: called by an event over a real Redis, answered by an event, recorded once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from overwinter import Agent, Context, InDoubt, InvalidInput, Runtime, Scripted, call, current_call, tool, workflow
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

PATIENCE = 40.0


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


@tool(effect="irreversible")
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
    async with asyncio.timeout(PATIENCE), Runtime(FAR, "memory://", broker=dsn) as far:
        lead(monkeypatch)
        async with Runtime(near, store, broker=dsn) as here:
            yield far, here


def lead(monkeypatch: pytest.MonkeyPatch) -> None:
    table = dict.fromkeys(("lookup", "pay", "slow", "large", "billing", "nobody"), "broker")
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
