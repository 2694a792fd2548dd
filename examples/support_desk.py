"""A customer-support desk: one agent, its tools on a real database, and a team of specialists for hard tickets.

    overwinter dev examples/support_desk.py
    overwinter invoke support --session c-17 "Where is my order o-17?"

A conversation is a session. Refunds above 50.00 wait for the refund desk (`overwinter approvals`). A hard ticket
starts a workflow that asks three specialists in parallel. Without a key it runs on a scripted model; with
OVERWINTER_MODEL=openai/gpt-5-mini (or any other name litellm knows) on a real one.
"""

from __future__ import annotations

import os
import time
from decimal import Decimal

from pydantic import BaseModel, Field
from shop_database import find_order, shop
from support_script import desk_script, specialist_script

from overwinter import Agent, Context, Limits, current_call, tool, workflow

MODEL = os.environ.get("OVERWINTER_MODEL")
REFUND_LIMIT = Decimal("50.00")


class Ticket(BaseModel):
    """A question that needs more than one head."""

    customer: str = Field(description="the customer's id, like c-17")
    question: str = Field(description="what the customer wants to know, in their words")


class Opinion(BaseModel):
    """What one specialist says."""

    specialist: str
    advice: str


class Receipt(BaseModel):
    """A refund that was made."""

    order_id: str
    amount: Decimal
    refunded_in_all: Decimal


def note_call() -> None:
    """Write down that a tool ran, under its idempotency key; the demo counts these."""
    with shop() as connection:
        key = current_call().idempotency_key
        connection.execute("INSERT INTO calls VALUES(?,?)", (key, time.time_ns() // 1_000_000))


@tool(effect="pure")
def lookup_order(order_id: str) -> dict[str, str]:
    """Look up an order: what was bought, what it cost, where it is.

    Args:
        order_id: the order's id, like o-17
    """
    note_call()
    with shop() as connection:
        order = find_order(connection, order_id)
    return {name: str(value) for name, value in order._asdict().items()}


@tool
def change_address(order_id: str, address: str) -> str:
    """Send an order to another address.

    Args:
        order_id: the order's id, like o-17
        address: the whole new address
    """
    note_call()
    with shop() as connection:
        find_order(connection, order_id)
        connection.execute("UPDATE orders SET address=? WHERE id=?", (address, order_id))
    return f"{order_id} goes to {address} now"


def needs_approval(order_id: str, amount: Decimal) -> str | None:
    """Refunds above the limit are the refund desk's to decide."""
    return "refund-desk" if amount > REFUND_LIMIT else None


@tool(approval=needs_approval)
def refund(order_id: str, amount: Decimal) -> Receipt:
    """Refund an order, in whole or in part.

    Args:
        order_id: the order's id, like o-17
        amount: how much, at most the order's price
    """
    note_call()
    with shop() as connection:
        order = find_order(connection, order_id)
        key = current_call().idempotency_key
        known = connection.execute("SELECT amount FROM refunds WHERE key=?", (key,)).fetchone()
        if known is None:
            if order.refunded + amount > order.price:
                raise ValueError(f"{order_id} cost {order.price} and {order.refunded} of it is refunded already")
            connection.execute("INSERT INTO refunds VALUES(?,?,?)", (key, order_id, str(amount)))
        order = find_order(connection, order_id)
    return Receipt(order_id=order_id, amount=amount, refunded_in_all=order.refunded)


def specialist(field: str) -> Agent:
    """An agent that looks at a ticket from one side."""
    return Agent(
        name=field,
        model=MODEL or specialist_script(field),
        instructions=f"You are the {field} specialist of a shop. Give one short piece of advice on the ticket.",
        input=Ticket,
        limits=Limits(iterations=4, tokens=20_000, time="1m"),
    )


billing, technical, account = specialist("billing"), specialist("technical"), specialist("account")


@workflow
async def hard_ticket(ctx: Context, ticket: Ticket) -> list[Opinion]:
    """Ask billing, technical and account specialists at the same time and merge what they say."""
    ctx.status("asking three specialists")
    team = (billing, technical, account)
    answers = await ctx.parallel(*(ctx.call(member, ticket) for member in team))
    return [Opinion(specialist=member.name, advice=answer) for member, answer in zip(team, answers, strict=True)]


support = Agent(
    name="support",
    model=MODEL or desk_script(),
    instructions=(
        "You help customers of a shop. Look up orders before you answer, refund what is broken, and hand "
        "questions that concern several departments to hard_ticket. Be brief and friendly."
    ),
    tools=[lookup_order, change_address, refund, hard_ticket],
    limits=Limits(iterations=8, tokens=50_000, cost="0.50", time="5m"),
)
