"""What a server suggests to try works as it stands: the agent with the most tools, inputs that are accepted."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from annotated_types import Predicate
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    WrapValidator,
    model_validator,
)

from overwinter import Agent, Context, schedule, subscribe, tool, workflow
from overwinter.cli.announcing import beginnings, suggestions
from overwinter.cli.view.example import words
from overwinter.functions.framework.target import served
from overwinter.functions.invocation.loading import reachable
from overwinter.functions.webhook import GitHub, webhook


class Ticket(BaseModel):
    id: UUID
    kind: Literal["billing", "technical"]
    cents: int = Field(gt=99, multiple_of=50)
    note: str = "none"
    day: date | None


@dataclass
class Crate:
    items: list[Ticket]
    weight: Decimal


class Nested(BaseModel):
    inner: Nested


def order_id(text: str) -> str:
    if not text.startswith("o-"):
        raise ValueError("an order's id begins with o-")
    return text


def flow(input_type: Any) -> Any:
    async def work(ctx: Context, input: Any) -> None: ...

    work.__annotations__["input"] = input_type
    return served(workflow(work))


@pytest.mark.parametrize(
    "input_type",
    [str, int, bool, float, Ticket, Crate, list[int], dict[str, int], tuple[int, str], Literal["a", "b"], str | None,
     Annotated[int, Field(ge=10, le=12)], Annotated[float, Field(lt=0)], Annotated[list[int], Field(min_length=3)],
     Annotated[int, Field(ge=10, multiple_of=7)], Annotated[set[int], Field(min_length=1)],
     Annotated[str, Field(min_length=9)], Annotated[str, Field(max_length=2)], Annotated[str, Field(examples=["12"])]],
)  # fmt: skip
def test_an_input_is_made_that_the_workflow_accepts(input_type: Any) -> None:
    function = flow(input_type)
    text = words(function)
    assert text is not None
    (word,) = shlex.split(text) or [""]
    try:
        value = json.loads(word)
    except ValueError:
        value = word
    function.check(value)


@pytest.mark.parametrize(
    "input_type",
    [Any, Annotated[str, Field(pattern="^x{7}$")], Annotated[str, AfterValidator(order_id)], Nested, Callable[[], int],
     Annotated[int, Field(ge=1, le=5, multiple_of=7)], Annotated[set[int], Field(min_length=2)],
     Annotated[dict[str, int], Field(min_length=1)], Annotated[str, Predicate(str.isdigit)]],
)  # fmt: skip
def test_no_input_is_made_up_where_none_can_be(input_type: Any) -> None:
    assert words(flow(input_type)) is None


def refuse(given: object = None) -> Any:
    raise Ran(given)


class Ran(BaseException):
    """Code of the user's was run for a hint."""


class Checked(BaseModel):
    country: Annotated[int, AfterValidator(refuse)]


class Whole(BaseModel):
    country: int

    @model_validator(mode="before")
    @classmethod
    def check(cls, given: object) -> Any:
        return refuse(given)


class Wrapped(BaseModel):
    items: list[Annotated[int, WrapValidator(lambda given, handler: refuse(given))]]


class Made(BaseModel):
    country: int

    def model_post_init(self, context: Any, /) -> None:
        refuse()


@dataclass
class Posted:
    country: int

    def __post_init__(self) -> None:
        refuse()


class Odd:
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return refuse(source)


class Defaulted(BaseModel):
    country: int = Field(default_factory=refuse)


def takes(country: Annotated[int, BeforeValidator(refuse)]) -> None: ...


@pytest.mark.parametrize("input_type", [Checked, Whole, Wrapped, Made, Posted, Odd, Checked | None, dict[str, Checked]])
def test_no_code_of_the_users_is_run_for_a_hint(input_type: Any) -> None:
    assert words(flow(input_type)) is None
    assert words(Agent("talks", "scripted:echo", input=input_type)) is None


def test_nor_that_of_a_tool_or_of_a_default() -> None:
    assert words(served(tool(takes))) is None
    assert words(flow(Defaulted)) == " '{}'"


def test_a_workflow_without_input_needs_none() -> None:
    @workflow
    async def alone(ctx: Context) -> None: ...

    assert words(served(alone)) == ""


@tool
def look(order_id: str) -> str:
    """Look."""
    return order_id


@tool(effect="irreversible")
def pay(cents: int) -> str:
    """Pay."""
    return str(cents)


def commands(*things: Any) -> list[str]:
    return [command for command, _ in suggestions(reachable(things), "http://127.0.0.1:8080", token=False)]


def test_the_agent_with_the_most_tools_and_the_last_workflow_are_suggested() -> None:
    few, many = Agent("few", "scripted:echo"), Agent("many", "scripted:echo", tools=[look, pay])
    another = Agent("another", "scripted:echo", tools=[look])
    assert commands(few, many, another, flow(Ticket), look) == [
        "overwinter invoke many --session me Hello",
        'overwinter invoke work \'{"id": "00000000-0000-4000-8000-000000000000", "kind": "billing", "cents": 100, '
        '"day": "2026-01-31"}\'',
        "overwinter ps",
    ]


def test_what_can_not_be_tried_is_not_suggested() -> None:
    assert commands(pay) == ["overwinter ps"]
    assert commands(flow(Any), look) == ['overwinter invoke look \'{"order_id": "Hello"}\'', "overwinter ps"]


def test_what_begins_functions_is_told() -> None:
    """Each webhook, schedule and subscription in one line."""
    made = flow(str)
    webhook("/hooks/till", verify=GitHub(secret="env:TILL_SECRET"))(made)
    schedule("0 7 * * MON-FRI", zone="Europe/Berlin", input="all")(made)
    schedule(every="90m", name="often", input="all")(made)
    subscribe(type="order.paid", source=["/a", "/b"], name="paid")(made)
    assert beginnings({"work": made}) == [
        ("webhook", "/hooks/till", "work", "GitHub"),
        ("schedule", "often", "work", "every 1h30m"),
        ("schedule", "work", "work", "0 7 * * MON-FRI Europe/Berlin"),
        (
            "event",
            "paid",
            "work",
            'type order.paid and {"any": [{"exact": {"source": "/a"}}, {"exact": {"source": "/b"}}]}',
        ),
    ]
    assert beginnings({"bare": flow(str)}) == []
