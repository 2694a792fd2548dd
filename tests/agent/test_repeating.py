"""A turn that goes in circles ends; tools that a model invents are answers that could not be taken."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Agent, InvalidInput, Limits, Scripted, call, tool
from overwinter.state.errors import ExecutionFailed
from overwinter.testing import World, crash_everywhere

from .driver import Driver, called

NEVER = Scripted(["never asked"])


@tool
async def lookup(order_id: str = "", note: str = "") -> str:
    """Look an order up."""
    return order_id


@tool(approval="desk")
async def refund(amount: int) -> str:
    """Refund."""
    return ""


def desk(**limits: Any) -> Driver:
    driver = Driver(Agent("desk", NEVER, tools=[lookup, refund], limits=Limits(**limits)))
    driver.start()
    return driver


def ask(driver: Driver, number: int, outcome: Any, *calls: dict[str, str]) -> None:
    driver.model(list(calls))
    for index in range(len(calls)):
        driver.tool(f"t1.m{number}.{index}", outcome)


def ended(driver: Driver) -> dict[str, Any]:
    (failed,) = driver.entries("failed")
    data: dict[str, Any] = failed["error"]["data"]
    assert failed["error"]["kind"].endswith(".LimitExceeded")
    return data


@pytest.mark.parametrize("outcome", ["pending", OSError("no net")])
def test_the_same_call_with_the_same_outcome_ends_the_turn_the_third_time(outcome: Any) -> None:
    driver = desk()
    ask(driver, 1, outcome, called("lookup", order_id="7", note="x"))
    ask(driver, 2, outcome, called("lookup", note="x", order_id="7"))  # in whatever order the arguments stand
    assert driver.decision.status == "running"
    ask(driver, 3, outcome, called("lookup", order_id="7", note="x"))
    assert ended(driver) == {"limit": "repeats", "used": 3, "allowed": 3}
    assert "'lookup' was called 3 times" in driver.entries("failed")[0]["error"]["message"]


def test_another_argument_or_another_outcome_is_no_repetition() -> None:
    driver = desk(iterations=None)
    for number in range(1, 30):
        ask(driver, number, f"found {number}" if number % 2 else "found", called("lookup", order_id=str(number // 4)))
    assert driver.decision.status == "running"


def test_calls_of_one_answer_count_once() -> None:
    driver = desk()
    same = [called("lookup", id, order_id="7") for id in "abcd"]
    ask(driver, 1, "found", *same)
    ask(driver, 2, "found", *same)
    assert driver.decision.status == "running"
    ask(driver, 3, "found", *same)
    assert ended(driver)["used"] == 3


def test_other_calls_between_do_not_hide_it() -> None:
    driver = desk()
    for number in (1, 3, 5):
        ask(driver, number, "found", called("lookup", order_id="7"))
        if number < 5:
            ask(driver, number + 1, f"found {number}", called("lookup", order_id=str(number)))
    assert ended(driver)["limit"] == "repeats"


def test_a_person_is_not_asked_for_ever() -> None:
    driver = desk()
    for number in range(1, 4):
        driver.model([called("refund", amount=9)])
        driver.send({"type": "decided", "op": f"t1.m{number}.0", "approved": False, "by": "ana", "reason": "no"})
    assert ended(driver)["limit"] == "repeats"


def test_arguments_that_do_not_fit_are_no_better_the_third_time() -> None:
    driver = desk()
    for _ in range(3):
        driver.model([called("refund", amount="much")])
    assert ended(driver)["limit"] == "repeats"


def test_each_turn_counts_anew() -> None:
    driver = Driver(Agent("desk", NEVER, tools=[lookup]))
    for turn in range(1, 5):
        driver.say(f"m{turn}")
        for number in (1, 2):
            driver.model([called("lookup", order_id="7")])
            driver.tool(f"t{turn}.m{number}.0", "found")
        driver.model("done")
    assert [entry.get("value") or entry.get("said") for entry in driver.entries("reply")] and not [
        entry for entry in driver.entries("reply") if "error" in entry
    ]


def test_a_retry_counts_anew_and_none_is_no_limit() -> None:
    driver = desk(repeats=2, iterations=None)
    for number in (1, 2):
        ask(driver, number, "found", called("lookup", order_id="7"))
    assert ended(driver) == {"limit": "repeats", "used": 2, "allowed": 2}
    driver.send({"type": "retry", "by": "ana"})
    assert driver.decision.status == "running"
    ask(driver, 3, "found", called("lookup", order_id="7"))
    assert driver.decision.status == "running"
    driver = desk(repeats=None, iterations=None)
    for number in range(1, 20):
        ask(driver, number, "found", called("lookup", order_id="7"))
    assert driver.decision.status == "running"


def test_tools_that_a_model_invents_are_repairs() -> None:
    driver = desk(repairs=2)
    driver.model([called("search", "a", q="1"), called("browse", "b", q="1"), called("lookup", "c", order_id="7")])
    assert [entry.get("repair") for entry in driver.entries("observed")] == [1, None]
    driver.tool("t1.m1.2", "found")
    driver.model([called("search", q="2")])
    driver.model([called("search", q="3")])
    assert ended(driver)["limit"] == "repairs"
    assert "no tool named 'search'" in driver.entries("failed")[0]["error"]["message"]
    driver.send({"type": "retry", "by": "ana"})
    assert driver.decision.status == "running" and driver.prompt()[-1].role == "tool"
    driver.model("done")
    assert driver.decision.status == "completed"


def test_less_than_two_is_no_repetition() -> None:
    with pytest.raises(InvalidInput, match="repeats"):
        Limits(repeats=1)


async def talked(world: World) -> str:
    try:
        return str(await (await world.start(circling, "go", id="r")).result())
    except ExecutionFailed as error:
        return str(error.cause)


circling = Agent("circling", Scripted({".*": call("lookup", order_id="7")}), tools=[lookup])


def test_it_ends_the_same_after_a_crash_at_every_transition() -> None:
    crash_everywhere(talked, functions=[circling])
