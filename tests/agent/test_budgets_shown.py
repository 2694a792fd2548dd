"""``overwinter show`` tells what was used beside the answers, what was granted, and what runs out."""

from __future__ import annotations

from typing import Any

from overwinter import Agent, Scripted
from overwinter.cli.view.spending import spending, spent
from overwinter.functions.agents.budget import Ask, Budget
from overwinter.state.records import Head

from .driver import Driver


def head(state: str) -> Head:
    fields: dict[str, Any] = dict.fromkeys(Head._fields, 0)
    fields |= {"id": "desk/1", "function": "desk", "kind": "agent", "status": "idle", "state": state}
    return Head(**fields)


def test_what_was_granted_and_lost_is_shown() -> None:
    budget = Budget("session", tokens=500, at_limit=Ask("finance", tokens=9_000), warn=0.5)
    run = Driver(Agent("desk", Scripted(["never asked"]), budgets=budget))
    run.say("m1")
    run.model({"text": "well", "usage": {"input": 480, "output": 0}, "cost": "0.25"})
    run.say("m2")
    run.send({"type": "decided", "op": "t2.m1.more1", "approved": True, "by": "ada"})
    run.loop.deaths = 1  # whoever is told of it before it goes on
    run.loop = run.replayed()
    run.loop.deaths = 1
    run.open = {}
    run._decided(run.loop.decide(), [])
    found = spent(head(run.state))
    assert found["granted"] == {"session tokens": {"tokens": 9_000}} and found["warned"] == ["session tokens"]
    assert list(found["used"]) and found["used"]["tokens"] == 480 + found["beside"].get("tokens", 0)
    told = [line.plain for line in spending(head(run.state))]
    assert told[1] == "budget" and "$0.25" in told[2] and "  granted for session tokens: 9,000 tokens more" in told


def test_of_what_has_no_such_thing_nothing_is() -> None:
    run = Driver(Agent("desk", Scripted(["never asked"])))
    run.say("m1")
    run.model("well")
    assert spent(head(run.state)) == {} and list(spending(head(run.state))) == []
    assert spent(head("")) == {}
