"""What is told of executions that wait, are tried again, hand out tokens, begin others, are ended or go on."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest import mock

import pytest

from overwinter import InvalidInput, Runtime, StateMachine, workflow
from overwinter.orchestrator.machine import decider as deciding
from overwinter.orchestrator.machine.history.events import aws_events
from overwinter.orchestrator.machine.history.states import Flow, Visit
from overwinter.orchestrator.machine.history.telling import states
from overwinter.state.errors import UnknownExecution
from overwinter.testing.world import World

from .playing import journal, replayed, to_its_end, told

GIVEN: list[Any] = []
AGAIN = [{"ErrorEquals": ["CustomError"], "IntervalSeconds": 5, "MaxAttempts": 3, "BackoffRate": 1}]


async def keep(given: Any) -> str:
    GIVEN.append(given["token"])
    return "kept"


async def picky(given: Any) -> Any:
    if given in (2, 5):
        raise ValueError(f"{given} is wrong")
    return given


async def twice(given: Any) -> Any:
    GIVEN.append(given)
    if len(GIVEN) == 1:
        raise ValueError("not yet")
    return "well"


def only(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {"End": True, **state}}, **more}


def flow(definition: dict[str, Any], input: Any = None, **how: Any) -> Flow:
    return states(replayed(definition, input, **how))


def first(told: Flow) -> Visit:
    return told.visits[0]


async def as_far_as_it_waits(world: World, run: Any) -> None:
    """Until it waits for the first time."""
    await world.until(lambda: getattr(world.head(run.id), "awaits", "") or None)


async def as_far_as_it_is_sent(world: World, run: Any) -> None:
    """Until another execution has begun for it."""
    await world.until(lambda: any(entry["type"] == "sent" for entry in world.journal(run.id)) or None)


def test_each_attempt_has_its_error_and_when_the_next_one_comes() -> None:
    found = first(flow(only({"Type": "Task", "Resource": "flaky", "Retry": AGAIN}), {"times": 2}))
    assert (found.status, found.result, found.resource) == ("completed", {"failed": 2}, "flaky")
    assert [one.error for one in found.attempts] == ["CustomError", "CustomError", None]
    assert [one.again - one.ended for one in found.attempts[:2] if one.again and one.ended] == [5000, 5000]
    assert [one.began for one in found.attempts[1:]] == [one.again for one in found.attempts[:2]]


def test_what_is_caught_says_what_and_where_it_goes_on() -> None:
    catches = {"Type": "Task", "Resource": "boom", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]}
    definition = {"StartAt": "A", "States": {"A": {**catches, "End": True}, "B": {"Type": "Succeed"}}}
    found = flow(definition)
    assert [(one.name, one.status, one.next) for one in found.visits] == [
        ("A", "caught", "B"),
        ("B", "completed", None),
    ]
    assert found.visits[0].error == "CustomError"


def test_items_and_what_became_of_them() -> None:
    each = {"StartAt": "I", "States": {"I": {"Type": "Task", "Resource": "picky", "End": True}}}
    definition = only({"Type": "Map", "ItemProcessor": each, "ToleratedFailureCount": 2, "MaxConcurrency": 3})
    found = flow(definition, list(range(8)), uses=[picky])
    assert found.status == "completed" and first(found).length == 8
    failed = [index for index, one in first(found).flows.items() if one.status == "failed"]
    assert failed == [2, 5]
    assert first(found).flows[5].visits[0].cause == '{"errorMessage":"5 is wrong","errorType":"ValueError"}'


@pytest.mark.parametrize(
    ("state", "input", "waits", "until"),
    [
        ({"Type": "Wait", "Seconds": 60}, {}, "time", 60_000),
        ({"Type": "Task", "Resource": "flaky", "Retry": AGAIN}, {"times": 1}, "retry", 5000),
        (
            {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Parameters": {"FunctionName": "echo"},
                "TimeoutSeconds": 90,
            },
            {},
            "token",
            90_000,
        ),
        ({"Type": "Task", "Resource": "inner", "TimeoutSeconds": 90}, {}, "execution", 90_000),
    ],
)
def test_what_it_waits_for(state: dict[str, Any], input: Any, waits: str, until: int) -> None:
    inner = StateMachine("inner", only({"Type": "Wait", "Seconds": 3600}))
    act = as_far_as_it_is_sent if waits == "execution" else as_far_as_it_waits
    found = first(flow(only(state), input, act=act, beside=[inner]))
    assert found.status == "waiting" and found.waits is not None
    assert (found.waits.what, (found.waits.until or 0) - found.entered) == (waits, until)
    if waits == "execution":
        assert found.waits.name.startswith("x/")


def test_an_execution_within_is_submitted_before_it_ends() -> None:
    for end in ({"Type": "Pass"}, {"Type": "Fail", "End": None}, {"Type": "Wait", "Seconds": 60}):
        state = {key: value for key, value in {"End": True, **end}.items() if value is not None}
        inner = StateMachine("inner", {"StartAt": "A", "States": {"A": state}})
        given = {"StateMachineArn": "inner", "Input": {}}
        starts = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "Parameters": given}
        types, previous = told(only(starts), beside=[inner])
        ends = ["TaskFailed", "ExecutionFailed"] if end["Type"] == "Fail" else ["TaskSucceeded", "TaskStateExited"]
        assert types[2:7] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", *ends]
        assert previous[:7] == [0, 0, 2, 3, 4, 5, 6]


def test_an_execution_within_a_branch_that_is_cut_is_told_to_end() -> None:
    inner = StateMachine("inner", only({"Type": "Wait", "Seconds": 3600}))
    pause = {"Type": "Wait", "Seconds": 5, "Next": "Stop"}
    fails = {"StartAt": "Pause", "States": {"Pause": pause, "Stop": {"Type": "Fail", "Error": "E"}}}
    calls = {"StartAt": "Call", "States": {"Call": {"Type": "Task", "Resource": "inner", "End": True}}}
    definition = {
        "StartAt": "P",
        "States": {
            "P": {
                "Type": "Parallel",
                "Branches": [fails, calls],
                "Catch": [{"ErrorEquals": ["E"], "Next": "Rest"}],
                "End": True,
            },
            "Rest": {"Type": "Wait", "Seconds": 60, "End": True},
        },
    }
    entries = journal(definition, {}, beside=[inner])
    assert [entry["op"] for entry in entries if entry["type"] == "sent"][-1].endswith(".cancel")
    found = flow(definition, {}, beside=[inner])
    branches = found.visits[0].flows
    assert [(one.status, one.visits[-1].status) for one in branches.values()] == [
        ("failed", "failed"),
        ("aborted", "aborted"),
    ]
    assert found.status == "completed"


def test_an_execution_within_is_submitted_when_it_has_begun() -> None:
    inner = StateMachine("inner", only({"Type": "Wait", "Seconds": 3600}))
    given = {"StateMachineArn": "inner", "Input": {}}
    starts = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "Parameters": given}
    found = replayed(only(starts), act=as_far_as_it_is_sent, beside=[inner])
    last = aws_events(found)[-1]
    assert last["type"] == "TaskSubmitted"
    assert last["taskSubmittedEventDetails"]["resource"] == "startExecution.sync:2"
    assert "ExecutionArn" in last["taskSubmittedEventDetails"]["output"]


def test_items_that_never_began_are_not_cut() -> None:
    fails = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E"}}}
    types, _ = told(only({"Type": "Map", "ItemProcessor": fails}), [1, 2, 3])
    assert types[3:] == [
        "MapIterationStarted",
        "FailStateEntered",
        "MapIterationFailed",
        "MapStateFailed",
        "ExecutionFailed",
    ]


def test_a_token_that_comes_back_at_once_was_given_out_before() -> None:
    begun = asyncio.Event()

    async def slowly(given: Any) -> None:
        GIVEN.append(given["token"])
        begun.set()
        await asyncio.sleep(3600)

    async def act(world: World, run: Any) -> None:
        await begun.wait()
        await world.complete(GIVEN[0], 1)
        await to_its_end(world, run)

    GIVEN.clear()
    waits: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}
    waits |= {"Parameters": {"FunctionName": "slowly", "Payload": {"token.$": "$$.Task.Token"}}}
    types, _ = told(only(waits), {}, act=act, uses=[slowly])
    assert types[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]


def test_one_that_is_not_waited_for_is_not_submitted() -> None:
    inner = StateMachine("inner", only({"Type": "Pass"}))
    given = {"StateMachineArn": "inner", "Input": {}}
    starts = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "Parameters": given}
    assert "TaskSubmitted" not in told(only(starts), beside=[inner])[0]


@pytest.mark.parametrize(("error", "end"), [(None, "TaskSucceeded"), ("refused", "TaskFailed")])
def test_a_token_is_given_out_and_comes_back(error: str | None, end: str) -> None:
    async def act(world: World, run: Any) -> None:
        await as_far_as_it_waits(world, run)
        await (world.complete(GIVEN[0], 1) if error is None else world.fail(GIVEN[0], error))
        await to_its_end(world, run)

    GIVEN.clear()
    waits: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}
    waits |= {"Parameters": {"FunctionName": "keep", "Payload": {"token.$": "$$.Task.Token"}}}
    found = replayed(only(waits), {}, act=act, uses=[keep])
    events = aws_events(found)
    assert [one["type"] for one in events][2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", end]
    assert events[4]["taskSubmittedEventDetails"] == {
        "resourceType": "lambda",
        "resource": "invoke.waitForTaskToken",
        "output": '"kept"',
        "outputDetails": {"truncated": False},
    }


@pytest.mark.parametrize("resource", ["arn:aws:states:::sqs:sendMessage", "arn:aws:states:::lambda:invoke"])
def test_what_a_resource_was_named_for_is_known_without_it(resource: str) -> None:
    """An integration that a function stands for gives what the function gives, and states go on by that."""
    rule = {"Variable": "$.ok", "BooleanEquals": True, "Next": "C"}
    definition = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Task", "Resource": resource, "Next": "B"},
            "B": {"Type": "Choice", "Choices": [rule], "Default": "D"},
            "C": {"Type": "Succeed"},
            "D": {"Type": "Fail"},
        },
    }
    found = flow(definition, {"ok": True}, resources={resource: "echo"})
    assert [one.name for one in found.visits] == ["A", "B", "C"]


@pytest.mark.parametrize("verb", ["cancel", "terminate"])
def test_one_that_is_ended_is_aborted(verb: str) -> None:
    async def act(world: World, run: Any) -> None:
        await as_far_as_it_waits(world, run)
        await (world.cancel(run.id) if verb == "cancel" else world.terminate(run.id))
        await to_its_end(world, run)

    found = replayed(only({"Type": "Wait", "Seconds": 60}), {}, act=act)
    last = aws_events(found)[-1]
    assert (last["type"], last["previousEventId"]) == ("ExecutionAborted", 0)
    assert set(last["executionAbortedEventDetails"]) <= {"cause"}
    assert [(one.status, one.over) for one in states(found).visits] == [("aborted", True)]


def test_one_that_failed_is_redriven() -> None:
    async def act(world: World, run: Any) -> None:
        await to_its_end(world, run)
        await world.retry(run.id)
        await to_its_end(world, run)

    GIVEN.clear()
    found = replayed(only({"Type": "Task", "Resource": "twice"}), 7, act=act, uses=[twice])
    events = aws_events(found)
    ends = [one for one in events if one["type"].startswith("Execution")]
    assert [one["type"].removeprefix("Execution") for one in ends] == ["Started", "Failed", "Redriven", "Succeeded"]
    assert ends[2]["executionRedrivenEventDetails"] == {"redriveCount": 1}
    visit = first(states(found))
    assert (visit.status, visit.error, len(visit.attempts)) == ("completed", None, 2)


@pytest.mark.parametrize("mode", ["INLINE", "DISTRIBUTED"])
def test_what_is_redriven_within_goes_on_where_it_was(mode: str) -> None:
    async def act(world: World, run: Any) -> None:
        await to_its_end(world, run)
        await world.retry(run.id)
        await to_its_end(world, run)

    GIVEN.clear()
    config = {"Mode": mode, **({"ExecutionType": "STANDARD"} if mode == "DISTRIBUTED" else {})}
    states_ = {"I": {"Type": "Task", "Resource": "twice", "End": True}}
    items: dict[str, Any] = {"Type": "Map", "MaxConcurrency": 1, "End": True}
    items["ItemProcessor"] = {"ProcessorConfig": config, "StartAt": "I", "States": states_}
    found = replayed(only(items), [1, 2, 3], act=act, uses=[twice])
    top = first(states(found))
    assert [flow.status for flow in top.flows.values()] == ["completed"] * 3
    assert [len(flow.visits) for flow in top.flows.values()] == [1, 1, 1]
    redriven = [event["type"] for event in aws_events(found) if event["type"].endswith("Redriven")]
    assert redriven == ["ExecutionRedriven", "MapRunRedriven"][: 1 if mode == "INLINE" else 2]


def test_checkpoints_change_nothing() -> None:
    again = {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 9, "Next": "A"}], "Default": "C"}
    counts = {"Type": "Task", "Resource": "add", "Parameters": {"a.$": "$.n", "b": 1}, "ResultPath": "$.n"}
    definition = {"StartAt": "A", "States": {"A": {**counts, "Next": "B"}, "B": again, "C": {"Type": "Succeed"}}}
    whole = told(definition, {"n": 0})
    with mock.patch.object(deciding, "FRESH", 3):
        assert told(definition, {"n": 0}) == whole
    assert len(whole[0]) > 60


def test_a_distributed_map_numbers_its_items_events_on_their_own() -> None:
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    wrong = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $nope() %}", "End": True}
    each = {**processor, "StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "J"}, "J": wrong}}
    found = flow(only({"Type": "Map", "ItemProcessor": each}), [1, 2])
    causes = [one.cause for one in found.walk() if one.name == "J" and one.cause]
    assert causes and all("'J' (entered at the event id #4)" in cause for cause in causes)


def test_who_is_no_state_machine_is_refused() -> None:
    @workflow
    async def plain(ctx: Any, input: int) -> int:
        return input

    async def main() -> None:
        async with Runtime([plain], "memory://") as runtime:
            await (await runtime.start(plain, 1, id="p")).result()
            assert await runtime.replayed("p") is None
            with pytest.raises(InvalidInput, match="p is no state machine's execution"):
                await runtime.aws_history("p")
            with pytest.raises(UnknownExecution):
                await runtime.aws_history("nobody")

    asyncio.run(main())
