"""While a release takes over from the one before, a Task's function is the machine's own in one process and an
execution of its own in the other. Each reads what the other has written, and nothing irreversible is done twice."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from overwinter import Runtime, StateMachine, tool
from overwinter.orchestrator.machine.checkpoint import write
from overwinter.orchestrator.machine.decider import MachineDecider
from overwinter.orchestrator.protocol.decider import Invoke, Spawn
from overwinter.state.memory import MemoryStore
from overwinter.tests.machine.running.looking import looked


@tool(effect="irreversible")
async def pay(order: str) -> str:
    """Once."""
    return f"paid {order}"


TASK = {"Type": "Task", "Resource": "pay", "Parameters": {"order": "o-1"}, "End": True}
LAMBDA = TASK | {
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "pay", "Payload": {"order": "o-1"}},
}


def machine(task: dict[str, Any], *uses: object) -> StateMachine:
    return StateMachine(
        "m", {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "Next": "T"}, "T": task}}, uses
    )


def begun(machine: StateMachine) -> tuple[MachineDecider, list[Any]]:
    """One that has come to its Task, and its journal."""
    decider = machine.decider("x")
    journal: list[Any] = [{"type": "start", "at": 0, "seed": "s", "input": {}}]
    decider.offer(journal[0])
    journal += decider.decide().entries
    for fact in decider.expire(2000):
        decider.offer(fact)
        journal.append(fact)
    return decider, journal


@pytest.mark.parametrize("task", [TASK, LAMBDA])
@pytest.mark.parametrize("sent", [True, False])
def test_one_that_was_ordered_as_an_execution_stays_one(task: dict[str, Any], sent: bool) -> None:
    without, journal = begun(machine(task))
    journal += without.decide().entries
    assert journal[-1]["type"] == "ordered"
    if sent:
        journal.append({"type": "sent", "op": "2", "at": 2001})
    here = machine(task, pay).decider("x")
    here.replay("", 1, journal, 2001)
    decision = here.decide()
    assert (here.problem, decision.awaits, decision.entries) == ("", "child x/2", [])
    assert [(type(one), getattr(one, "input", None)) for one in decision.perform] == (
        [] if sent else [(Spawn, {"order": "o-1"})]
    )
    here.offer({"type": "child", "id": "x/2", "status": "completed", "value": "paid", "at": 3000})
    assert here.decide().status == "completed"


def test_one_that_may_have_been_done_is_in_doubt_and_not_ordered_again() -> None:
    here, journal = begun(machine(TASK, pay))
    assert [type(one) for one in here.decide().perform] == [Invoke]
    journal.append({"type": "begun", "op": "2", "name": "pay", "n": 1, "at": 2000})
    without = machine(TASK).decider("x")
    without.replay("", 1, journal, 2001)
    decision = without.decide()
    (call,) = cast("list[Invoke]", decision.perform)
    assert (without.problem, decision.entries) == ("", [])
    assert isinstance(call, Invoke) and call.begun and call.policy.at_most_once


def test_it_is_in_doubt_from_a_checkpoint_too() -> None:
    here, _ = begun(machine(TASK, pay))
    here.decide()
    here.offer({"type": "begun", "op": "2", "name": "pay", "n": 1, "at": 2000})
    assert here.execution is not None
    entry = write(here.execution, here.source)
    without = machine(TASK).decider("x")
    without.replay("", 1, [entry], 2001)
    (call,) = cast("list[Invoke]", without.decide().perform)
    assert isinstance(call, Invoke) and call.begun


def test_one_that_was_sent_to_where_it_is_made_is_in_doubt_too() -> None:
    _, journal = begun(machine(TASK, pay))
    journal.append({"type": "sent", "op": "2", "at": 2000, "until": 9000, "n": 1, "mark": "m"})
    without = machine(TASK).decider("x")
    without.replay("", 1, journal, 2001)
    (call,) = cast("list[Invoke]", without.decide().perform)
    assert without.problem == "" and isinstance(call, Invoke) and call.begun


def test_one_that_was_to_be_tried_later_is_ordered() -> None:
    _, journal = begun(machine(TASK, pay))
    journal.append({"type": "retrying", "op": "2", "at": 2000, "until": 9000, "n": 1, "name": "pay"})
    without = machine(TASK).decider("x")
    without.replay("", 1, journal, 2001)
    assert [entry["type"] for entry in without.decide().entries] == ["ordered"] and without.problem == ""


def test_an_approval_that_was_asked_for_is_waited_for_where_the_tool_is_not() -> None:
    @tool(name="pay", effect="irreversible", approval="desk")
    async def asks(order: str) -> str:
        """Asks first."""
        raise AssertionError(order)

    here, journal = begun(machine(TASK, asks))
    looked(here, journal)
    assert [entry["type"] for entry in journal[-2:]] == ["step", "ordered"] and journal[-1]["kind"] == "approval"
    for told in (journal, [*journal[:-2], journal[-1]]):  # an older release has asked without a look
        without = machine(TASK).decider("x")
        without.replay("", 1, told, 2001)
        decision = without.decide()
        assert (without.problem, decision.perform, decision.entries, decision.awaits) == ("", [], [], "approval pay")


def test_the_processes_of_two_releases_get_it_done_together() -> None:
    task = TASK | {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "T"}]}
    old, new = machine(task, pay), machine(task)

    async def main() -> Any:
        store = MemoryStore()
        async with Runtime([old, pay], store):
            pass
        async with Runtime([new], store) as runtime:
            await runtime.start(new, {}, id="x")
            while not (await runtime.show("x")).awaits.startswith("child"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with Runtime([old, pay], store) as runtime:
            return await runtime.result("x", timeout=20)

    assert asyncio.run(main()) == "paid o-1"
