"""The books: suppliers, orders, and what was invoiced for them, in a database of the company's own (SQLite).

What the back office knows by itself is nothing: an invoice is right when it agrees with these tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, Field

SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS suppliers(name TEXT PRIMARY KEY, iban TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders(
    id TEXT PRIMARY KEY, supplier TEXT NOT NULL REFERENCES suppliers, total TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS invoices(
    supplier TEXT NOT NULL REFERENCES suppliers, number TEXT NOT NULL, order_id TEXT NOT NULL REFERENCES orders,
    total TEXT NOT NULL, document TEXT NOT NULL, key TEXT NOT NULL UNIQUE, approved_by TEXT NOT NULL,
    PRIMARY KEY (supplier, number));
INSERT OR IGNORE INTO suppliers VALUES ('Lumen Lighting GmbH', 'DE02120300000000202051');
INSERT OR IGNORE INTO orders VALUES ('PO-1001', 'Lumen Lighting GmbH', '119.00'),
    ('PO-1002', 'Lumen Lighting GmbH', '2380.00'), ('PO-1003', 'Lumen Lighting GmbH', '200.00');
COMMIT;
"""


class Invoice(BaseModel):
    """What an invoice says; amounts in euros."""

    supplier: str = Field(description="the supplier's name, as it stands on the invoice")
    number: str = Field(description="the invoice's number")
    order: str = Field(description="our order, like PO-1001")
    net: Decimal
    vat: Decimal
    total: Decimal
    iban: str = Field(description="where to pay it, without spaces")


@contextmanager
def opened(path: Path) -> Generator[sqlite3.Connection]:
    """A transaction that writes; the tables and the first suppliers and orders are there."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name='orders'").fetchone():
            connection.executescript(SCHEMA)
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()  # what was not committed has not happened


def findings(books: sqlite3.Connection, invoice: Invoice, document: str) -> list[str]:
    """What is wrong with an invoice, in words for a person; nothing when it can be booked."""
    found: list[str] = []
    if invoice.total <= 0 or invoice.net < 0 or invoice.vat < 0:
        found.append(f"{invoice.total} is nothing to pay; a credit note is booked by hand")
    supplier = books.execute("SELECT iban FROM suppliers WHERE name=?", (invoice.supplier,)).fetchone()
    if supplier is None:
        found.append(f"we have no supplier {invoice.supplier!r}")
    elif supplier[0] != invoice.iban.replace(" ", ""):
        found.append(f"{invoice.supplier} is paid at {supplier[0]}, and not at {invoice.iban}")
    booked = books.execute(
        "SELECT document FROM invoices WHERE supplier=? AND number=?", (invoice.supplier, invoice.number)
    ).fetchone()
    if booked is not None:
        found.append(f"{invoice.number} of {invoice.supplier} is booked already, from {booked[0][:12]}")
    order = books.execute("SELECT supplier, total FROM orders WHERE id=?", (invoice.order,)).fetchone()
    if order is None or order[0] != invoice.supplier:
        found.append(f"{invoice.supplier} has no order {invoice.order}")
    else:
        sums = books.execute("SELECT total FROM invoices WHERE order_id=?", (invoice.order,)).fetchall()
        left = Decimal(order[1]) - sum((Decimal(total) for (total,) in sums), Decimal(0))
        if invoice.total > left:
            found.append(f"{invoice.total} is more than the {left} that are left of {invoice.order}")
    return found


def enter(books: sqlite3.Connection, invoice: Invoice, document: str, *, key: str, approved_by: str) -> list[str]:
    """Book an invoice, once for each ``key``. What is wrong with it by now, which may be more than when it was checked:
    then it is not booked."""
    if books.execute("SELECT 1 FROM invoices WHERE key=?", (key,)).fetchone():
        return []
    wrong = findings(books, invoice, document)
    if not wrong:
        row = (invoice.supplier, invoice.number, invoice.order, str(invoice.total), document, key, approved_by)
        books.execute("INSERT INTO invoices VALUES(?,?,?,?,?,?,?)", row)
    return wrong


def booked_from(books: sqlite3.Connection, document: str) -> str | None:
    """The number that a document was booked under."""
    row = books.execute("SELECT number FROM invoices WHERE document=?", (document,)).fetchone()
    return None if row is None else row[0]
