"""W5's floor: Python with asyncio, sqlite3 and pydantic, one model validated, one row committed, then "done"."""

from __future__ import annotations

import asyncio
import sqlite3
import sys

from pydantic import BaseModel


class Order(BaseModel):
    item: str
    count: int


async def main() -> None:
    order = Order.model_validate({"item": "ice", "count": 1})
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS instance (value TEXT)")
    connection.execute("INSERT INTO instance VALUES (?)", (order.model_dump_json(),))
    print("done", flush=True)
    sys.stdin.read()
    connection.close()


asyncio.run(main())
