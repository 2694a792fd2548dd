"""Subscribers of every kind, and what they have been given."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from overwinter import Agent, Context, Retry, Scripted, subscribe, tool, workflow

SHIPPED: list[Any] = []
MAILED: list[str] = []


class Order(BaseModel):
    id: str
    cents: int = 0


@subscribe(type="order.paid")
@workflow
async def ship(ctx: Context, order: Order) -> str:
    return await ctx.step(pack, order.id)


def pack(id: str) -> str:
    SHIPPED.append(id)
    return f"packed {id}"


@subscribe(where={"prefix": {"type": "order."}}, gives="event", name="ledger")
@workflow
async def book(ctx: Context, event: dict[str, Any]) -> list[Any]:
    return [event["type"], event.get("subject"), event.get("data")]


@subscribe(type="order.paid", where={"not": {"exact": {"region": "test"}}})
@tool(retry=Retry(first="1ms", attempts=3))
async def mail(id: str, cents: int = 0) -> str:
    """Tell the customer."""
    MAILED.append(id)
    return f"mailed {id}"


desk = subscribe(type="customer.wrote", session="subject")(Agent("desk", Scripted(["Noted."] * 9)))
"""An agent that reads what a customer writes, in the customer's session."""
watch = subscribe(type="customer.wrote", key="all")(Agent("watch", Scripted(["Seen."] * 9)))
"""One that reads what all of them write."""
once = subscribe(type="customer.wrote")(Agent("once", Scripted(["Done."] * 9)))
"""One that begins anew for each."""


@workflow
async def checkout(ctx: Context, order: Order) -> str:
    await ctx.publish("order.paid", order, subject=order.id, key=order.id)
    return order.id


def fresh() -> None:
    SHIPPED.clear()
    MAILED.clear()
