"""A customer-support desk: one agent, its tools on a real database, and a team of specialists for hard tickets.

    overwinter dev examples/support_desk.py
    overwinter invoke support --session c-17 "Where is my order o-17?"

A conversation is a session. Refunds above 50.00 wait for the refund desk (`overwinter approvals`). A hard ticket
starts a workflow that asks three specialists in parallel. Without a key it runs on a scripted model; with
OVERWINTER_MODEL=openai/gpt-5-mini (or any other name litellm knows) on a real one.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sqlite3
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter

from overwinter import Agent, Context, Limits, current_call, tool, workflow
from overwinter.functions.model import Message, Scripted, ToolCall, ToolSchema, call

MODEL = os.environ.get("OVERWINTER_MODEL")
REFUND_LIMIT = Decimal("50.00")
SCRIPTED_DELAY = os.environ.get("SCRIPTED_DELAY", "20ms")

# -- the shop: a real database. Every change carries an idempotency key, so that a call that is made again after
# a crash changes nothing -------------------------------------------------------------------------------------

SCHEMA = """
CREATE TABLE IF NOT EXISTS customers(id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders(
    id TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES customers, item TEXT NOT NULL,
    price TEXT NOT NULL, status TEXT NOT NULL, address TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refunds(
    key TEXT PRIMARY KEY, order_id TEXT NOT NULL REFERENCES orders, amount TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls(key TEXT NOT NULL, at INTEGER NOT NULL);
"""
CUSTOMERS = 250
ITEMS = (("kettle", "39.00"), ("lamp", "24.50"), ("headphones", "129.00"), ("espresso machine", "449.00"))
STATUSES = ("delivered", "in transit", "delivered", "returned")


class Order(NamedTuple):
    """One order; ``price`` and ``refunded`` in the shop's currency."""

    id: str
    customer: str
    item: str
    price: Decimal
    status: str
    address: str
    refunded: Decimal


@functools.cache
def create_shop(path: Path) -> None:
    """Make the tables, and the customers and orders when there are none. Once in the life of a process."""
    connection = sqlite3.connect(path, timeout=10)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(SCHEMA)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("SELECT count(*) FROM customers").fetchone()[0] == 0:
            for number in range(1, CUSTOMERS + 1):
                (item, price), status = ITEMS[number % len(ITEMS)], STATUSES[number % len(STATUSES)]
                customer = (f"c-{number}", f"Customer {number}", f"c-{number}@example.com")
                order = (f"o-{number}", customer[0], item, price, status, f"{number} Frost Lane")
                connection.execute("INSERT INTO customers VALUES(?,?,?)", customer)
                connection.execute("INSERT INTO orders VALUES(?,?,?,?,?,?)", order)
    connection.close()


@contextmanager
def shop() -> Generator[sqlite3.Connection]:
    """A transaction on the shop's database, which is created on first use (``SHOP_DATABASE`` names the file)."""
    path = Path(os.environ.get("SHOP_DATABASE", "shop.db"))
    create_shop(path)
    connection = sqlite3.connect(path, timeout=10)
    try:
        connection.execute("PRAGMA synchronous=NORMAL")
        with connection:
            yield connection
    finally:
        connection.close()


def find_order(connection: sqlite3.Connection, order_id: str) -> Order:
    """The order with what has been refunded so far. Raises LookupError."""
    row = connection.execute("SELECT * FROM orders WHERE id=?", (order_id,)).fetchone()
    if row is None:
        raise LookupError(f"there is no order {order_id!r}; orders are named like o-17")
    refunds = connection.execute("SELECT amount FROM refunds WHERE order_id=?", (order_id,)).fetchall()
    id_, customer, item, price, status, address = row
    refunded = sum((Decimal(amount) for (amount,) in refunds), Decimal(0))
    return Order(id_, customer, item, Decimal(price), status, address, refunded)


# -- the scripted model: rules that always answer the same, where no key is set --------------------------------


def desk_script() -> Scripted:
    """The desk's model: looks up, refunds, changes addresses, hands hard tickets on."""
    return Scripted(_desk, "support-desk", delay=SCRIPTED_DELAY)


def specialist_script(field: str) -> Scripted:
    """The model of one specialist."""
    return Scripted(
        [f"The {field} side of this is in order; tell the customer so."], f"{field}-desk", delay=SCRIPTED_DELAY
    )


def _desk(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str | ToolCall:
    last = messages[-1]
    if last.role == "tool":
        return _report(last.content)
    said = last.content
    order = re.search(r"\bo-\d+\b", said)
    customer = re.search(r"\bc-\d+\b", said)
    amount = re.search(r"\d+\.\d\d", said)
    if "refund" in said and order and amount:
        return call("refund", order_id=order[0], amount=amount[0])
    if "address" in said and order:
        return call("change_address", order_id=order[0], address=said.partition(" to ")[2] or "unknown")
    if "everything" in said:
        return call("hard_ticket", customer=customer[0] if customer else "unknown", question=said)
    if order:
        return call("lookup_order", order_id=order[0])
    return "Hello! Tell me your order's number (like o-17) and what I can do for you."


def _report(observation: str) -> str:
    try:
        seen: Any = json.loads(observation)
    except ValueError:
        return f"Done: {observation}"
    if isinstance(seen, dict) and "status" in seen:
        return f"Your {seen['item']} ({seen['id']}) is {seen['status']}; it goes to {seen['address']}."
    if isinstance(seen, dict) and "refunded_in_all" in seen:
        return f"I have refunded {seen['amount']} for {seen['order_id']}."
    if observation.startswith("["):
        return "Our specialists say: " + " ".join(opinion.advice for opinion in OPINIONS.validate_json(observation))
    return f"Done: {observation}"


# -- tools -----------------------------------------------------------------------------------------------------


class Ticket(BaseModel):
    """A question that needs more than one head."""

    customer: str = Field(description="the customer's id, like c-17")
    question: str = Field(description="what the customer wants to know, in their words")


class Opinion(BaseModel):
    """What one specialist says."""

    specialist: str
    advice: str


OPINIONS = TypeAdapter(list[Opinion])


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
