"""The four tools of the desk. Each process serves one of them, by its file."""

import asyncio
import random

from notes import note  # type: ignore[import-not-found]  # beside this file

from overwinter import current_call, tool


async def _work(what: str) -> None:
    key = current_call().idempotency_key
    note(what, key)
    await asyncio.sleep(random.choice((0.0, 0.05, 0.3)))
    note(what, key, "end")


@tool
async def lookup(ticket: str) -> str:
    """Find what a ticket is about."""
    await _work("lookup")
    return f"order of {ticket}"


@tool
async def stock(order: str) -> int:
    """How many there are."""
    await _work("stock")
    return len(order)


@tool(effect="irreversible", in_doubt="fail")
async def refund(ticket: str) -> str:
    """Pay it back, once."""
    await _work(f"refund:{ticket}")
    return f"refunded {ticket}"


@tool
async def notify(ticket: str) -> str:
    """Tell the customer."""
    await _work("notify")
    return f"told {ticket}"
