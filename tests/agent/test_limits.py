"""At a limit a run fails and a session stays usable; both name the limit, what was used and what was allowed."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Agent, Limits, tool
from overwinter.functions.models.scripted import Scripted
from overwinter.orchestrator.errors.failures import decode
from overwinter.state.errors import LimitExceeded

from .driver import Driver, called

MODEL = Scripted(["never asked"])


@tool
async def lookup(order_id: str) -> str:
    """Look an order up."""
    return order_id


def driver(**limits: Any) -> Driver:
    return Driver(Agent("desk", MODEL, tools=[lookup], limits=Limits(**limits)))


def look(run: Driver) -> Any:
    return run.model([called("lookup", order_id="1")])


def error_of(run: Driver) -> Any:
    entry = run.entries()[-1]
    error = decode(entry["error"])
    assert isinstance(error, LimitExceeded)
    return error


@pytest.mark.parametrize(
    ("limits", "limit", "used", "allowed"),
    [
        ({"iterations": 2}, "iterations", 2, 2),
        ({"cost": "0.02"}, "cost", "0.02", "0.02"),
    ],
)
def test_a_limit_fails_the_run_before_calls_whose_results_nobody_would_read(
    limits: Any, limit: str, used: Any, allowed: Any
) -> None:
    run = driver(**limits)
    run.start()
    look(run)
    run.tool("t1.m1.0", "found")
    decision = look(run)
    assert decision.status == "failed" and decision.perform == []
    error = error_of(run)
    assert (error.limit, error.used, error.allowed) == (limit, used, allowed)


def test_so_does_an_answer_that_took_more_than_was_held() -> None:
    run = driver(tokens=100)
    run.start()
    decision = run.model({"tool_calls": [called("lookup", order_id="1")], "usage": {"input": 110, "output": 5}})
    assert decision.status == "failed" and decision.perform == []
    assert (error_of(run).limit, error_of(run).used, error_of(run).allowed) == ("tokens", 115, 100)


def test_an_answer_that_reaches_the_limit_is_still_an_answer() -> None:
    run = driver(tokens=100)
    run.start()
    assert run.model({"text": "dear", "usage": {"input": 95, "output": 5}}).status == "completed"


def test_limits_hold_for_each_message_of_a_session() -> None:
    run = driver(iterations=1)
    run.say("m1")
    assert look(run).status == "idle"
    assert error_of(run).limit == "iterations"
    run.say("m2")
    run.model("short")
    assert run.entries("reply")[-1]["value"] == "short"


def test_malformed_answers_use_up_iterations() -> None:
    run = driver(iterations=3)
    run.start()
    for _ in range(3):
        run.model("")
    assert error_of(run).limit == "iterations"


def test_the_time_is_a_timer_that_abandons_what_is_open() -> None:
    run = driver(time="10s")
    assert run.start().wake == 11_000
    look(run)
    decision = run.expire(11_000)
    assert decision.status == "failed" and decision.abandon == ["t1.m1.0"]
    assert error_of(run).limit == "time"
    assert [entry["op"] for entry in run.entries("timer")] == ["t1.time"]


def test_the_time_of_a_turn_begins_when_its_message_is_taken_up() -> None:
    """A message may have waited in the mailbox for days."""
    run = driver(time="10s")
    run.now = 500_000
    run.loop.expire(run.now)
    assert run.send({"type": "message", "id": "m1", "content": "", "at": 3}).wake == 510_000
    run.restart()
    assert run.decision.wake == 510_000


def test_a_timer_that_comes_after_the_answer_is_ignored() -> None:
    run = driver(time="10s")
    run.say("m1")
    run.model("done")
    before = list(run.journal)
    run.turn([{"type": "timer", "op": "t1.time"}])
    assert run.journal == before and run.loop.expire(99_000) == []


def test_a_cost_nobody_knows_is_not_held_against_a_limit() -> None:
    run = driver(cost="1")
    run.start()
    run.model({"tool_calls": [called("lookup", order_id="1")], "usage": {"input": 1, "output": 1}, "cost": None})
    assert "limit tokens instead" in str(error_of(run))


def test_retry_grants_a_fresh_allowance() -> None:
    run = driver(iterations=1)
    run.start()
    look(run)
    run.journal.append('{"type":"retry","by":"me","at":5000}')
    run.restart()
    assert list(run.open) == ["t1.m1.0"]
    run.tool("t1.m1.0", "found")
    assert run.model("done").status == "completed"


def test_retry_after_the_time_ran_out_starts_the_clock_again() -> None:
    run = driver(time="10s")
    run.start()
    run.expire(11_000)
    run.now = 70_000
    run.journal.append('{"type":"retry","by":"me","at":70000}')
    run.restart()
    assert run.decision.wake == 80_000
    assert list(run.open) == ["t1.m1"]


def test_no_limits_means_none() -> None:
    run = driver(iterations=None, repeats=None)
    run.start()
    for _ in range(30):
        look(run)
        (op,) = run.open
        run.tool(op, "found")
    assert run.model("at last").status == "completed"
