"""A small shop behind the app, in this process: a real runtime on a store in memory, and an HTTP client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple, cast

import httpx
import pytest
from pydantic import BaseModel

from overwinter.functions.agents.agent import Agent
from overwinter.functions.http.app import create_app
from overwinter.functions.models.scripted import Scripted
from overwinter.functions.runtime import Runtime
from overwinter.functions.tools.tool import tool
from overwinter.functions.workflow import workflow
from overwinter.state.errors import Final, Retryable


class Ticket(BaseModel):
    """What a customer wants."""

    question: str
    priority: int = 0


@tool
def lookup_order(order_id: str) -> dict[str, str]:
    """Find an order."""
    if order_id == "crash":
        raise RuntimeError("the shop is down")
    if order_id == "never":
        raise Final("there will never be such an order")
    if order_id == "none":
        next(iter(()))
    if order_id == "exit":
        raise SystemExit(1)
    if order_id == "panic":
        raise BaseException("as an extension in Rust raises it")
    if order_id == "long":
        raise Retryable("the shop is closed", retry_after=float("inf"))
    return {"id": order_id, "state": "shipped"}


@tool(effect="irreversible", approval="refund-desk")
async def refund(order_id: str) -> str:
    """Refund an order."""
    return f"refunded {order_id}"


@workflow
async def ticket(ctx: Any, input: Ticket) -> dict[str, Any]:
    """Answer a ticket."""
    if input.question == "wait":
        answer = await ctx.wait_for("customer.reply")
        return {"answer": answer}
    if input.question == "fail":
        raise ValueError("no answer")
    return {"answer": input.question.upper()}


echo = Agent("echo", "scripted:echo", tools=[lookup_order])
slow = Agent("slow", Scripted({".*": "late"}, "late", delay="150ms"))
endless = Agent("slow", Scripted({".*": "never"}, "never", delay="1d"))


class Shop(NamedTuple):
    """An open shop."""

    client: httpx.AsyncClient
    runtime: Runtime


Main = Callable[[Shop], Coroutine[Any, Any, None]]


@asynccontextmanager
async def opened(token: str | None = None, **options: Any) -> AsyncGenerator[Shop]:
    async with Runtime([echo, slow, refund, ticket], "memory://") as runtime:
        app = create_app(runtime, token=token, **options)
        transport = httpx.ASGITransport(cast("Any", app))  # httpx types ASGI with plain dicts
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield Shop(client, runtime)


def asked_over(main: Main, functions: Sequence[object], **options: Any) -> None:
    """Run ``main(shop)`` in a shop of other functions."""

    async def whole() -> None:
        async with Runtime(functions, "memory://") as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None, **options)))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                await asyncio.wait_for(main(Shop(client, runtime)), 60)

    asyncio.run(whole())


@pytest.fixture
def shop() -> Callable[..., AbstractAsyncContextManager[Shop]]:
    """``async with shop(token=…, max_body=…) as (client, runtime)``."""
    return opened


@pytest.fixture
def run() -> Callable[..., None]:
    """Run ``main(shop)`` in an open shop."""

    def start(main: Main, **options: Any) -> None:
        async def whole() -> None:
            async with opened(**options) as open_shop:
                await asyncio.wait_for(main(open_shop), 60)

        asyncio.run(whole())

    return start
