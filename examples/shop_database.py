"""The shop that the support desk works for: a real SQLite database, created with customers and orders.

Every change carries an idempotency key, so that a call that is made again after a crash changes nothing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

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


@contextmanager
def shop() -> Iterator[sqlite3.Connection]:
    """A transaction on the shop's database, which is created on first use (``SHOP_DATABASE`` names the file)."""
    path = Path(os.environ.get("SHOP_DATABASE", "shop.db"))
    connection = sqlite3.connect(path, timeout=10)
    try:
        with connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(SCHEMA)
            if connection.execute("SELECT count(*) FROM customers").fetchone()[0] == 0:
                _fill(connection)
        with connection:
            yield connection
    finally:
        connection.close()


def _fill(connection: sqlite3.Connection) -> None:
    for number in range(1, CUSTOMERS + 1):
        item, price = ITEMS[number % len(ITEMS)]
        customer, address = f"c-{number}", f"{number} Frost Lane"
        connection.execute(
            "INSERT OR IGNORE INTO customers VALUES(?,?,?)", (customer, f"Customer {number}", f"{customer}@example.com")
        )
        connection.execute(
            "INSERT OR IGNORE INTO orders VALUES(?,?,?,?,?,?)",
            (f"o-{number}", customer, item, price, STATUSES[number % len(STATUSES)], address),
        )


def find_order(connection: sqlite3.Connection, order_id: str) -> Order:
    """The order with what has been refunded so far. Raises LookupError."""
    row = connection.execute("SELECT * FROM orders WHERE id=?", (order_id,)).fetchone()
    if row is None:
        raise LookupError(f"there is no order {order_id!r}; orders are named like o-17")
    refunds = connection.execute("SELECT amount FROM refunds WHERE order_id=?", (order_id,)).fetchall()
    id_, customer, item, price, status, address = row
    refunded = sum((Decimal(amount) for (amount,) in refunds), Decimal(0))
    return Order(id_, customer, item, Decimal(price), status, address, refunded)
