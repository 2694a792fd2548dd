"""``limits="aws"``: what Step Functions does not allow ends an execution here as it does there. Without it, nothing
does."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest import mock

import pytest

from overwinter import ExecutionFailed, InvalidInput, Runtime, StateFailed, StateMachine
from overwinter.orchestrator.machine.decider import MachineDecider
from overwinter.orchestrator.machine.running import limits as limiting
from overwinter.orchestrator.machine.running.limits import LIMITS, Name
from overwinter.orchestrator.machine.running.recorder import Recorder
from overwinter.state.memory import MemoryStore

LARGE = "The state/task '{}' returned a result with a size exceeding the maximum number of bytes service limit."
LOOP = {
    "StartAt": "Spin",
    "States": {
        "Spin": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.on", "BooleanEquals": False, "Next": "Done"}],
            "Default": "Spin",
        },
        "Done": {"Type": "Succeed"},
    },
}
YEAR = 365 * 24 * 3600 * 1000


async def letters(given: Any) -> str:
    return "x" * int(given["n"])


async def umlauts(given: Any) -> str:
    return "ü" * int(given["n"])


def single(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {**state, **({} if "Next" in state else {"End": True})}, **more}}


def failure(machine: StateMachine, input: Any) -> tuple[str, Any]:
    """How an execution fails; ``("", output)`` when it does not."""

    async def main() -> tuple[str, Any]:
        async with Runtime([machine], "memory://") as runtime:
            try:
                return "", await (await runtime.start(machine, input)).result(timeout=30)
            except ExecutionFailed as failed:
                cause = failed.__cause__
                assert isinstance(cause, StateFailed)
                return cause.error, cause.cause

    return asyncio.run(main())


def test_the_last_event_of_a_full_history_is_its_failure() -> None:
    recorder = Recorder()
    decider = MachineDecider(StateMachine("m", LOOP, limits="aws"), "x", recorder)
    decider.offer({"type": "start", "at": 1, "input": {"on": True}, "seed": "s"})
    decision = decider.decide()
    while decision.status == "waiting":
        for fact in decider.expire(1):
            decider.offer(fact)
        decision = decider.decide()
    assert decision.status == "failed"
    last, end = recorder.events[-2:]
    assert (last["id"], last["type"]) == (24_999, "ChoiceStateExited")
    assert (end["id"], end["type"], end["error"]) == (25_000, "ExecutionFailed", "States.Runtime")
    assert end["cause"] == "The execution reached the maximum number of history events (25000)."


def test_a_history_that_just_fits_is_no_failure() -> None:
    machine = StateMachine("m", single({"Type": "Pass"}), limits="aws")
    for events, error in ((4, ""), (3, "States.Runtime")):
        with mock.patch.dict(LIMITS, {"aws": LIMITS["aws"]._replace(events=events)}):
            machine.limits = LIMITS["aws"]
            assert failure(machine, {"a": 1})[0] == error


@pytest.mark.parametrize(
    ("function", "fits", "broken"), [(letters, 262_142, 262_143), (umlauts, 131_071, 131_072)], ids=["ascii", "utf-8"]
)
def test_a_result_may_have_so_many_bytes(function: Any, fits: int, broken: int) -> None:
    arn = f"arn:aws:lambda:eu-west-1:123456789012:function:{function.__name__}"
    machine = StateMachine("m", single({"Type": "Task", "Resource": arn}), [function], limits="aws")
    assert failure(machine, {"n": fits})[0] == ""
    assert failure(machine, {"n": broken}) == ("States.DataLimitExceeded", LARGE.format(arn))


def test_an_integration_is_named_by_its_service() -> None:
    task: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
    task |= {"Parameters": {"FunctionName": "letters", "Payload.$": "$"}}
    machine = StateMachine("m", single(task), [letters], limits="aws")
    assert failure(machine, {"n": 300_000}) == ("States.DataLimitExceeded", LARGE.format("lambda"))


def test_what_a_state_hands_on_is_counted_too() -> None:
    """Each branch fits, their list does not; the catcher of all errors does not mean this one."""
    task = {"Type": "Task", "Resource": "letters", "End": True}
    branches = [{"StartAt": name, "States": {name: task}} for name in ("C", "D")]
    state = {"Type": "Parallel", "Branches": branches, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]}
    machine = StateMachine("m", single(state, B={"Type": "Succeed"}), [letters], limits="aws")
    assert failure(machine, {"n": 200_000}) == ("States.DataLimitExceeded", LARGE.format("A"))
    assert failure(StateMachine("m", machine.source, [letters]), {"n": 200_000})[0] == ""


def test_it_is_caught_by_its_name_once() -> None:
    """What the catcher makes of it is as large: that is not caught again."""
    catch = {"ErrorEquals": ["States.DataLimitExceeded"], "Next": "B", "ResultPath": None}
    state = {"Type": "Task", "Resource": "letters", "Catch": [catch]}
    machine = StateMachine("m", single(state, B={"Type": "Pass", "End": True}), [letters], limits="aws")
    assert failure(machine, {"n": 300_000}) == ("", {"n": 300_000})
    grows = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $pad('', 262140, 'x') %}", "Next": "A"}
    kept = {**catch, "Output": "{% $states.input & $states.input %}"}
    del kept["ResultPath"]
    task = {"Type": "Task", "QueryLanguage": "JSONata", "Resource": "letters", "Arguments": {"n": 300_000}}
    states = {"G": grows, "A": {**task, "Catch": [kept], "End": True}, "B": {"Type": "Pass", "End": True}}
    machine = StateMachine("m", {"StartAt": "G", "States": states}, [letters], limits="aws")
    assert failure(machine, {}) == ("States.DataLimitExceeded", LARGE.format("A"))


def test_the_input_of_an_execution_and_of_a_task() -> None:
    machine = StateMachine("m", single({"Type": "Pass"}), limits="aws")
    assert machine.check("x" * 262_142)
    with pytest.raises(InvalidInput, match="262,144 bytes"):
        machine.check("x" * 262_143)
    task = {"Type": "Task", "Resource": "letters", "Parameters": {"a.$": "$", "b.$": "$"}}
    machine = StateMachine("m", single(task), [letters], limits="aws")
    error, cause = failure(machine, {"n": 1, "x": "x" * 200_000})
    assert error == "States.DataLimitExceeded" and LARGE.format("A") in cause


def test_variables_have_quotas() -> None:
    assign = {"Type": "Pass", "QueryLanguage": "JSONata", "Assign": {"a": "{% $pad('', 262143, 'x') %}"}, "Output": 1}
    assert failure(StateMachine("m", single(assign), limits="aws"), {})[0] == "States.DataLimitExceeded"
    assert failure(StateMachine("m", single(assign)), {}) == ("", 1)


def test_an_execution_lasts_a_year() -> None:
    for limits, wake in (("aws", YEAR + 1), ("", 2 * YEAR + 1)):
        named: Name = "aws" if limits else ""
        decider = MachineDecider(
            StateMachine("m", single({"Type": "Wait", "Seconds": 2 * YEAR // 1000}), limits=named), "x"
        )
        decider.offer({"type": "start", "at": 1, "input": {}, "seed": "s"})
        assert decider.decide().wake == wake


def test_an_execution_keeps_the_limits_that_it_was_begun_with() -> None:
    """Whatever is served by then, also after a checkpoint: a replay by others would lead elsewhere."""
    source = single({"Type": "Wait", "Seconds": 1, "Next": "B"}, B={"Type": "Task", "Resource": "letters", "End": True})

    async def main(begun: Name, later: Name) -> str:
        store = MemoryStore()
        async with Runtime([StateMachine("m", source, [letters], limits=begun)], store) as runtime:
            await runtime.start("m", {"n": 300_000}, id="x")
            while (await runtime.show("x")).status != "waiting":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with Runtime([StateMachine("m", source, [letters], limits=later)], store) as runtime:
            try:
                return str(await runtime.result("x", timeout=20))[:1]
            except ExecutionFailed as failed:
                assert isinstance(failed.__cause__, StateFailed)
                return failed.__cause__.error

    assert asyncio.run(main("aws", "")) == "States.DataLimitExceeded"
    assert asyncio.run(main("", "aws")) == "x"
    with mock.patch("overwinter.orchestrator.machine.decider.FRESH", 1):
        assert asyncio.run(main("aws", "")) == "States.DataLimitExceeded"


def test_limits_that_there_are_not() -> None:
    with pytest.raises(InvalidInput, match="no limits 'azure'"):
        StateMachine("m", single({"Type": "Pass"}), limits="azure")  # type: ignore[arg-type]
    decider = MachineDecider(StateMachine("m", single({"Type": "Pass"})), "x")
    entries = [
        {"type": "start", "at": 1, "input": {}, "seed": "s"},
        {"type": "machine", "at": 1, "definition": single({"Type": "Pass"}), "limits": "later"},
    ]
    decider.replay("", 1, entries, 1)
    assert decider.decide().status == "stuck" and "'later'" in decider.decide().error
    assert limiting.LIMITS.keys() == {"", "aws"}
