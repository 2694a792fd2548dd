"""What a turn is about is in the journal. The functions of an agent that are shown it (instructions, routes, rules,
validators) get a copy: what one of them does to that would be in this process only, and gone after a restart."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Agent, Route, Scripted, tool
from overwinter.functions.tools.selection import Selection
from overwinter.orchestrator.protocol.decider import Invoke

from .driver import Driver, run

NEVER = Scripted(["never asked"])
ORDERS: dict[str, Any] = {"orders": [{"id": "7"}]}


@tool
async def lookup(id: str) -> str:
    """Look an order up."""
    return id


@tool
async def refund(id: str) -> str:
    """Refund an order."""
    return id


@pytest.mark.parametrize("input", [Any, dict[str, Any], list[Any]])
def test_what_a_function_does_to_what_it_is_shown_changes_nothing(input: Any) -> None:
    given: Any = ORDERS if input != list[Any] else [ORDERS]
    shown: list[tuple[str, Any]] = []

    def meddle(who: str, content: Any) -> None:
        shown.append((who, str(content)))
        orders = content[0]["orders"] if isinstance(content, list) else content["orders"]
        orders[0]["id"] = "8"
        orders.append("more")

    def instructions(content: Any) -> str:
        meddle("instructions", content)
        return "Be kind."

    def route(question: Any) -> str:
        meddle("route", question.content)
        return "one"

    def rule(content: Any, tools: Any) -> list[str]:
        meddle("rule", content)
        tools.clear()
        return ["lookup"]

    def choose(content: Any) -> str:
        meddle("choice", content)
        return "auto"

    def validate(answer: str, content: Any) -> str:
        meddle("validator", content)
        return answer

    agent = Agent(
        "desk",
        Route({"one": NEVER, "two": NEVER}, by=route),
        instructions,
        [lookup, refund],
        input=input,
        selection=Selection(1, by=rule),
        output_validator=validate,
        tool_choice=choose,
    )
    driver = Driver(agent)
    driver.start(given)
    turn = driver.loop._run.turn
    assert turn is not None
    for _ in range(2):
        agent.request(driver.prompt(), turn.content, "", turn.offered)
    driver.model("done")
    (check,) = driver.open.values()
    assert isinstance(check, Invoke)
    run(check)  # its outcome is lost, and it is made again
    driver.turn([driver.fact(check, run(check))])
    assert {who for who, _ in shown} == {"instructions", "route", "rule", "choice", "validator"}
    assert {content for _, content in shown} == {str(given)}
    assert driver.entries("completed")
