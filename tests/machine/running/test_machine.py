"""State machines as functions: of workflows, of agents, with tokens, nested, tried again, stopped, in time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from overwinter import (
    Agent,
    Context,
    ExecutionFailed,
    InvalidInput,
    Runtime,
    Scripted,
    StateFailed,
    StateMachine,
    call,
    tool,
    workflow,
)
from overwinter.orchestrator.machine import decider as deciding
from overwinter.orchestrator.machine.decider import MachineDecider
from overwinter.orchestrator.protocol.decider import Verdict
from overwinter.state.memory import MemoryStore
from overwinter.state.quantities import LATEST
from overwinter.testing import crash_everywhere

GIVEN: list[Any] = []


def on_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        GIVEN.clear()
        asyncio.run(test())

    return run


def on_a_loop_with(test: Callable[[Any], Coroutine[Any, Any, None]]) -> Callable[[Any], None]:
    @wraps(test)
    def run(name: Any) -> None:
        asyncio.run(test(name))

    return run


@tool(effect="irreversible", in_doubt="fail")
async def pay(order: str) -> str:
    """Once."""
    GIVEN.append(order)
    return f"paid {order}"


async def keep(given: Any) -> None:
    GIVEN.append(given["token"])


async def once_wrong(given: Any) -> str:
    GIVEN.append(given)
    if len(GIVEN) == 1:
        raise ValueError("not yet")
    return "well"


def single(state: dict[str, Any], **top: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {**state, "End": True}}, **top}


PAYS = single({"Type": "Task", "Resource": "pay", "Parameters": {"order.$": "$.order"}})
paying = StateMachine("paying", PAYS, [pay])


@on_a_loop
async def test_it_is_called_from_workflows_and_by_agents() -> None:
    @workflow
    async def buys(ctx: Context, order: str) -> str:
        return str(await ctx.call(paying, {"order": order}))

    desk = Agent("desk", Scripted([call("paying", input={"order": "b"}), "done"]), tools=[paying])
    async with Runtime([buys, desk], "memory://") as runtime:
        assert await (await runtime.start(buys, "a")).result() == "paid a"
        assert await (await runtime.start(desk, "hi")).result() == "done"
    assert GIVEN == ["a", "b"]


@on_a_loop
async def test_a_tool_that_can_not_be_taken_back_is_recorded_as_begun() -> None:
    async with Runtime([paying], "memory://") as runtime:
        await (await runtime.start(paying, {"order": "a"}, id="x")).result()
        kinds = [entry["type"] async for entry in runtime.entries("x")]
    assert kinds == ["start", "machine", "begun", "step", "completed"] or kinds[1:3] == ["begun", "machine"]


@on_a_loop
async def test_who_has_the_token_completes_the_task() -> None:
    waits: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}
    waits |= {"Parameters": {"FunctionName": "keep", "Payload": {"token.$": "$$.Task.Token"}}, "HeartbeatSeconds": 60}
    machine = StateMachine("asks", single(waits), [keep])
    async with Runtime([machine], "memory://") as runtime:
        for value, error in (({"ok": True}, None), (None, "refused")):
            GIVEN.clear()
            handle = await runtime.start(machine)
            while not (GIVEN and (await runtime.show(handle.id)).awaits == "task token of A"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await runtime.callback(GIVEN[0], value=value, error=error)
            if error is None:
                assert await handle.result() == {"ok": True}
            else:
                with pytest.raises(ExecutionFailed) as failed:
                    await handle.result()
                assert isinstance(failed.value.__cause__, StateFailed) and "refused" in failed.value.__cause__.cause


@on_a_loop
async def test_a_machine_in_a_machine_fails_as_it_did() -> None:
    inner = StateMachine("inner", {"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "E", "Cause": "why"}}})
    outer = StateMachine("outer", single({"Type": "Task", "Resource": "inner"}), [inner])
    async with Runtime([outer], "memory://") as runtime:
        with pytest.raises(ExecutionFailed) as failed:
            await (await runtime.start(outer)).result()
    cause = failed.value.__cause__
    assert isinstance(cause, StateFailed) and (cause.error, cause.cause) == ("E", "why")


@on_a_loop
async def test_an_execution_that_is_waited_for_fails_its_task_as_aws_describes_it() -> None:
    inner = StateMachine("inner", {"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "E", "Cause": "why"}}})
    waits = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "inner", "Name": "x-1", "Input": {"k": 1}},
    }
    async with Runtime([StateMachine("outer", single(waits)), inner], "memory://") as runtime:
        with pytest.raises(ExecutionFailed) as failed:
            await (await runtime.start("outer")).result()
    cause = failed.value.__cause__
    assert isinstance(cause, StateFailed) and cause.error == "States.TaskFailed"
    told = json.loads(cause.cause)
    assert list(told) == sorted(told) and told.pop("StopDate") >= told.pop("StartDate") > 10**12
    assert told == {
        "Cause": "why",
        "Error": "E",
        "ExecutionArn": "x-1",
        "Input": '{"k":1}',
        "InputDetails": {"Included": True},
        "Name": "x-1",
        "RedriveCount": 0,
        "RedriveStatus": "REDRIVABLE",
        "StateMachineArn": "inner",
        "Status": "FAILED",
    }


def test_a_child_is_recorded_before_it_is_begun() -> None:
    """Also beside a call that is made at once: `crash_everywhere` fails where a parent does not tell of a child."""
    inner = StateMachine("inner", single({"Type": "Pass", "Result": 1}))
    branches = [{"StartAt": f, "States": {f: {"Type": "Task", "Resource": f, "End": True}}} for f in ("same", "inner")]
    outer = StateMachine("outer", single({"Type": "Parallel", "Branches": branches}), [inner, same])
    report = crash_everywhere(outer, {"n": 1})
    assert report.outcome.value == [{"n": 1}, 1]
    with mock.patch.object(deciding, "FRESH", 2):
        assert crash_everywhere(outer, {"n": 1}).outcome.value == [{"n": 1}, 1]


@on_a_loop
async def test_a_failed_one_is_tried_again_where_it_failed() -> None:
    machine = StateMachine("m", single({"Type": "Task", "Resource": "once_wrong"}), [once_wrong])
    async with Runtime([machine], "memory://") as runtime:
        handle = await runtime.start(machine, id="x")
        with pytest.raises(ExecutionFailed):
            await handle.result()
        await runtime.retry("x")
        assert await handle.result() == "well"


@on_a_loop
async def test_one_that_goes_round_for_ever_can_be_ended() -> None:
    states: dict[str, Any] = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}
    with pytest.raises(InvalidInput, match="end"):
        StateMachine("m", {"StartAt": "A", "States": states})
    ends = {"Type": "Choice", "Choices": [{"Variable": "$.on", "BooleanEquals": False, "Next": "C"}], "Default": "A"}
    states = {"A": {"Type": "Pass", "Next": "B"}, "B": ends, "C": {"Type": "Succeed"}}
    machine = StateMachine("m", {"StartAt": "A", "States": states})
    async with Runtime([machine], "memory://") as runtime:
        handle = await runtime.start(machine, {"on": True}, id="x")
        await asyncio.sleep(0.05)
        await runtime.cancel("x", reason="enough")
        with pytest.raises(Exception, match="enough"):
            await handle.result(timeout=20)


@on_a_loop
async def test_it_ends_when_its_time_is_over() -> None:
    machine = StateMachine("m", single({"Type": "Wait", "Seconds": 3600}, TimeoutSeconds=1))
    async with Runtime([machine], "memory://") as runtime:
        with pytest.raises(ExecutionFailed, match=r"States\.Timeout"):
            await (await runtime.start(machine)).result()


@on_a_loop
async def test_an_execution_stays_with_its_definition() -> None:
    old = StateMachine("m", single({"Type": "Wait", "Seconds": 1, "Comment": "old"}))
    new = StateMachine("m", {"StartAt": "A", "States": {"A": {"Type": "Fail"}}})
    store = MemoryStore()
    async with Runtime([old], store) as runtime:
        await runtime.start(old, {"n": 1}, id="x")
        while (await runtime.show("x")).status != "waiting":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    async with Runtime([new], store) as runtime:
        assert await runtime.result("x", timeout=20) == {"n": 1}


LOOP = {
    "StartAt": "T",
    "States": {
        "T": {"Type": "Task", "Resource": "more", "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 12, "Next": "M"}], "Default": "D"},
        "M": {
            "Type": "Map",
            "ItemsPath": "$.list",
            "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Wait", "Seconds": 1, "End": True}}},
            "ResultPath": None,
            "Next": "T",
        },
        "D": {"Type": "Succeed", "OutputPath": "$.n"},
    },
}


async def more(given: Any) -> Any:
    return {**given, "n": given["n"] + 1}


def test_a_long_one_goes_on_from_its_checkpoints() -> None:
    machine = StateMachine("m", LOOP, [more])
    with mock.patch.object(deciding, "FRESH", 5):
        report = crash_everywhere(machine, {"n": 8, "list": [1, 2]})
    assert report.outcome.value == 12


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject"}, r"allow = \['s3:getObject'\]"),
        ({"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun"}, "glue:startJobRun does not run here"),
        ({"Type": "Task", "Resource": "pay", "TimeoutSecond": 1}, "TimeoutSecond"),
    ],
)
def test_what_can_not_be_run_is_refused_when_it_is_made(state: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        StateMachine("m", single(state))


def test_only_functions_are_called() -> None:
    for wrong in (5, "pay", None):
        with pytest.raises(InvalidInput, match="a state machine calls"):
            StateMachine("m", {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}, [wrong])


async def same(given: Any) -> Any:
    return given


@pytest.mark.parametrize(("items", "size"), [(60, 1000), (60, 60_000), (40, 250_000)])
def test_what_it_holds_may_be_large(items: int, size: int, tmp_path: Path) -> None:
    """Larger than an entry, than half of a value, than a checkpoint may be."""
    each = {"StartAt": "I", "States": {"I": {"Type": "Task", "Resource": "same", "End": True}}}
    machine = StateMachine("m", single({"Type": "Map", "MaxConcurrency": 5, "ItemProcessor": each}), [same])

    async def main() -> None:
        async with Runtime([machine], f"sqlite:///{tmp_path}/large.db") as runtime:
            handle = await runtime.start(machine, ["x" * size] * items, id="x")
            assert await handle.result(timeout=60) == ["x" * size] * items

    with mock.patch.object(deciding, "FRESH", 20):
        asyncio.run(main())


def test_a_definition_may_be_large() -> None:
    definition = single({"Type": "Pass", "Result": "x" * 400_000})
    report = crash_everywhere(StateMachine("m", definition), {}, kills=3)
    assert report.outcome.value == "x" * 400_000


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Wait", "SecondsPath": "$.n"},
        {"Type": "Task", "Resource": "same", "TimeoutSecondsPath": "$.n"},
        {
            "Type": "Task",
            "Resource": "once_wrong",
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 99_999_999, "BackoffRate": 1e200}],
        },
    ],
    ids=["wait", "timeout", "backoff"],
)
@pytest.mark.parametrize("number", [10**18, 10**300, 1e300])
def test_no_time_is_too_late(state: dict[str, Any], number: float) -> None:
    decider = MachineDecider(StateMachine("m", single(state), [same, once_wrong]), "x")
    assert decider.offer({"type": "start", "at": 1, "input": {"n": number}, "seed": "s"}) is Verdict.TAKEN
    failed: dict[str, Any] = {"type": "step", "name": "t", "at": 2, "ms": 0, "error": {"kind": "E", "message": ""}}
    for _ in range(3):
        for effect in decider.decide().perform:
            assert "Retry" not in state or decider.offer(failed | {"op": effect.op}) is Verdict.TAKEN
        decision = decider.decide()
        assert decision.status == "waiting" and decision.wake is not None and decision.wake <= LATEST
        for fact in decider.expire(LATEST) if "Retry" in state else ():
            assert decider.offer(fact) is Verdict.TAKEN


@pytest.mark.parametrize("name", ["a\nb", "..", "", 5, "x" * 2000])
@on_a_loop_with
async def test_the_name_of_an_execution_is_an_id(name: Any) -> None:
    given = {"StateMachineArn": "paying", "Input": {"order": "a"}, "Name": name}
    starts = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "Parameters": given}
    outer = StateMachine("outer", single(starts), [paying])
    async with Runtime([outer], "memory://") as runtime:
        with pytest.raises(ExecutionFailed, match=r"StepFunctions\.InvalidName"):
            await (await runtime.start(outer)).result()
        assert [head.function for head in (await runtime.store.executions()).heads] == ["outer"]


def test_two_functions_have_two_names() -> None:
    @tool(name="pay")
    async def other(order: str) -> str:
        """Another one."""
        return order

    with pytest.raises(InvalidInput, match="two of the functions are named 'pay'"):
        StateMachine("m", PAYS, [pay, other])
