"""Tools that want an approval: of one, of another one than who asked, of two."""

from __future__ import annotations

from typing import Any

from overwinter import Approval, tool

PAID: list[int] = []


@tool(approval="desk")
async def refund(order: str, amount: int) -> str:
    """Refund an order."""
    PAID.append(amount)
    return f"{amount} for {order}"


@tool(approval=Approval("desk"))
async def payout(order: str, amount: int) -> str:
    """Pay out, but never by who asked."""
    PAID.append(amount)
    return f"{amount} for {order}"


@tool(approval=Approval("desk", by=2))
async def transfer(order: str, amount: int) -> str:
    """Move money, when two agree."""
    PAID.append(amount)
    return f"{amount} for {order}"


TOOLS: list[Any] = [refund, payout, transfer]
BY_NAME: dict[str, Any] = {"refund": refund, "payout": payout, "transfer": transfer}
