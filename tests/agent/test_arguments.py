"""What models write where arguments belong, and what people write: neither is lost."""

from __future__ import annotations

import pytest

from overwinter import Agent, tool
from overwinter.orchestrator.agent.observations import OBSERVATION_LIMIT

from .driver import Driver, run


@tool
def ping(times: int = 1) -> str:
    """Ping."""
    return "pong " * times


@tool
def look(order_id: str) -> str:
    """Look."""
    return order_id


@pytest.mark.parametrize("written", ["", " ", "null", "None", " null\n", "{}", None])
def test_no_arguments_are_none_whatever_the_model_writes_for_them(written: str | None) -> None:
    driver = Driver(Agent("desk", "scripted:echo", tools=[ping, look]))
    driver.say("m1")
    driver.model(
        [{"id": "c1", "name": "ping", "arguments": written}, {"id": "c2", "name": "look", "arguments": written}]
    )
    assert run(driver.effect("t1.m1.0")) == "pong "
    (observed,) = driver.entries("observed")
    assert observed["call"] == "c2" and "order_id: is missing" in observed["text"]
    driver.tool("t1.m1.0", "pong")
    assert [call.arguments for call in driver.prompt()[1].tool_calls] == ["{}", "{}"]


def test_arguments_that_are_no_object_are_told() -> None:
    driver = Driver(Agent("desk", "scripted:echo", tools=[ping]))
    driver.say("m1")
    driver.model([{"id": "c1", "name": "ping", "arguments": "nothing"}])
    assert "not valid JSON" in driver.entries("observed")[0]["text"]


@pytest.mark.parametrize("content", ["a" * OBSERVATION_LIMIT + "the end", {"page": "a" * OBSERVATION_LIMIT, "z": 1}])
def test_what_a_person_says_is_never_cut(content: object) -> None:
    """A tool's result is, and says so; a person would not know."""
    driver = Driver(Agent("desk", "scripted:echo", input=object))
    driver.say("m1", content)
    (message,) = driver.prompt()
    assert message.content.endswith(("the end", '"z":1}')) and len(message.content) > OBSERVATION_LIMIT
