"""Agents and workflows as tools run as attached child executions, and end with the turn that started them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from overwinter import Agent, Limits
from overwinter.functions.models.scripted import Scripted
from overwinter.state.errors import StepFailed

from .driver import Driver, called


class Question(BaseModel):
    topic: str
    depth: int = 1


billing = Agent("billing", Scripted(["paid"]), description="Knows invoices.")
research = Agent("research", Scripted(["found"]), input=Question)
desk = Agent("desk", Scripted(["no"]), tools=[billing, research], limits=Limits(time="10s"))


def started(name: str = "billing", **arguments: Any) -> Driver:
    driver = Driver(desk)
    driver.start()
    driver.model([called(name, **(arguments or {"input": "Who paid?"}))])
    return driver


def test_an_agent_is_started_as_a_child_and_recorded_before_it_is_sent() -> None:
    driver = started()
    (spawn,) = driver.spawned()
    assert tuple(spawn)[:5] == ("t1.m1.0", "desk/1/t1.m1.0", "billing", "Who paid?", False)
    (order,) = driver.entries("ordered")
    assert (order["kind"], order["id"], order["detached"], order["input"]) == ("child", spawn.id, False, "Who paid?")
    assert driver.decision.status == "waiting" and driver.decision.awaits == "child desk/1/t1.m1.0"


def test_a_child_is_sent_again_until_it_is_confirmed() -> None:
    driver = started()
    driver.restart()
    (spawn,) = driver.spawned()
    driver.turn([{"type": "sent", "op": spawn.op}])
    driver.restart()
    assert driver.open == {}
    before = list(driver.journal)
    driver.turn([{"type": "sent", "op": spawn.op}])
    assert driver.journal == before


def test_the_result_of_a_child_is_read_by_the_model_once() -> None:
    driver = started()
    child = {"type": "child", "id": "desk/1/t1.m1.0", "status": "completed", "value": "Ann"}
    driver.turn([{"type": "sent", "op": "t1.m1.0"}])
    driver.send(child)
    driver.send(child)
    assert len(driver.entries("child")) == 1
    assert driver.prompt()[-1].content == "Ann"


def test_a_child_may_end_before_its_start_is_confirmed() -> None:
    driver = started()
    driver.send({"type": "child", "id": "desk/1/t1.m1.0", "status": "completed", "value": "Ann"})
    driver.open = {}
    driver.restart()
    assert list(driver.open) == ["t1.m2"]


def test_a_child_that_failed_is_told_to_the_model() -> None:
    driver = started()
    error = {"kind": f"{StepFailed.__module__}.StepFailed", "message": "no books"}
    driver.send({"type": "child", "id": "desk/1/t1.m1.0", "status": "failed", "error": error})
    assert driver.prompt()[-1].content == "Error: StepFailed: no books"


def test_an_input_type_with_fields_gives_the_parameters() -> None:
    tool = desk.find("research")
    assert tool is not None
    assert set(tool.parameters["properties"]) == {"topic", "depth"}
    assert started("research", topic="owls").spawned()[0].input == {"topic": "owls", "depth": 1}
    assert "topic: is missing" in started("research", depth=2).entries("observed")[0]["text"]
    billed = desk.find("billing")
    assert billed is not None and billed.description == "Knows invoices."
    assert billed.parameters["required"] == ["input"]
    assert "takes one parameter" in started("billing", question="x").entries("observed")[0]["text"]


def test_cancel_and_the_time_limit_end_the_children() -> None:
    for end in ("cancel", "time"):
        driver = started()
        driver.turn([{"type": "sent", "op": "t1.m1.0"}])
        driver.now += 20_000
        if end == "cancel":
            driver.send({"type": "cancel", "reason": "", "by": "me"})
        else:
            driver.expire(driver.now)
        (post,) = driver.posts()
        assert (post.id, post.fact["type"]) == ("desk/1/t1.m1.0", "cancel")
        driver.restart()
        assert driver.posts() == [post]


def test_a_session_tells_a_child_to_end_until_that_is_confirmed() -> None:
    driver = Driver(desk)
    driver.say("m1")
    driver.model([called("billing", input="?")])
    driver.expire(20_000)
    assert driver.decision.status == "idle"
    (post,) = driver.posts()
    assert driver.spawned() == []  # what was not sent yet need not be
    driver.turn([{"type": "sent", "op": post.op}])
    driver.restart()
    assert driver.open == {}
