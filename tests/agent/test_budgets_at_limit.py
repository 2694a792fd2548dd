"""What follows at the limit: stop with what is there, a cheaper model, or somebody is asked for more. A soft limit is
told of once, and the model is told what is left."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Agent, Approval, Limits, Scripted, tool
from overwinter.functions.agents.budget import Ask, Budget, Cheaper
from overwinter.orchestrator.errors.failures import decode
from overwinter.state.errors import InvalidInput, LimitExceeded

from .driver import Driver, called

MODEL = Scripted(["never asked"])


@tool
async def lookup(order_id: str) -> str:
    """Look an order up."""
    return order_id


def driver(*budgets: Budget, **given: Any) -> Driver:
    return Driver(Agent("desk", MODEL, tools=[lookup], budgets=budgets, **given))


def look(run: Driver, *ids: str, tokens: int = 100, text: str = "") -> Any:
    calls = [called("lookup", f"c{id}", order_id=id) for id in ids or ("1",)]
    return run.model({"text": text, "tool_calls": calls, "usage": {"input": tokens, "output": 0}, "cost": "0.10"})


def found(run: Driver) -> None:
    for op in [op for op, effect in run.open.items() if getattr(effect, "report", "") == "tool"]:
        run.tool(op, f"found {op}")


def error_of(run: Driver) -> Any:
    error = decode(run.entries()[-1]["error"])
    assert isinstance(error, LimitExceeded)
    return error


def asked_for(run: Driver) -> list[Any]:
    return [entry for entry in run.entries("ordered") if entry["kind"] == "approval"]


# -- stop ----------------------------------------------------------------------------------------------


def test_it_stops_with_what_is_there_so_far() -> None:
    run = driver(Budget("run", tokens=300))
    run.start()
    look(run, tokens=250, text="The order is on its way.")
    found(run)
    error = error_of(run)
    data = run.entries("failed")[0]["error"]["data"]
    assert (error.limit, error.used, error.allowed) == ("tokens", 250, 300)
    assert (data["so_far"], data["per"]) == ("The order is on its way.", "run")
    assert "the budget for this run" in str(error)


@pytest.mark.parametrize(
    ("unit", "budget"), [("iterations", Budget("run", iterations=2)), ("model_calls", Budget("run", model_calls=2))]
)
def test_answers_are_counted(unit: str, budget: Budget) -> None:
    run = driver(budget)
    run.start()
    for _ in range(2):
        look(run)
        found(run)
    error = error_of(run)
    assert (error.limit, error.used, error.allowed) == (unit, 2, 2)


def test_a_session_may_take_no_more_in_all_its_answers() -> None:
    run = driver(Budget("session", tokens=1_000))
    for number in range(2):
        run.say(f"m{number}")
        run.model({"text": "well", "usage": {"input": 480, "output": 0}, "cost": "0"})
    run.restart()
    run.say("m9")
    reply = run.entries("reply")[-1]
    assert reply["error"]["data"] == {"limit": "tokens", "used": 960, "allowed": 1_000, "per": "session"}


def test_retry_grants_a_run_as_much_again_and_a_session_nothing() -> None:
    for of, status in (("run", "running"), ("session", "failed")):
        run = driver(Budget(of, tokens=300))
        run.start()
        look(run, tokens=250)
        found(run)
        assert run.decision.status == "failed"
        run.journal.append('{"type":"retry","by":"me","at":5000}')
        run.restart()
        assert run.decision.status == status, of


def test_calls_of_tools_are_counted_before_any_of_an_answer_is_made() -> None:
    run = driver(Budget("run", tool_calls=3))
    run.start()
    look(run, "1", "2")
    found(run)
    decision = look(run, "3", "4")
    assert decision.perform == [] and decision.status == "failed"
    error = error_of(run)
    assert (error.limit, error.used, error.allowed) == ("tool_calls", 2, 3) and "asks for 2 more" in str(error)


def test_calls_that_were_never_made_use_up_nothing() -> None:
    run = driver(Budget("session", tool_calls=3))
    run.say("m1")
    look(run, "1", "2")
    found(run)
    look(run, "3", "4")
    run.say("m2")
    look(run, "5")
    found(run)
    run.model("there")
    assert run.entries("reply")[-1]["value"] == "there"
    run.restart()
    run.say("m3")
    look(run, "6")
    assert run.entries("reply")[-1]["error"]["data"]["used"] == 3


def test_calls_that_a_turn_leaves_open_are_counted() -> None:
    run = driver(Budget("session", tool_calls=3), limits=Limits(time="1m"))
    run.say("m1")
    look(run, "1", "2")
    run.now = 90_000
    run.expire(run.now)
    assert run.entries("reply")[-1]["lost"] == {"tool_calls": 2}
    run.restart()
    run.say("m2")
    look(run, "3", "4")
    assert run.entries("reply")[-1]["error"]["data"]["used"] == 2


def test_time_is_that_of_the_calls() -> None:
    run = driver(Budget("session", time="1s"))
    run.say("m1")
    run.model({"text": "slow", "usage": {}, "cost": "0"}, ms=700)
    run.restart()
    run.say("m2")
    run.model({"tool_calls": [called("lookup", order_id="1")], "usage": {}, "cost": "0"}, ms=100)
    run.tool("t2.m1.0", "found", ms=250)
    assert run.entries("reply")[-1]["error"]["data"] == {
        "limit": "time",
        "used": 1_050,
        "allowed": 1_000,
        "per": "session",
    }


def test_what_no_budget_names_is_not_counted() -> None:
    run = driver(Budget("session", tokens=100_000))
    run.say("m1")
    look(run)
    found(run)
    run.model("done", ms=70)
    assert "beside" not in run.loop._run.thread.used.record()


# -- a cheaper model -----------------------------------------------------------------------------------


def test_from_a_share_on_the_cheaper_model_is_asked_and_at_the_limit_none() -> None:
    budget = Budget("session", tokens=1_000, at_limit=Cheaper("scripted:echo", share=0.5))
    run = driver(budget)
    run.say("m1")
    look(run, tokens=600)
    assert not run.entries("routed")
    found(run)
    (routed,) = run.entries("routed")
    assert (routed["name"], routed["op"]) == ("scripted/echo", "t1.m2") and "60% of the budget" in routed["why"]
    assert run.effect("t1.m2").name == "scripted/echo"
    look(run, "2", tokens=380)
    found(run)
    assert run.entries("reply")[-1]["error"]["data"]["limit"] == "tokens"


# -- ask -----------------------------------------------------------------------------------------------

MORE = Budget("session", tokens=500, at_limit=Ask("finance", tokens=400))


def asking(budget: Budget = MORE) -> Driver:
    run = driver(budget)
    run.say("m1")
    look(run, tokens=450)
    found(run)
    return run


def test_somebody_is_asked_for_more_and_the_turn_waits() -> None:
    run = asking()
    (asked,) = asked_for(run)
    assert (asked["role"], asked["what"]) == ("finance", "desk budget")
    data = asked["data"]
    assert (data["used"], data["allowed"], data["more"]) == ({"tokens": 450}, {"tokens": 500}, {"tokens": 400})
    assert run.decision.status == "waiting" and not run.open
    run.restart()
    assert run.decision.status == "waiting" and not run.open


def test_with_more_it_goes_on_and_a_session_keeps_it_over_messages_and_restarts() -> None:
    run = asking()
    run.send({"type": "decided", "op": "t1.m2.more1", "approved": True, "by": "ada"})
    assert list(run.open) == ["t1.m2"]
    run.model({"text": "well", "usage": {"input": 100, "output": 0}, "cost": "0"})
    run.restart()
    run.say("m2")
    assert list(run.open) == ["t2.m1"] and len(asked_for(run)) == 1
    run.model({"text": "well", "usage": {"input": 320, "output": 0}, "cost": "0"})
    run.say("m3")
    assert asked_for(run)[-1]["data"]["allowed"] == {"tokens": 900}


def test_what_was_denied_ends_the_turn_and_is_asked_again_for_the_next() -> None:
    run = asking()
    run.send({"type": "decided", "op": "t1.m2.more1", "approved": False, "by": "ada"})
    assert "nobody has granted more" in run.entries("reply")[-1]["error"]["message"]
    run.say("m2")
    assert [asked["op"] for asked in asked_for(run)] == ["t1.m2.more1", "t2.m1.more1"]


def test_what_nobody_decides_is_denied_in_the_end() -> None:
    run = asking()
    until = asked_for(run)[0]["until"]
    run.now = until
    run.expire(until)
    assert "nobody has granted more" in run.entries("reply")[-1]["error"]["message"]


def test_a_decision_about_something_else_changes_nothing() -> None:
    run = asking()
    run.send({"type": "decided", "op": "t1.m2.more1", "approved": True, "by": "ada", "digest": "of something else"})
    assert run.decision.status == "waiting" and not run.open


def test_who_tries_a_denied_run_again_asks_again() -> None:
    run = driver(MORE)
    run.start()
    look(run, tokens=450)
    found(run)
    run.send({"type": "decided", "op": "t1.m2.more1", "approved": False, "by": "ada"})
    assert run.decision.status == "failed"
    run.journal.append('{"type":"retry","by":"me","at":5000}')
    run.restart()
    assert [asked["op"] for asked in asked_for(run)] == ["t1.m2.more1", "t1.m2.more2"]
    run.send({"type": "decided", "op": "t1.m2.more2", "approved": True, "by": "ada"})
    assert run.model("there").status == "completed"


def test_several_may_have_to_approve() -> None:
    rule = Approval("finance", by=2)
    run = asking(Budget("session", tokens=500, at_limit=Ask(rule, tokens=400)))
    run.send({"type": "decided", "op": "t1.m2.more1", "approved": True, "by": "ada"})
    assert not run.open
    run.send({"type": "decided", "op": "t1.m2.more1", "approved": True, "by": "bob"})
    assert list(run.open) == ["t1.m2"]


@pytest.mark.parametrize("approved", [True, False])
def test_more_calls_of_tools_are_asked_for_before_they_are_made(approved: bool) -> None:
    run = driver(Budget("run", tool_calls=1, at_limit=Ask("lead", tool_calls=5)))
    run.start()
    assert look(run, "1", "2").perform == [] and run.decision.status == "waiting"
    run.restart()
    assert not run.open and len(asked_for(run)) == 1
    run.send({"type": "decided", "op": "t1.m2.more1", "approved": approved, "by": "ada"})
    assert sorted(run.open) == (["t1.m1.0", "t1.m1.1"] if approved else [])
    assert run.decision.status == ("running" if approved else "failed")


# -- before the limit ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("of", "times"), [("session", 1), ("run", 2)])
def test_a_soft_limit_is_told_of_once(of: str, times: int) -> None:
    run = driver(Budget(of, tokens=5_000, warn=0.1))
    for number in range(2):
        run.say(f"m{number}")
        for id in "12":
            look(run, id, tokens=600)
            found(run)
        run.model("well")
        run.restart()
    warned = run.entries("warned")
    assert len(warned) == times and warned[0]["budget"] == f"{of} tokens" and warned[0]["share"] == 0.12


def test_the_model_is_told_what_is_left_and_what_is_told_does_not_stay() -> None:
    run = driver(Budget("session", tokens=2_000, tell=True))
    run.say("m1")
    told = [[message.content for message in _asked(run)]]
    for id, tokens in (("1", 600), ("2", 1_000)):
        look(run, id, tokens=tokens)
        found(run)
        told.append([message.content for message in _asked(run)])
    left = [[text for text in one if "budget" in text] for one in told]
    assert left == [
        ["[more than 90% of the budget for this session is left]"],
        ["[more than 50% of the budget for this session is left]"],
        ["[more than 10% of the budget for this session is left]"],
    ]
    run.restart()
    assert [message.content for message in _asked(run)] == told[-1]


def _asked(run: Driver) -> Any:
    """What the open model call asks."""
    (op,) = [op for op, effect in run.open.items() if getattr(effect, "report", "") == "model"]
    return run.effect(op).call._request().messages


# -- what is no budget ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "given", "said"),
    [
        ("week", {"tokens": 1}, "a budget is for one of call, run"),
        ("run", {}, "says nothing"),
        ("run", {"tokens": -1}, "tokens"),
        ("run", {"tokens": True}, "tokens"),
        ("run", {"cost": "much"}, "'run'"),
        ("run", {"cost": "NaN"}, "'run'"),
        ("run", {"time": "a while"}, "'run'"),
        ("run", {"tokens": 1, "per": "day"}, "accounts"),
        ("tenant", {"tokens": 1, "per": "week"}, "per= is one of"),
        ("tenant", {"tokens": 1, "per": "day", "timezone": "Mars/Base"}, "no time zone"),
        ("run", {"tokens": 1, "warn": 8}, "warn is a share"),
        ("run", {"tokens": 1, "at_limit": "explode"}, "at_limit is"),
        ("run", {"tokens": 1, "at_limit": Cheaper("x", 2)}, "share of Cheaper"),
        ("run", {"tokens": 1, "at_limit": Ask("boss", cost="1")}, "asks for no more of tokens"),
        ("tenant", {"tokens": 1, "at_limit": Ask("boss", tokens=1)}, "overwinter budget raise"),
        ("tenant", {"tokens": 1, "at_limit": Cheaper("x", 0.5)}, "share= of Cheaper is for call, run, session"),
        ("tenant", {"tokens": 1, "tell": True}, "tell= is for call, run, session"),
        ("tenant", {"warn": 0.8}, "a share of what is limited"),
        ("call", {"tool_calls": 1}, "one model call"),
        ("call", {"time": "1s"}, "one model call"),
    ],
)
def test_nonsense_is_refused_by_name(of: str, given: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Budget(of, **given)


def test_two_for_the_same_are_refused_and_what_is_none() -> None:
    with pytest.raises(InvalidInput, match="two budgets for 'run tokens'"):
        Agent("desk", MODEL, budgets=[Budget("run", tokens=1), Budget("run", tokens=2)])
    with pytest.raises(InvalidInput, match="not 7"):
        Agent("desk", MODEL, budgets=[7])  # type: ignore[list-item]
