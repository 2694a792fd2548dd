"""``Agent`` is checked when it is made, and says to the model what it should."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from overwinter import Agent, tool
from overwinter.functions.agents.limits import History
from overwinter.functions.framework.target import served
from overwinter.functions.models.port import Message
from overwinter.state.errors import InvalidInput


@tool
def lookup(order_id: str) -> str:
    """Look an order up."""
    return order_id


def plain(city: str) -> str:
    """The weather.

    Args:
        city: Where.
    """
    return city


class Ticket(BaseModel):
    topic: str
    urgent: bool = False


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"name": "help desk"}, "agent name 'help desk'"),
        ({"tools": [lookup, lookup]}, "two tools named 'lookup'"),
        ({"tools": [5]}, "5 is no tool"),
        ({"tools": [Ticket]}, "is no tool"),
        ({"model": " "}, "has no name"),
        ({"model": 5}, "5 is no model"),
        ({"history": "a lot"}, "not a size"),
        ({"history": 0}, "whole number of 1 or more"),
    ],
)
def test_what_can_not_work_is_refused_when_it_is_made(options: Any, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        given: dict[str, Any] = {"name": "desk", "model": "scripted:echo", **options}
        Agent(**given)


def test_plain_functions_become_tools_and_agents_stay_agents() -> None:
    inner = Agent("inner", "scripted:echo")
    agent = Agent("desk", "scripted:echo", tools=[lookup, plain, inner])
    assert agent.tools[0] is served(lookup) and agent.tools[2] is inner
    names = [schema.name for schema in agent.request([]).tools]
    assert names == ["lookup", "plain", "inner"]
    assert agent.request([]).tools[1].parameters["properties"]["city"]["description"] == "Where."


def test_agents_that_share_a_plain_function_share_its_tool() -> None:
    one, two = (Agent(name, "scripted:echo", tools=[plain]) for name in ("one", "two"))
    assert one.tools[0] is two.tools[0] is served(plain)


def test_input_and_messages_are_checked() -> None:
    assert Agent("desk", "scripted:echo").check("hi") == "hi"
    agent = Agent("desk", "scripted:echo", input=Ticket)
    assert agent.check({"topic": "x"}) == {"topic": "x", "urgent": False}
    assert agent.check(Ticket(topic="y", urgent=True)) == {"topic": "y", "urgent": True}
    with pytest.raises(InvalidInput, match="topic: is missing"):
        agent.check({"urgent": True})
    with pytest.raises(InvalidInput, match="valid string"):
        Agent("desk", "scripted:echo").check({"topic": "x"})


def test_instructions_may_be_made_from_what_the_turn_is_about() -> None:
    agent = Agent("desk", "scripted:echo", lambda ticket: f"About {ticket.topic}.", input=Ticket)
    request = agent.request([Message("user", "…")], {"topic": "owls"})
    assert request.messages[0] == Message("system", "About owls.")


def test_no_instructions_means_no_system_message() -> None:
    assert Agent("desk", "scripted:echo").request([Message("user", "hi")]).messages == (Message("user", "hi"),)


def test_a_typed_output_is_asked_for_in_words_and_as_a_schema() -> None:
    request = Agent("desk", "scripted:echo", "Sort it.", output=Ticket).request([])
    assert request.messages[0].content.startswith("Sort it.\n\nWhen you have the final answer")
    assert '"topic"' in request.messages[0].content
    assert request.output is not None and request.output.name == "Ticket"
    number = Agent("desk", "scripted:echo", output=int).request([])
    assert number.output is not None and number.output.schema["properties"] == {"result": {"type": "integer"}}


@pytest.mark.parametrize(
    ("output", "text", "value"),
    [
        (int, "42", 42),
        (list[int], "[1, 2]", [1, 2]),
        (bool, "true", True),
        (str, "as it is", "as it is"),
        (Ticket, '```\n{"topic": "x"}\n```', {"topic": "x", "urgent": False}),
    ],
)
def test_final_answers_of_many_types(output: Any, text: str, value: Any) -> None:
    assert Agent("desk", "scripted:echo", output=output).parse(text) == value


def test_the_window_is_written_as_people_write_it() -> None:
    assert Agent("a", "scripted:echo").window[:2] == (200, 64 * 1024)
    assert Agent("a", "scripted:echo", history="8KB").window[:2] == (200, 8192)
    assert Agent("a", "scripted:echo", history=20).window[:2] == (20, 64 * 1024)
    assert Agent("a", "scripted:echo", history=History(10, "1KB")).window[:2] == (10, 1024)
    assert "model='scripted/echo'" in repr(Agent("a", "scripted:echo"))
