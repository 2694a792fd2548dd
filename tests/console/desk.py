"""The functions of the desk that the console looks at, and a store with something of everything in it."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any

from pydantic import BaseModel, Field

from overwinter import Agent, Approval, Context, Runtime, Scripted, call, subscribe, tool, workflow
from overwinter.functions.model import Prices
from overwinter.orchestrator.governance.budgets import accounts
from overwinter.orchestrator.governance.budgets.account import Limit
from overwinter.orchestrator.protocol.clock import present
from overwinter.state.records import Head

PRICES = Prices(input="0.25", output="2")


class Kind(Enum):
    """How it is sent."""

    LETTER = "letter"
    PARCEL = "parcel"


class Address(BaseModel):
    """Where to."""

    street: str
    city: str
    postcode: int | None = None


class Order(BaseModel):
    """What is to be sent, and where to."""

    article: str = Field(description="what is sent")
    pieces: int = Field(default=1, ge=1, le=99)
    kind: Kind = Kind.PARCEL
    gift: bool = False
    notes: list[str] = []
    address: Address


@tool(effect="irreversible", approval="refund-desk", approval_within="2d")
async def refund(order_id: str, amount: float, note: str = "") -> str:
    """Give the money of an order back."""
    return f"{amount} back for {order_id}"


@tool(effect="irreversible", approval=Approval("treasury", by=2, within="3d", escalate=("1d", "head")))
async def transfer(account: str, amount: int) -> str:
    """Move money."""
    return f"{amount} to {account}"


@tool(effect="irreversible", timeout="50ms")
async def charge(card: str, amount: int) -> str:
    """Charge a card. The bank never answers."""
    await asyncio.Event().wait()
    return f"{amount} from {card}"


@tool
async def weather(city: str) -> str:
    """The weather in a city."""
    return f"snow in {city}"


@workflow
async def pay_back(ctx: Context, order_id: str) -> str:
    """Gives money back, after somebody has looked at it."""
    return await ctx.step(refund, order_id, 40.0, "scratched on arrival")


@workflow
async def pay_supplier(ctx: Context, account: str) -> str:
    """Pays a supplier, after two people have looked at it."""
    return await ctx.step(transfer, account, 1200)


@workflow
async def checkout(ctx: Context, card: str) -> str:
    """Charges a card."""
    return await ctx.step(charge, card, 120)


@workflow
async def send_order(ctx: Context, order: Order) -> str:
    """Sends something to somebody."""
    seen = await ctx.step(weather, order.address.city)
    await ctx.sleep("10ms")
    return f"{order.pieces} × {order.article} as a {order.kind.value}: {seen}"


@subscribe(type="order.paid")
@workflow
async def ship(ctx: Context, order: dict[str, str]) -> str:
    """Ships an order that was paid."""
    return f"shipped {order['id']}"


@workflow
async def nightly(ctx: Context, what: str = "") -> str:
    """Counts what is in the store."""
    return "counted"


@workflow(name="ledger")
async def ledger_before(ctx: Context, who: str) -> str:
    """As it was when some executions began."""
    await ctx.step(weather, "Oslo")
    await ctx.wait_for("month.end")
    return "closed"


@workflow(name="ledger")
async def ledger(ctx: Context, who: str) -> str:
    """As it is now: it begins with something else."""
    await ctx.step(charge, "none", 1)
    return "closed"


def _talk(messages: Any, tools: Any) -> Any:
    last = messages[-1]
    if last.role != "user":
        return f"I have looked: {last.content}. Take a coat with you when you go out."
    if "refund" in str(last.content):
        return call("refund", order_id="A-17", amount=25.5)
    if "weather" in str(last.content):
        return call("weather", city="Oslo")
    return f"You said: {last.content}. Is there anything else that I can do for you today?"


clerk = Agent("clerk", Scripted(_talk, pace="2ms"), "You answer customers.", tools=[refund, weather], prices=PRICES)
echo = Agent("echo", "scripted:echo", prices=PRICES)

FUNCTIONS: tuple[object, ...] = (
    *(clerk, echo, refund, transfer, charge, weather),
    *(pay_back, pay_supplier, checkout, send_order, ship, nightly),
)
BEFORE = (*FUNCTIONS, ledger_before)
NOW = (*FUNCTIONS, ledger)
ENDED = ("completed", "failed", "cancelled")


async def until(runtime: Runtime, id: str, *statuses: str) -> Head:
    """Wait until it has one of these statuses."""
    while (head := await runtime.find(id)) is None or head.status not in statuses:
        assert head is None or head.status not in ENDED, f"{id} is {head.status}: {head.note}"
        await asyncio.sleep(0.01)
    return head


async def filled(store: str) -> None:
    """Put something of everything that the pages show into a store."""
    async with Runtime(BEFORE, store) as runtime:
        await runtime.start(ledger_before, "ann", id="ledger-1")
        await until(runtime, "ledger-1", "waiting")
    async with Runtime(NOW, store) as runtime:
        now = await present(runtime.store)
        limits = [Limit("day", {"cost": "2.00", "tokens": 20_000}, "UTC", 0.8), Limit("", {"cost": "100"}, "UTC")]
        await accounts.set_limits(runtime.store, "tenant:acme", limits, now, by="ops", whole=True)
        await runtime.signal("ledger-1", "month.end", {})
        await until(runtime, "ledger-1", "stuck")
        await runtime.start(pay_back, "A-17", id="back-1", by="ana")
        await runtime.start(pay_supplier, "DE12", id="supplier-1", by="ana")
        await runtime.start(checkout, "4711", id="checkout-1", by="ana")
        await until(runtime, "back-1", "waiting")
        await until(runtime, "supplier-1", "waiting")
        await until(runtime, "checkout-1", "in-doubt")
        await runtime.publish("order.paid", ["no order"], id="e-7", source="/till")
        order = Order(article="lamp", address=Address(street="Broad Street 1", city="Oslo"))
        await runtime.start(send_order, order, id="order-1", by="ben")
        await until(runtime, "order-1", "completed")
        sent = await runtime.send(clerk, "ann", "How is the weather?", by="ann", tenant="acme")
        await sent.reply()
        await (await runtime.send(echo, "ben", "Good morning", by="ben", tenant="acme")).reply()
        await runtime.schedules.create(nightly, name="every-night", cron="0 3 * * *", by="ana")
