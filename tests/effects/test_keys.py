"""The idempotency key reaches the other side by declaration."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Agent, Context, InvalidInput, Scripted, call, tool, workflow
from overwinter.functions.events.addressed import call as ordered
from overwinter.functions.tools.tool import Tool
from overwinter.functions.toolset import OpenAPI
from overwinter.orchestrator.usercode.served import served
from overwinter.testing import World, crash_everywhere

from .bank import ran

SEEN: list[tuple[str, str]] = []


@tool(key="request")
async def charge(order: str, request: str = "none") -> str:
    """Charge an order.

    Args:
        order: Which.
        request: Whose.
    """
    SEEN.append((order, request))
    return f"{order} under {request}"


@tool(key="request")
def charge_in_thread(order: str, request: str = "") -> str:
    """Charge an order."""
    return f"{order} under {request}"


@workflow
async def charges(ctx: Context, order: str) -> list[str]:
    return [await ctx.step(charge, order), await ctx.step(charge_in_thread, order=order)]


def test_a_model_does_not_see_it() -> None:
    for function in (charge, charge_in_thread):
        one: Any = served(function)
        assert list(one.parameters["properties"]) == ["order"]
        with pytest.raises(InvalidInput, match="there is no such parameter"):
            one.check({"order": "o", "request": "mine"})


def test_the_function_is_given_it_and_may_be_called_by_hand() -> None:
    assert ran(charges, "o") == ["o under x/0", "o under x/1"]
    assert charge_in_thread("o", "k") == "o under k"


def test_it_is_the_same_wherever_the_process_dies() -> None:
    async def scenario(world: World) -> Any:
        return await (await world.start(charges, "o", id="x")).result()

    SEEN.clear()
    crash_everywhere(scenario, functions=[charges])
    assert set(SEEN) == {("o", "x/0")} and len(SEEN) > 1


def test_so_is_an_agents() -> None:
    script = Scripted(lambda messages, tools: call("charge", order="o") if len(messages) == 1 else messages[-1].content)
    desk = Agent("desk", script, tools=[charge])
    assert ran(desk, "charge o") == "o under x/t1.m1.0"


def test_with_a_schema_of_its_own_too() -> None:
    def remote(**given: Any) -> Any:
        return given

    schema = {"properties": {"a": {"type": "integer"}, "token": {"type": "string"}}, "required": ["a", "token"]}
    made = Tool(remote, name="remote", schema=schema, key="token")
    assert made.parameters["properties"] == {"a": {"type": "integer"}} and made.parameters["required"] == ["a"]
    assert made.invoke({"a": 1}) == {"a": 1}  # by hand: there is no key
    with pytest.raises(InvalidInput, match="names no property"):
        Tool(remote, name="remote", schema=schema, key="nothing")


def test_a_key_that_nobody_takes_is_refused() -> None:
    with pytest.raises(InvalidInput, match="key='nothing' names no parameter of 'plain'"):

        @tool(key="nothing")
        def plain(order: str) -> str:
            return order


def test_another_tool_made_of_it_has_it_too() -> None:
    one: Any = served(charge)
    assert list(one.but(name="other").parameters["properties"]) == ["order"]


def test_it_is_an_attribute_of_the_event_by_which_a_call_goes() -> None:
    event = ordered("pay", {"call": {"key": "x/0", "mark": "m", "caller": "w"}, "input": {}}, 1, "here")
    assert event.extensions["idempotencykey"] == "x/0"


def test_the_header_of_a_service_may_have_another_name() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "shop", "version": "1"},
        "servers": [{"url": "http://127.0.0.1:9"}],
        "paths": {"/orders": {"post": {"operationId": "order"}}},
    }
    (one,) = OpenAPI(document, key_header="X-Request-Id").tools()
    caller: Any = one.function
    from overwinter.orchestrator.engine import performing

    token = performing._current.set(performing.CallInfo("x", "0", 1, "x/0"))  # pyright: ignore[reportPrivateUsage]
    try:
        request = caller._request({})
    finally:
        performing._current.reset(token)  # pyright: ignore[reportPrivateUsage]
    assert request["headers"]["X-Request-Id"] == "x/0" and "Idempotency-Key" not in request["headers"]
