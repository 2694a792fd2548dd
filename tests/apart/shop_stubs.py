"""Stubs of what https://shop.example serves. Change nothing here; write it anew:

    overwinter stubs https://shop.example --out FILE

and see whether it is out of date:

    overwinter stubs https://shop.example --check FILE
"""

# sha256 d1a23135c9ba744e44be0314e999256783cf22cf12254bace06ff47998dd486c
from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from overwinter import Context, tool, workflow
from overwinter.functions.stub import elsewhere, unsaid


class Line(BaseModel):
    article: Annotated[str, Field(min_length=1, description="What it is")]
    count: Annotated[int, Field(ge=1)] = 1
    weight: float = 0.5


class Order(BaseModel):
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    id: str
    lines: list[Line]
    color: Literal["red", "blue"] = "red"
    at: datetime
    tags: Annotated[list[str] | None, Field(exclude_if=unsaid)] = None
    parent: Order | None = None
    from_: Annotated[str, Field(validation_alias="from", serialization_alias="from")] = "here"
    copy_: Annotated[str, Field(validation_alias="copy", serialization_alias="copy")] = "x"
    place: Annotated[tuple[int, str] | None, Field(exclude_if=unsaid)] = None
    more: dict[str, Line] = Field(default_factory=dict)
    lasts: timedelta | None = None


class Bill(BaseModel):
    order: Order
    number: UUID
    paid: bool = False


@workflow
async def anything(ctx: Context, input: Any = None) -> Any:
    raise elsewhere("anything")


@tool(name="ask-anything", schema={"type": "object", "properties": {"not a name": {"type": "string"}}})
async def ask_anything(**arguments: Any) -> Any:
    """Takes what is no parameter of Python."""
    raise elsewhere("ask-anything")


@workflow
async def billing(ctx: Context, input: Order) -> Bill:
    """Bill an order."""
    raise elsewhere("billing")


fast: Final = "function:fast"


@tool(effect="pure")
async def lookup_order(order_id: str) -> Order:
    """Find an order."""
    raise elsewhere("lookup_order")


@tool(effect="irreversible", approval="boss")
async def refund(
    order_id: Annotated[str, Field(description='The order\'s number, as "o-1".')],
    amount: Annotated[int, Field(gt=0, description="In cents.")],
    why: Literal["broken", "late"] = "late",
    when: date | None = None,
) -> Bill | None:
    """Refund an order."""
    raise elsewhere("refund")


@workflow(name="support-desk")
async def support_desk(ctx: Context, input: str) -> str:
    'He said "hi"\\'
    raise elsewhere("support-desk")


@workflow(name="tidy up")
async def tidy_up(ctx: Context) -> None:
    raise elsewhere("tidy up")


@tool
async def weigh(lines: list[Line], *, most: float = 3, of: float | str) -> float:
    """weigh"""
    raise elsewhere("weigh")
