"""A shop with functions of every kind: what ``shop_stubs`` are the stubs of."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from overwinter import Agent, Context, tool, workflow
from overwinter.functions.model import ModelFunction


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    article: str = Field(min_length=1, description="What it is")
    count: int = Field(default=1, ge=1)
    weight: float = 0.5


class Order(BaseModel):
    """An order."""

    id: str
    lines: list[Line]
    color: Color = Color.RED
    at: datetime
    tags: list[str] = Field(default_factory=list)
    parent: Order | None = None
    from_: str = Field(default="here", alias="from")
    copy_: str = Field(default="x", alias="copy")
    place: tuple[int, str] = (1, "a")
    more: dict[str, Line] = {}
    lasts: timedelta | None = None


class Bill(BaseModel):
    order: Order
    number: UUID
    paid: bool = False


ORDER = Order(id="o-1", lines=[Line(article="book")], at=datetime(2026, 1, 2, 3, 4))
NUMBER = UUID(int=7)


@tool(effect="pure")
def lookup_order(order_id: str) -> Order:
    """Find an order."""
    return ORDER.model_copy(update={"id": order_id})


@tool(approval="boss", effect="irreversible")
async def refund(
    order_id: str,
    amount: Annotated[int, Field(gt=0)],
    why: Literal["broken", "late"] = "late",
    when: date | None = None,
) -> Bill | None:
    """Refund an order.

    Args:
        order_id: The order's number, as "o-1".
        amount: In cents.
    """
    return None


@tool
def weigh(lines: list[Line], most: float = 3, *, of: Decimal) -> float:
    return sum(line.weight for line in lines) + most + float(of)


@tool(name="ask-anything", schema={"type": "object", "properties": {"not a name": {"type": "string"}}})
async def ask_anything(**question: Any) -> Any:
    """Takes what is no parameter of Python."""
    return question


@workflow
async def billing(ctx: Context, order: Order) -> Bill:
    """Bill an order."""
    return Bill(order=order, number=NUMBER)


@workflow(name="tidy up")
async def tidy(ctx: Context) -> None:
    await ctx.sleep(0)


@workflow
async def anything(ctx: Context, input: Any) -> Any:
    return input


support = Agent("support-desk", "scripted:echo", description='He said "hi"\\')
fast = ModelFunction("fast", "scripted:echo")
