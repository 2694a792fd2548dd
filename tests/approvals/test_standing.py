"""Standing approvals: who approves a call says so of later ones, within what was said, and of nothing else. In an
agent, a workflow and a state machine alike, wherever the process dies."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any
from unittest import mock

import pytest

from overwinter import (
    Agent,
    Approval,
    Context,
    History,
    InvalidInput,
    Limits,
    Runtime,
    Scripted,
    StateMachine,
    call,
    workflow,
)
from overwinter.functions.frameworks.agent import ForeignAgent
from overwinter.functions.frameworks.port import Turn
from overwinter.functions.models.port import Message
from overwinter.functions.models.scripted import Said
from overwinter.orchestrator.governance.approvals.proposal import Proposal, propose
from overwinter.orchestrator.governance.approvals.rule import rule_of
from overwinter.orchestrator.governance.approvals.standing import MOST, Standing, Standings, amount
from overwinter.orchestrator.machine import decider as deciding
from overwinter.testing import crash_everywhere, simulate
from overwinter.testing.world import World
from overwinter.tests.approvals.tools import BY_NAME, PAID, TOOLS, payout, refund


def agent(name: str, amounts: Sequence[int]) -> Agent:
    def answer(messages: Sequence[Message], tools: object) -> Said:
        done = sum(message.role == "tool" for message in messages)
        return call(name, order="o-1", amount=amounts[done]) if done < len(amounts) else "done"

    return Agent("clerk", Scripted(answer), tools=TOOLS, limits=Limits(iterations=10))


def flow(name: str, amounts: Sequence[int]) -> Any:
    @workflow(name="clerk")
    async def run(ctx: Context, input: Any) -> str:
        for each in amounts:
            await ctx.step(BY_NAME[name], "o-1", amount=each)
        return "done"

    return run


def machine(name: str, amounts: Sequence[int]) -> StateMachine:
    states: dict[str, Any] = {
        f"R{number}": {
            "Type": "Task", "Resource": name, "Parameters": {"order": "o-1", "amount": each},
            "Next": f"R{number + 1}",
        }
        for number, each in enumerate(amounts)
    }  # fmt: skip
    states[f"R{len(amounts)}"] = {"Type": "Pass", "Result": "done", "End": True}
    return StateMachine("clerk", {"StartAt": "R0", "States": states}, TOOLS)


KINDS: dict[str, Callable[[str, Sequence[int]], Any]] = {"agent": agent, "workflow": flow, "machine": machine}
everywhere = pytest.mark.parametrize("kind", list(KINDS))


async def begin(world: World, function: Any, by: str = "ana") -> None:
    await world.call(lambda runtime: runtime.start(function, "go", id="x", by=by))


async def send(function: Any, id: str, by: str, content: str, runtime: Runtime) -> Any:
    return await runtime.send(function, "x", content, id=id, by=by)


async def waits_for(world: World, amount: int) -> Any:
    """The question that is open then; none is asked of somebody before it."""

    def look() -> Any:
        asked = next(iter(world.open_approvals("x")), None)
        return asked if asked is not None and "standing" not in asked else None

    asked = await world.until(look)
    assert asked["data"]["amount"] == amount
    return asked


async def end(runtime: Runtime) -> None:
    """Revoke all that there are; asked again after a crash, there may be none."""
    for terms in await runtime.standing("x"):
        await runtime.revoke("x", terms["id"], by="cleo", reason="enough")


def decided(journal: Sequence[Any]) -> list[tuple[Any, Any, bool]]:
    """By whom, of how much, and whether a standing approval did."""
    asked = {one["op"]: one["data"]["amount"] for one in journal if one.get("kind") == "approval"}
    return [(one["by"], asked[one["op"]], "under" in one) for one in journal if one["type"] == "decided"]


@everywhere
def test_what_fits_is_approved_and_what_is_more_waits_wherever_the_process_dies(kind: str) -> None:
    function = KINDS[kind]("refund", [60, 80, 500, 100])

    async def scenario(world: World) -> Any:
        await begin(world, function)
        await world.approve("x", by="ben", standing=Standing(up_to={"amount": 100}))
        await waits_for(world, 500)
        await world.approve("x", by="cleo")
        return await world.result("x"), decided(world.journal("x"))

    def same(expected: Any, found: Any) -> bool:
        return bool(expected == found and set(PAID) == {60, 80, 500, 100})

    found = crash_everywhere(scenario, functions=[function], fresh=PAID.clear, same=same).outcome.value
    assert found == ("done", [("ben", 60, False), ("ben", 80, True), ("cleo", 500, False), ("ben", 100, True)])


@everywhere
def test_proposed_decided_and_executed_are_three_records_also_then(kind: str) -> None:
    function = KINDS[kind]("refund", [60, 80])

    async def scenario(world: World) -> Any:
        await begin(world, function)
        await world.approve("x", by="ben", standing=Standing())
        await world.result("x")
        return world.journal("x")

    journal = simulate(scenario, functions=[function])
    first, second = [entry for entry in journal if entry["type"] == "decided"]
    proposed = [entry for entry in journal if entry.get("kind") == "approval"][1]
    assert proposed["standing"] == [{"id": first["standing"]["id"], "by": "ben"}]
    assert (second["under"], second["by"], second["digest"]) == (first["standing"]["id"], "ben", proposed["digest"])
    made = [entry for entry in journal if entry["type"] in ("tool", "step") and entry.get("name") == "refund"][1]
    places = [journal.index(entry) for entry in (first, proposed, second, made)]
    assert places == sorted(places)


@everywhere
def test_one_that_is_revoked_approves_nothing_any_more_wherever_the_process_dies(kind: str) -> None:
    function = KINDS[kind]("refund", [60, 80, 500, 90])

    async def scenario(world: World) -> Any:
        await begin(world, function)
        await world.approve("x", by="ben", standing=Standing(up_to={"amount": 100}))
        await waits_for(world, 500)
        await world.call(end)
        assert await world.call(lambda runtime: runtime.standing("x")) == []
        await world.approve("x", by="ben")
        await waits_for(world, 90)
        await world.approve("x", by="dora")
        return await world.result("x"), decided(world.journal("x"))

    value, found = crash_everywhere(scenario, functions=[function], fresh=PAID.clear).outcome.value
    assert value == "done"
    assert found == [("ben", 60, False), ("ben", 80, True), ("ben", 500, False), ("dora", 90, False)]


@everywhere
def test_who_asked_may_not_and_a_word_of_one_is_one_of_several(kind: str) -> None:
    function = KINDS[kind]("transfer", [60, 60])

    async def scenario(world: World) -> Any:
        await begin(world, function)
        await world.approve("x", by="ben", standing=Standing())
        await world.approve("x", by="cleo")
        asked = await world.until(lambda: next((o for o in world.open_approvals("x") if o.get("votes")), None))
        assert asked["votes"] == ["ben"]
        await world.sleep("1h")
        assert "skipped" not in [entry["type"] for entry in world.journal("x")]  # it was said once
        await world.approve("x", by="cleo")
        return await world.result("x"), decided(world.journal("x"))

    value, found = simulate(scenario, functions=[function])
    assert (value, found[2:]) == ("done", [("ben", 60, True), ("cleo", 60, False)])


def test_of_several_who_have_all_said_so_it_needs_nobody_more() -> None:
    function = agent("transfer", [60, 60])

    async def scenario(world: World) -> Any:
        await begin(world, function)
        await world.approve("x", by="ben", standing=Standing())
        await world.approve("x", by="cleo", standing=Standing())
        return await world.result("x"), decided(world.journal("x"))

    value, found = simulate(scenario, functions=[function])
    assert (value, found[2:]) == ("done", [("ben", 60, True), ("cleo", 60, True)])


def test_in_a_session_it_is_none_of_who_asks_then() -> None:
    clerk = agent("payout", [60])

    async def scenario(world: World) -> Any:
        await world.call(lambda runtime: runtime.send(clerk, "s", "go", id="1", by="ana"))
        await world.approve("clerk/s", by="ben", standing=Standing("1d"))
        await world.reply("clerk/s", "1")
        return [one["by"] for one in await world.call(lambda runtime: runtime.standing("clerk/s"))]

    assert simulate(scenario, functions=[clerk]) == ["ben"]


def test_it_goes_on_after_a_checkpoint_wherever_the_process_dies() -> None:
    @workflow(name="clerk")
    async def patrol(ctx: Context, night: int) -> str:
        await ctx.step(refund, "o-1", amount=60 + night)
        if night < 2:
            await ctx.checkpoint(night + 1)
        return "done"

    async def scenario(world: World) -> Any:
        await world.call(lambda runtime: runtime.start(patrol, 0, id="x", by="ana"))
        await world.approve("x", by="ben", standing=Standing(up_to={"amount": 61}))
        await waits_for(world, 62)
        await world.approve("x", by="cleo")
        return await world.result("x"), decided(world.journal("x"))

    found = crash_everywhere(scenario, functions=[patrol], fresh=PAID.clear).outcome.value
    assert found == ("done", [("ben", 60, False), ("ben", 61, True), ("cleo", 62, False)])


def answer(messages: Sequence[Message], tools: object) -> Said:
    last = messages[-1]
    return "done" if last.role == "tool" else call("payout", order="o-1", amount=int(last.content))


class Own:
    name = "own"

    async def answer(self, turn: Turn) -> str:
        await turn.ctx.step(payout, "o-1", amount=int(turn.input))
        return "done"


SESSIONS: dict[str, Any] = {
    "agent": Agent("clerk", Scripted(answer), tools=TOOLS, history=History(messages=2)),
    "own code": ForeignAgent("clerk", Own(), history=1),
}


@pytest.mark.parametrize("made", list(SESSIONS))
def test_in_a_session_it_holds_for_later_messages_wherever_the_process_dies(made: str) -> None:
    """Also when the message that it was given in has left the window."""
    clerk = SESSIONS[made]

    async def scenario(world: World) -> Any:
        for number, (by, content) in enumerate([("ana", "60"), ("ana", "61"), ("ana", "62"), ("ben", "63")]):
            await world.call(partial(send, clerk, str(number), by, content))
            if number == 0:
                await world.approve("clerk/x", by="ben", standing=Standing())
            if number == 3:  # ben asks himself
                (asked,) = await world.until(lambda: world.open_approvals("clerk/x") or None)
                assert asked["requester"] == "ben" and "standing" not in asked
                await world.approve("clerk/x", by="cleo")
            assert await world.reply("clerk/x", str(number)) == "done"
        found = [entry for entry in world.journal("clerk/x") if entry["type"] == "decided"]
        return [(one["by"], "under" in one) for one in found]

    found = crash_everywhere(scenario, functions=[clerk], fresh=PAID.clear).outcome.value
    assert found == [("ben", False), ("ben", True), ("ben", True), ("cleo", False)]


@pytest.mark.parametrize("made", list(SESSIONS))
def test_between_two_messages_it_is_revoked(made: str) -> None:
    clerk = SESSIONS[made]

    async def scenario(world: World) -> Any:
        await world.call(partial(send, clerk, "1", "ana", "60"))
        await world.approve("clerk/x", by="ben", standing=Standing())
        await world.reply("clerk/x", "1")
        (terms,) = await world.call(lambda runtime: runtime.standing("clerk/x"))
        await world.call(lambda runtime: runtime.revoke("clerk/x", terms["id"], by="cleo"))
        await world.until(lambda: any(one["type"] == "revoked" for one in world.journal("clerk/x")) or None)
        return await world.call(lambda runtime: runtime.standing("clerk/x"))

    assert simulate(scenario, functions=[clerk]) == []


def test_a_state_machine_keeps_it_in_its_checkpoints_wherever_the_process_dies() -> None:
    function = machine("refund", [60, 80, 80, 80, 500])

    async def scenario(world: World) -> Any:
        await begin(world, function)
        await world.approve("x", by="ben", standing=Standing(up_to={"amount": 100}))
        await waits_for(world, 500)
        await world.approve("x", by="cleo")
        await world.result("x")
        journal = world.journal("x")
        return [(by, under) for by, _, under in decided(journal)], any(one["type"] == "checkpoint" for one in journal)

    with mock.patch.object(deciding, "FRESH", 2):
        found = crash_everywhere(scenario, functions=[function], fresh=PAID.clear).outcome.value
    assert found == ([("ben", False), ("ben", True), ("ben", True), ("ben", True), ("cleo", False)], True)


# -- what fits, alone ------------------------------------------------------------------------------------

RULE = rule_of("desk", "")


def question(data: Any, standings: Standings | None = None, *, at: int = 10, rule: Any = RULE, **more: Any) -> Any:
    entry = {"op": "1", "at": at, "name": "refund", "what": "refund", "data": data}
    options: dict[str, Any] = {"lasts": 1000, "version": "v1", "standings": standings} | more
    return propose(entry, rule, "life", **options)


def given(standing: Standing, data: Any, *, by: str = "ben", **more: Any) -> Standings:
    """Those of an execution in which somebody has said that of a call."""
    asked = question(data, **more)
    fact = {"type": "decided", "op": "1", "approved": True, "by": by, "digest": asked["digest"]}
    fact["standing"] = json.loads(json.dumps(standing.terms(asked, "desk", data, 10, asked["digest"], by)))
    found = Standings()
    assert Proposal(asked).take(fact) and found.take(fact)
    return found


FIRST = {"order": "o-1", "amount": 60}


@pytest.mark.parametrize(
    ("standing", "data", "more", "fits"),
    [
        (Standing(), {"order": "o-2", "amount": 9999}, {}, True),
        (Standing(), FIRST, {"version": "v2"}, False),
        (Standing(), FIRST, {"rule": rule_of("boss", "")}, False),
        (Standing("1s"), FIRST, {"at": 1009}, True),
        (Standing("1s"), FIRST, {"at": 1010}, False),
        (Standing(exactly=True), {"amount": 60, "order": "o-1"}, {}, True),
        (Standing(exactly=True), {"order": "o-1", "amount": 61}, {}, False),
        (Standing(exactly=True), {"order": "o-1", "amount": 60, "note": ""}, {}, False),
        (Standing(up_to={"amount": 100}), {"order": "o-2", "amount": 100}, {}, True),
        (Standing(up_to={"amount": 100}), {"order": "o-2", "amount": "99.5"}, {}, True),
        (Standing(up_to={"amount": 100}), {"order": "o-2", "amount": 100.01}, {}, False),
        (Standing(up_to={"amount": 100}), {"order": "o-2", "amount": -5}, {}, False),
        (Standing(up_to={"amount": 100}), {"order": "o-2", "amount": True}, {}, False),
        (Standing(up_to={"amount": 100}), {"order": "o-2", "amount": "nan"}, {}, False),
        (Standing(up_to={"amount": 100}), {"order": "o-2", "amount": [1]}, {}, False),
        (Standing(up_to={"amount": 100}), {"order": "o-2"}, {}, False),
    ],
)
def test_it_is_good_for_what_was_said(standing: Standing, data: Any, more: Any, fits: bool) -> None:
    assert ("standing" in question(data, given(standing, FIRST), **more)) is fits


def test_who_asks_may_not_have_given_it() -> None:
    strict = Approval("desk")
    found = given(Standing(), FIRST, rule=strict, requester="ana")
    assert "standing" in question(FIRST, found, rule=strict, requester="ana")
    assert "standing" not in question(FIRST, found, rule=strict, requester="Ben")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"approved": False}, "only who approves"),
        ({"by": ""}, "has to be known who"),
        ({"standing": {"what": "transfer"}}, "another tool, version or role"),
        ({"standing": {"version": "v2"}}, "another tool, version or role"),
        ({"standing": {"role": "boss"}}, "another tool, version or role"),
        ({"standing": {"exactly": "0"}}, "other arguments"),
        ({"standing": {"up_to": {"amount": "59"}}}, "not within it"),
        ({"standing": {"up_to": {"count": "59"}}}, "not within it"),
    ],
)
def test_one_that_would_be_wider_than_what_was_read_counts_for_nothing(change: dict[str, Any], why: str) -> None:
    asked = question(FIRST)
    terms = Standing().terms(asked, "desk", FIRST, 10, asked["digest"], "ben") | change.get("standing", {})
    fact = {"type": "decided", "op": "1", "approved": True, "by": "ben", "digest": asked["digest"], "standing": terms}
    proposal = Proposal(asked)
    assert why in proposal.objection({**fact, **{key: change[key] for key in change if key != "standing"}})
    assert proposal.objection(fact | {"standing": Standing().terms(asked, "desk", FIRST, 10, "d", "ben")}) == ""


def test_who_was_given_one_question_to_decide_says_nothing_of_others() -> None:
    proposal = Proposal(question(FIRST))
    assert proposal.take({"type": "delegated", "op": "1", "by": "ben", "to": "dora", "digest": proposal.digest})
    terms = Standing().terms(proposal.asked, "desk", FIRST, 10, proposal.digest, "dora")
    fact = {"type": "decided", "op": "1", "approved": True, "by": "dora", "digest": proposal.digest, "standing": terms}
    assert "to be decided this once" in proposal.objection(fact)


def test_without_a_version_there_is_nothing_to_hold_it_to() -> None:
    asked = question(FIRST, version="")
    terms = Standing().terms(asked, "desk", FIRST, 10, asked["digest"], "ben")
    fact = {"type": "decided", "op": "1", "approved": True, "by": "ben", "digest": asked["digest"], "standing": terms}
    assert "no call of a tool" in Proposal(asked).objection(fact)


def test_the_eldest_of_too_many_ends() -> None:
    found = Standings()
    for number in range(MOST + 1):
        found.take({"type": "decided", "approved": True, "standing": {"id": f"s{number}"}})
    assert len(found.open) == MOST and "s0" not in found.open


@pytest.mark.parametrize(
    "options",
    [
        {"lasts": "0s"}, {"lasts": "soon"}, {"exactly": True, "up_to": {"amount": 1}}, {"up_to": {}},
        {"up_to": {"amount": "much"}}, {"up_to": {"amount": -1}}, {"exactly": 1},
    ],
)  # fmt: skip
def test_one_that_says_nothing_sound_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Standing(**options)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (0, "0"),
        ("1e2", "1E+2"),
        (Decimal("0.1"), "0.1"),
        ("-0.1", None),
        (None, None),
        ("", None),
        ("1_0", None),
        (" 4 ", None),
        ("\u0663", None),
        ("5\n", None),
        (".5", "0.5"),
        ("0x10", None),
    ],
)
def test_amounts(value: Any, found: str | None) -> None:
    assert (None if (number := amount(value)) is None else str(number)) == found
