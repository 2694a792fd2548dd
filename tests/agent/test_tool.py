"""``@tool``: the schema comes from hints and docstring, arguments are checked readably, the function stays plain."""

from __future__ import annotations

import asyncio
import random
import types
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from overwinter import Retry, tool
from overwinter.functions.agents.agent import MODEL_RETRY
from overwinter.functions.framework.target import served
from overwinter.functions.tools.tool import Tool
from overwinter.state.errors import InvalidInput


class Line(BaseModel):
    sku: str
    count: int = 1


@dataclass
class Place:
    street: str


@tool
def order(
    customer: str,
    lines: list[Line],
    to: Place | None = None,
    speed: Literal["slow", "fast"] = "slow",
    limit: Annotated[int, Field(ge=1, description="At most this many.")] = 5,
) -> str:
    """Place an order.

    It is shipped the same day.

    Args:
        customer: Who
            orders.
        lines (list): What is ordered.

    Returns:
        The order's number.
    """
    return f"{customer}:{[type(line).__name__ for line in lines]}:{type(to).__name__}:{speed}:{limit}"


def of(function: Any) -> Tool:
    found = served(function)
    assert isinstance(found, Tool)
    return found


def test_the_schema_says_what_the_signature_and_docstring_say() -> None:
    schema = of(order).parameters
    assert of(order).description == "Place an order.\n\nIt is shipped the same day."
    assert schema["required"] == ["customer", "lines"] and schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["customer"] == {"description": "Who orders.", "type": "string"}
    assert properties["lines"]["description"] == "What is ordered."
    assert properties["speed"] == {"enum": ["slow", "fast"], "type": "string", "default": "slow"}
    assert properties["limit"]["description"] == "At most this many." and properties["limit"]["default"] == 5


def test_a_tool_without_parameters_has_an_empty_object() -> None:
    @tool
    def ping() -> None: ...

    assert of(ping).parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert of(ping).description == "ping"
    of(ping).check({})


def test_a_call_gets_what_its_annotations_say() -> None:
    arguments = {"customer": "ann", "lines": [{"sku": "x"}], "to": {"street": "y"}, "limit": "7"}
    assert of(order).invoke(arguments) == "ann:['Line']:Place:slow:7"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"customer": "a"}, "lines: is missing"),
        ({"customer": "a", "lines": [{}]}, "lines.0.sku: is missing"),
        ({"customer": 1, "lines": []}, "customer: input should be a valid string, not 1"),
        ({"customer": "a", "lines": [], "sped": 1}, "sped: there is no such parameter; there are customer, lines"),
        ({"customer": "a", "lines": [], "speed": "now"}, "speed: input should be 'slow' or 'fast', not 'now'"),
        ({"customer": "a", "lines": [], "limit": 0}, "limit: input should be greater than or equal to 1, not 0"),
        ({"customer": "a", "lines": "x" * 500}, "…"),
    ],
)
def test_wrong_arguments_are_named(arguments: Any, complaint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        of(order).check(arguments)
    assert complaint in str(caught.value) and len(str(caught.value)) < 300


def test_the_decorated_function_stays_a_plain_one() -> None:
    assert isinstance(order, types.FunctionType)
    assert order("ann", [Line(sku="x")], limit=2) == "ann:['Line']:NoneType:slow:2"
    assert of(order).threaded and of(order).kind == "tool"


def test_an_async_function_is_awaited_and_not_threaded() -> None:
    @tool(name="wait-a-bit", description="Waits.")
    async def wait(seconds: Decimal) -> Decimal:
        return seconds * 2

    assert (of(wait).name, of(wait).description, of(wait).threaded) == ("wait-a-bit", "Waits.", False)
    assert of(wait).output is Decimal or of(wait).output == "Decimal"
    assert asyncio.run(of(wait).invoke({"seconds": "1.5"})) == Decimal("3.0")


def test_types_may_be_defined_after_the_tool() -> None:
    assert of(late).parameters["properties"]["thing"] == {"$ref": "#/$defs/Later"}


@tool
def late(thing: Later) -> None: ...


class Later(BaseModel):
    name: str


def test_an_irreversible_tool_is_attempted_once_and_recorded_before() -> None:
    @tool(effect="irreversible")
    async def send(to: str) -> None: ...

    assert of(send).policy.at_most_once and of(send).policy.retry.attempts == 1
    assert not of(order).policy.at_most_once and of(order).effect == "idempotent"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"name": "look up"}, "'look up' must be 1 to 64"),
        ({"name": "x" * 65}, "must be 1 to 64"),
        ({"effect": "dangerous"}, "it is one of pure, idempotent, reconcilable, irreversible"),
        ({"effect": "irreversible", "retry": Retry(attempts=3)}, "attempted once"),
        ({"name": "x", "approval": ""}, "is '', and no role"),
        ({"name": "x", "approval": 5}, "is 5, and no role"),
        ({"name": "x", "approval": True}, "is True, and no role"),
    ],
)
def test_what_can_not_be_is_refused_at_once(options: Any, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        tool(**options)(lambda: None)


@pytest.mark.parametrize("given", [5, True, False, "", " ", ["desk"], object])
def test_an_approval_that_names_nobody_is_refused_by_name(given: Any) -> None:
    @tool(approval=lambda cents: given)
    def refund(cents: int) -> None: ...

    with pytest.raises(InvalidInput, match=r"what approval= of 'refund' returned is .*, and no role"):
        of(refund).role({"cents": 1})


def test_the_schedules_of_attempts_are_as_the_pages_say() -> None:
    """docs/agents.md for model calls, docs/operations.md for steps: how long after the first each attempt is made."""

    class Least(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return a

    class Most(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    for retry, attempts, (soonest, latest) in ((MODEL_RETRY, 10, (20 * 60, 42 * 60)), (Retry(), 5, (8, 20))):
        assert retry.attempts == attempts
        for draw in (Least(), Most()):
            pauses = [retry.pause(failed, ConnectionError(), draw) for failed in range(1, attempts)]
            assert soonest <= sum(pauses) <= latest
            if retry is MODEL_RETRY:
                assert sum(pauses[:5]) <= 180 < sum(pauses[:6]) and max(pauses) <= 600


def test_parameters_without_a_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="by keyword"):

        @tool
        def gather(*things: str) -> None: ...
