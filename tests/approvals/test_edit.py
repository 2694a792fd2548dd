"""A person edits the arguments of a call, gives it to somebody else, or lets a second one agree: in an agent, a
workflow and a state machine alike, wherever the process dies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from overwinter import (
    Agent,
    Approval,
    Context,
    InvalidInput,
    Limits,
    OverwinterError,
    Scripted,
    StateMachine,
    call,
    tool,
    workflow,
)
from overwinter.functions.models.port import Message
from overwinter.functions.models.scripted import Said
from overwinter.testing import crash_everywhere, simulate
from overwinter.testing.world import World

PAID: list[int] = []
RULE = Approval("desk", by=2, within="3d", remind="1d", escalate=("50h", "head"))


def desk_or_boss(order: str, amount: int) -> str:
    return "boss" if amount > 1000 else "desk"


@tool(approval=desk_or_boss)
async def refund(order: str, amount: int) -> str:
    """Refund an order."""
    PAID.append(amount)
    return f"{amount} for {order}"


@tool(approval=RULE)
async def transfer(order: str, amount: int) -> str:
    """Move money."""
    PAID.append(amount)
    return f"{amount} for {order}"


def agent(name: str) -> Agent:
    def answer(messages: Sequence[Message], tools: object) -> Said:
        last = messages[-1]
        return last.content if last.role == "tool" else call(name, order="o-1", amount=60)

    return Agent("clerk", Scripted(answer), tools=[refund, transfer], limits=Limits(iterations=4))


def flow(name: str) -> Any:
    called = {"refund": refund, "transfer": transfer}[name]

    @workflow(name="clerk")
    async def run(ctx: Context, input: Any) -> str:
        return await ctx.step(called, "o-1", amount=60)

    return run


def machine(name: str) -> StateMachine:
    task = {"Type": "Task", "Resource": name, "Parameters": {"order": "o-1", "amount": 60}, "End": True}
    return StateMachine("clerk", {"StartAt": "R", "States": {"R": task}}, [refund, transfer])


KINDS: dict[str, Callable[[str], Any]] = {"agent": agent, "workflow": flow, "machine": machine}
everywhere = pytest.mark.parametrize("kind", list(KINDS))


async def begin(world: World, function: Any, by: str = "ana") -> None:
    await world.call(lambda runtime: runtime.start(function, "go", id="x", by=by))


async def asked(world: World) -> Any:
    def look() -> Any:
        return next(iter(world.open_approvals("x")), None)

    return await world.until(look)


async def refused(world: World, why: str, work: Callable[[Any], Any]) -> None:
    """It is refused at the door, with a reason, and nothing is sent."""
    before = world.open_approvals("x")
    try:
        await world.call(work)
    except InvalidInput as error:
        assert why in str(error), error
    else:
        raise AssertionError(f"not refused: {why}")
    assert world.open_approvals("x") == before


def alike(expected: Any, found: Any) -> bool:
    return bool(expected == found)


@everywhere
def test_what_runs_is_what_a_person_has_made_of_it_wherever_the_process_dies(kind: str) -> None:
    function = KINDS[kind]("refund")

    async def scenario(world: World) -> Any:
        await begin(world, function)
        await world.approve("x", by="ben", arguments={"order": "o-1", "amount": 5})
        return await world.result("x"), world.journal("x")

    def same(expected: Any, found: Any) -> bool:
        return bool(expected[0] == found[0] and set(PAID) == {5})

    value, journal = crash_everywhere(scenario, functions=[function], fresh=PAID.clear, same=same).outcome.value
    (decided,) = [entry for entry in journal if entry["type"] == "decided"]
    (ordered,) = [entry for entry in journal if entry["type"] == "ordered"]
    assert ordered["data"] == {"order": "o-1", "amount": 60} and decided["data"] == {"order": "o-1", "amount": 5}
    told = (
        'A person changed the arguments of this call before approving it. It was made with {"order":"o-1","amount":5}'
    )
    assert value == (f"{told}\n\n5 for o-1" if kind == "agent" else "5 for o-1")


@everywhere
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"order": "o-1"}, "amount"),
        ({"order": "o-1", "amount": "many"}, "amount"),
        ({"order": "o-1", "amount": 5, "account": "mine"}, "account"),
        ({"order": "o-1", "amount": 5000}, "boss"),
    ],
)
def test_an_edit_that_does_not_fit_the_tool_or_is_for_others_to_approve_counts_for_nothing(
    kind: str, arguments: Any, why: str
) -> None:
    function = KINDS[kind]("refund")

    async def scenario(world: World) -> Any:
        await begin(world, function)
        proposal = await asked(world)
        await world.reached("x", "waiting")
        fact = {"op": proposal["op"], "digest": proposal["digest"], "approved": True, "by": "ben", "data": arguments}
        process = world.process
        await refused(world, why, lambda runtime: runtime.decide("x", None, True, by="ben", arguments=arguments))
        # the same, from a process that can't tell, as the command line: it is passed over, and says why
        await world.call(lambda runtime: post(runtime, fact))
        skipped = await world.until(lambda: next((e for e in world.journal("x") if e["type"] == "skipped"), None))
        assert why in skipped["why"] and (skipped["op"], skipped["by"]) == (proposal["op"], "ben")
        await world.approve("x", by="ben")
        assert process is world.process
        return await world.result("x")

    PAID.clear()
    simulate(scenario, functions=[function])
    assert PAID == [60]


async def approve(by: str, runtime: Any) -> None:
    await runtime.decide("x", None, True, by=by)


async def post(runtime: Any, fact: Any) -> None:
    from overwinter.orchestrator.engine.delivery import mail_of

    said = {"type": "decided", "at": runtime.clock(), "reason": "", **fact}
    await runtime._send("x", mail_of(said, "decided:by hand", lane=0))


@everywhere
def test_two_people_have_to_agree_and_neither_is_who_asked(kind: str) -> None:
    function = KINDS[kind]("transfer")

    async def scenario(world: World) -> Any:
        await begin(world, function)
        await world.approve("x", by="ben", reason="fine")
        assert not PAID
        for by, why in (("ana", "somebody else"), ("Ben", "approved it already"), ("", "who decides")):
            await refused(world, why, partial(approve, by))
        await world.approve("x", by="cleo", reason="seen")
        return await world.result("x")

    def same(expected: Any, found: Any) -> bool:
        return bool(expected == found and set(PAID) == {60})

    report = crash_everywhere(scenario, functions=[function], fresh=PAID.clear, same=same)
    assert report.outcome.value == "60 for o-1"


@everywhere
def test_one_who_denies_is_enough(kind: str) -> None:
    function = KINDS[kind]("transfer")

    async def scenario(world: World) -> Any:
        await begin(world, function)
        await world.approve("x", by="ben")
        await world.deny("x", by="ben", reason="on second thoughts")
        try:
            return await world.result("x")
        except OverwinterError as error:  # a workflow and a machine fail
            return str(error)

    PAID.clear()
    assert "on second thoughts" in simulate(scenario, functions=[function]) and not PAID


@everywhere
def test_an_edit_takes_back_what_others_have_approved(kind: str) -> None:
    function = KINDS[kind]("transfer")

    async def scenario(world: World) -> Any:
        await begin(world, function)
        await world.approve("x", by="ben")
        first = (await asked(world))["digest"]
        await world.approve("x", by="cleo", arguments={"order": "o-1", "amount": 7})
        now = await asked(world)
        assert now["votes"] == ["cleo"] and now["data"]["amount"] == 7 and now["original"]["amount"] == 60
        await refused(world, "read it again", lambda runtime: runtime.decide("x", None, True, by="ben", digest=first))
        await world.approve("x", by="ben")
        return await world.result("x")

    def same(expected: Any, found: Any) -> bool:
        return bool(expected == found and set(PAID) == {7})

    crash_everywhere(scenario, functions=[function], fresh=PAID.clear, same=same)


@everywhere
def test_it_is_given_to_one_person_who_alone_decides_then(kind: str) -> None:
    function = KINDS[kind]("refund")

    async def scenario(world: World) -> Any:
        await begin(world, function)
        first = (await asked(world))["digest"]
        await world.delegate("x", by="ben", to="dora")
        now = await asked(world)
        assert (now["approver"], now["moved"]) == ("dora", ["desk"])
        await refused(world, "dora alone", lambda runtime: runtime.decide("x", None, True, by="ben"))
        await refused(world, "read it again", lambda runtime: runtime.decide("x", None, True, by="dora", digest=first))
        await world.delegate("x", by="dora", role="head")
        await refused(world, "'desk' does not", lambda runtime: runtime.decide("x", None, True, by="ed", role="desk"))
        await world.approve("x", by="ed")
        return await world.result("x")

    assert crash_everywhere(scenario, functions=[function], fresh=PAID.clear).outcome.value == "60 for o-1"


@everywhere
def test_people_are_reminded_then_it_goes_to_another_role_then_it_is_denied(kind: str) -> None:
    function = KINDS[kind]("transfer")

    async def scenario(world: World) -> Any:
        await begin(world, function)
        await asked(world)
        await world.sleep("25h")
        assert (await asked(world))["reminded"] == 1 and (await asked(world))["role"] == "desk"
        await world.sleep("26h")
        now = await asked(world)
        assert (now["role"], now["moved"], now["reminded"]) == ("head", ["desk"], 2)
        with suppress(OverwinterError):  # a workflow and a machine fail
            await world.result("x")
        timers = [entry for entry in world.journal("x") if entry["type"] == "timer"]
        return [(entry.get("kind"), (entry["at"] - timers[0]["at"]) // hour) for entry in timers][:3]

    hour = 3600 * 1000
    found = crash_everywhere(scenario, functions=[function], fresh=PAID.clear).outcome.value
    assert found == [("reminder", 0), ("reminder", 24), ("escalation", 26)] and not PAID
