"""The trace of whoever begins an execution from outside goes on with what that orders."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from overwinter import Context, Runtime, current_call, subscribe, tool, workflow
from overwinter.functions.events import intake
from overwinter.functions.events.event import CloudEvent
from overwinter.orchestrator.protocol.callers import traced

from .place import on_a_loop, served

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = {"traceparent": PARENT, "tracestate": "vendor=1", "baggage": "user=7"}


@tool
async def look(order: str) -> dict[str, Any]:
    """Says who asks."""
    caller = current_call().caller
    return {name: caller[name] for name in TRACE if name in caller}


@workflow
async def below(ctx: Context) -> Any:
    return [dict(ctx.caller), await ctx.step(look, "o")]


@workflow
async def above(ctx: Context, order: Any) -> Any:
    return [dict(ctx.caller), await ctx.call(below)]


@subscribe(type="order.paid", name="direct")
@subscribe(type="order.slow", name="paced", concurrency=1)
@workflow
async def hears(ctx: Context, order: Any) -> Any:
    return dict(ctx.caller)


async def ended(runtime: Runtime, id: str) -> Any:
    return await runtime.result(id, timeout=20)


@on_a_loop
async def test_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served([look]) as there, served([above, below]) as here, httpx.AsyncClient() as client:
        monkeypatch.setenv("OVERWINTER_ROUTES", f"look={there.url}")
        await client.post(f"{here.url}/workflows/above?id=x", json={}, headers=TRACE)
        assert await ended(here.runtime, "x") == [TRACE, [TRACE, TRACE]]
        await client.post(f"{here.url}/workflows/above?id=y", json={}, headers={**TRACE, "traceparent": "00-7"})
        assert await ended(here.runtime, "y") == [{"baggage": "user=7"}, [{"baggage": "user=7"}] * 2]
        again = await client.post(f"{here.url}/workflows/above?id=x", json={}, headers={"baggage": "other"})
        assert again.headers["idempotent-replay"] == "true" and (await ended(here.runtime, "x"))[0] == TRACE


@on_a_loop
async def test_of_an_event() -> None:
    async with Runtime([above, below, look, hears], "memory://") as runtime:
        event = CloudEvent(id="1", source="/x", type="io.overwinter.call.above", data={}, extensions=TRACE)
        taken = await intake.take(runtime, event)
        own = TRACE | {"from": "event", "by": "/x"}
        assert await ended(runtime, taken.execution) == [own, [TRACE | {"by": "/x"}, TRACE]]


@pytest.mark.parametrize("type", ["order.paid", "order.slow"])
@on_a_loop
async def test_of_an_event_that_somebody_has_subscribed_to(type: str) -> None:
    async with Runtime([hears], "memory://") as runtime:
        await runtime.publish(CloudEvent(id="1", source="/x", type=type, data={}, extensions=TRACE))
        id = f"{'direct' if type == 'order.paid' else 'paced'}:{intake.digest_of('/x', '1')}"
        while await runtime.find(id) is None:  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0)
        told = {} if type == "order.slow" else {"by": "/x"}  # what a queue delivers is for nobody
        assert await ended(runtime, id) == TRACE | {"from": "event"} | told


def test_what_can_not_be_gone_on_with_costs_the_trace_alone() -> None:
    assert traced(TRACE) == TRACE
    for wrong in ("ff" + PARENT[2:], PARENT.replace("4", "0").replace("b", "x"), "", None, 7, PARENT + "-" + "x" * 200):
        assert traced({**TRACE, "traceparent": wrong}) == {"baggage": "user=7"}
    for tail in ("-\r\nx: 1", "-é", "-\x00", "- a", "-"):  # it goes on as a header
        for version in ("00", "01"):
            assert traced({"traceparent": version + PARENT[2:] + tail}) == {}
    newer = "01" + PARENT[2:] + "-more"
    assert traced({"traceparent": newer}) == {"traceparent": newer} and traced({"traceparent": "00" + newer[2:]}) == {}
    assert traced({"baggage": "b" * 9000, "tracestate": "a\nb", "traceparent": PARENT}) == {"traceparent": PARENT}
