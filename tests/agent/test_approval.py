"""A call that needs an approval waits for a person, bound to its exact arguments. The turn's clock stands still."""

from __future__ import annotations

from typing import Any

from overwinter import Agent, Limits, tool
from overwinter.functions.models.scripted import Scripted

from .driver import Driver, called, run


def above(amount: int, note: str = "") -> str | None:
    return "desk" if amount > 100 else None


@tool(effect="irreversible", approval="refund-desk")
async def refund(amount: int) -> str:
    """Refund."""
    return f"refunded {amount}"


@tool(approval=above, approval_within="1h")
async def give(amount: int, note: str = "") -> str:
    """Give."""
    return f"gave {amount}"


def driver() -> Driver:
    return Driver(Agent("desk", Scripted(["no"]), tools=[refund, give], limits=Limits(time="10s")))


def asked(amount: int = 500) -> tuple[Driver, Any]:
    desk = driver()
    desk.start()
    desk.model([called("refund", amount=amount)])
    return desk, desk.entries("ordered")[0]


def test_a_call_waits_for_its_approval_and_then_runs_with_what_was_approved() -> None:
    desk, order = asked()
    assert desk.decision.status == "waiting" and desk.decision.awaits == "approval refund"
    assert order["kind"] == "approval" and order["role"] == "refund-desk"
    assert (order["what"], order["data"]) == ("refund", {"amount": 500})
    assert order["digest"].startswith("sha256:") and desk.open == {}
    desk.send(
        {"type": "decided", "op": order["op"], "approved": True, "by": "ann", "reason": "", "digest": order["digest"]}
    )
    assert run(desk.effect("t1.m1.0")) == "refunded 500"
    assert desk.effect("t1.m1.0").policy.at_most_once


def test_a_denied_call_is_told_to_the_model() -> None:
    desk, order = asked()
    desk.send({"type": "decided", "op": order["op"], "approved": False, "by": "ann", "reason": "too much"})
    assert desk.prompt()[-1].content == "Error: Denied: the call was denied by ann: too much. It was not carried out."


def test_a_decision_about_other_arguments_or_a_second_one_is_ignored() -> None:
    desk, order = asked()
    desk.send({"type": "decided", "op": order["op"], "approved": True, "by": "x", "reason": "", "digest": "sha256:0"})
    assert desk.entries("decided") == []
    desk.send({"type": "decided", "op": order["op"], "approved": False, "by": "ann", "reason": ""})
    desk.send({"type": "decided", "op": order["op"], "approved": True, "by": "eve", "reason": ""})
    assert len(desk.entries("decided")) == 1 and list(desk.open) == ["t1.m2"]


def test_only_a_plain_yes_is_a_yes() -> None:
    desk, order = asked()
    desk.send({"type": "decided", "op": order["op"], "approved": "no", "by": "x", "reason": ""})
    assert "denied" in desk.prompt()[-1].content


def test_an_approval_expires() -> None:
    desk, order = asked()
    week = 7 * 24 * 3600 * 1000
    assert desk.decision.wake == order["until"] == 1_000 + week
    desk.restart()
    desk.expire(order["until"])
    assert "nobody approved the call in time" in desk.prompt()[-1].content


def test_the_clock_of_the_turn_stands_still_while_a_person_decides() -> None:
    desk, order = asked()
    desk.now = 3_000_000
    desk.restart()
    desk.send({"type": "decided", "op": order["op"], "approved": True, "by": "ann", "reason": ""})
    assert desk.decision.wake == 3_000_000 + 10_000


def test_a_condition_decides_which_calls_need_an_approval() -> None:
    desk = driver()
    desk.start()
    desk.model([called("give", "a", amount=5), called("give", "b", amount=101)])
    assert list(desk.open) == ["t1.m1.0"]
    (order,) = desk.entries("ordered")
    assert (order["op"], order["role"], order["until"]) == ("t1.m1.1", "desk", 1_000 + 3_600_000)
    assert desk.decision.status == "running"


def test_a_condition_that_breaks_lets_nothing_through() -> None:
    @tool(approval=lambda amount: str(1 // 0))
    async def odd(amount: int) -> str:
        """Odd."""
        return "made"

    desk = Driver(Agent("desk", Scripted(["no"]), tools=[odd]))
    desk.start()
    desk.model([called("odd", amount=1)])
    assert "can't be told" in desk.prompt()[-1].content


def test_an_open_approval_survives_restarts_and_a_turn_that_ends_closes_it() -> None:
    desk = driver()
    desk.say("m1")
    desk.model([called("refund", amount=5)])
    desk.restart()
    assert desk.decision.awaits == "approval refund" and desk.open == {}
    desk.send({"type": "cancel", "reason": "", "by": "me"})
    assert desk.decision.status == "cancelled" and len(desk.entries("reply")) == 1
