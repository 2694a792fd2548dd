"""Tools that tests of agents give them."""

from __future__ import annotations

from overwinter import tool


@tool
async def lookup(order_id: str) -> str:
    """Look an order up."""
    return order_id


@tool
async def note(text: str) -> str:
    """Note."""
    return text
