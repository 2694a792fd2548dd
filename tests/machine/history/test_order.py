"""Which events there are, in which order, and which event each follows. What is expected was seen on AWS, as people
wrote down who compared an emulator with it (floci-io/floci, issues 2520 and 2868)."""

from __future__ import annotations

from typing import Any

import pytest

from .playing import told

STARTED, ENDED, LOST = ["ExecutionStarted"], ["ExecutionSucceeded"], ["ExecutionFailed"]


def machine(state: dict[str, Any], called: str = "S", **others: Any) -> dict[str, Any]:
    end: dict[str, Any] = {} if state["Type"] in ("Fail", "Choice", "Succeed") or "Next" in state else {"End": True}
    return {"StartAt": called, "States": {called: {**state, **end}, **others}}


def parallel(*states: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "Branches": [machine(one, f"B{number}") for number, one in enumerate(states)], **more}


def mapped(state: dict[str, Any], mode: str = "INLINE", **more: Any) -> dict[str, Any]:
    config = {"Mode": mode} | ({"ExecutionType": "STANDARD"} if mode == "DISTRIBUTED" else {})
    return {"Type": "Map", "ItemProcessor": {"ProcessorConfig": config, **machine(state, "I")}, **more}


LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:"
PASS, FAIL = {"Type": "Pass"}, {"Type": "Fail", "Error": "MyError", "Cause": "my cause"}
ECHO, BOOM = {"Type": "Task", "Resource": "echo"}, {"Type": "Task", "Resource": "boom"}
WRONG_PATH = {"Type": "Pass", "Parameters": {"m.$": "$.nope"}}
WRONG_QUERY = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input.missing %}"}
ONCE_MORE = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "IntervalSeconds": 1}]
CAUGHT = [{"ErrorEquals": ["States.ALL"], "Next": "After"}]
SLOW = {"Type": "Task", "Resource": "slow"}
LONG, SOON = {"Type": "Wait", "Seconds": 20}, {"Type": "Wait", "Seconds": 1, "Next": "Boom"}
FAILS_LATER: dict[str, Any] = {"StartAt": "Pause", "States": {"Pause": SOON, "Boom": FAIL}}

_TASK = ["TaskScheduled", "TaskStarted"]
_PASSED = ["PassStateEntered", "PassStateExited"]
CASES: dict[str, tuple[dict[str, Any], Any, list[str], list[int]]] = {
    "pass": (machine(PASS), {}, [*STARTED, *_PASSED, *ENDED], [0, 0, 2, 3]),
    "a task by its name": (
        machine(ECHO), {}, [*STARTED, "TaskStateEntered", *_TASK, "TaskSucceeded", "TaskStateExited", *ENDED],
        [0, 0, 2, 3, 4, 5, 6],
    ),
    "a Lambda function": (
        machine({"Type": "Task", "Resource": LAMBDA + "echo"}), {},
        [*STARTED, "TaskStateEntered", "LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded",
         "TaskStateExited", *ENDED],
        [0, 0, 2, 3, 4, 5, 6],
    ),
    "a Lambda function fails": (
        machine({"Type": "Task", "Resource": LAMBDA + "boom"}), {},
        [*STARTED, "TaskStateEntered", "LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionFailed",
         *LOST],
        [0, 0, 2, 3, 4, 5],
    ),
    "a Lambda function is too slow": (
        machine({"Type": "Task", "Resource": LAMBDA + "slow", "TimeoutSeconds": 1}), {},
        [*STARTED, "TaskStateEntered", "LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionTimedOut",
         *LOST],
        [0, 0, 2, 3, 4, 5],
    ),
    "an integration": (
        machine({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "echo"}}),
        {}, [*STARTED, "TaskStateEntered", *_TASK, "TaskSucceeded", "TaskStateExited", *ENDED], [0, 0, 2, 3, 4, 5, 6],
    ),
    "an integration without what it needs": (
        machine({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {}}), {},
        [*STARTED, "TaskStateEntered", *LOST], [0, 0, 2],
    ),
    "an execution by a name that can't be": (
        machine({"Type": "Task", "Resource": "arn:aws:states:::states:startExecution",
                 "Parameters": {"StateMachineArn": "other", "Name": ""}}), {},
        [*STARTED, "TaskStateEntered", *_TASK, "TaskFailed", *LOST], [0, 0, 2, 3, 4, 5],
    ),
    "a task is tried again": (
        machine({**BOOM, "Retry": ONCE_MORE}), {},
        [*STARTED, "TaskStateEntered", *_TASK, "TaskFailed", *_TASK, "TaskFailed", *LOST], [0, 0, 2, 3, 4, 5, 6, 7, 8],
    ),
    "a task times out": (
        machine({"Type": "Task", "Resource": "slow", "TimeoutSeconds": 1}), {},
        [*STARTED, "TaskStateEntered", *_TASK, "TaskTimedOut", *LOST], [0, 0, 2, 3, 4, 5],
    ),
    "a task is caught": (
        machine({**BOOM, "Catch": CAUGHT}, After={**PASS, "End": True}), {},
        [*STARTED, "TaskStateEntered", *_TASK, "TaskFailed", "TaskStateExited", *_PASSED, *ENDED],
        [0, 0, 2, 3, 4, 5, 6, 7, 8],
    ),
    "the execution times out": (
        {**machine(LONG), "TimeoutSeconds": 1}, {}, [*STARTED, "WaitStateEntered", "ExecutionTimedOut"], [0, 0, 0],
    ),
    "fail": (machine(FAIL), {}, [*STARTED, "FailStateEntered", *LOST], [0, 0, 2]),
    "no choice": (
        machine({"Type": "Choice", "Choices": [{"Variable": "$.x", "IsPresent": True, "Next": "After"}]},
                After={**PASS, "End": True}), {},
        [*STARTED, "ChoiceStateEntered", *LOST], [0, 0, 2],
    ),
    "an expression fails at each attempt": (
        machine({**ECHO, "QueryLanguage": "JSONata", "Arguments": "{% $states.input.missing %}", "Retry": ONCE_MORE}),
        {},
        [*STARTED, "TaskStateEntered", "EvaluationFailed", "EvaluationFailed", *LOST], [0, 0, 2, 3, 4],
    ),
    "parallel": (
        machine(parallel(PASS, PASS)), {},
        [*STARTED, "ParallelStateEntered", "ParallelStateStarted", *_PASSED, *_PASSED, "ParallelStateSucceeded",
         "ParallelStateExited", *ENDED],
        [0, 0, 2, 3, 4, 3, 6, 7, 7, 9],
    ),
    "a path fails in a branch": (
        machine(parallel(WRONG_PATH)), {},
        [*STARTED, "ParallelStateEntered", "ParallelStateStarted", "PassStateEntered", *LOST], [0, 0, 2, 3, 4],
    ),
    "a branch fails": (
        machine(parallel(FAIL)), {},
        [*STARTED, "ParallelStateEntered", "ParallelStateStarted", "FailStateEntered", "ParallelStateFailed", *LOST],
        [0, 0, 2, 3, 4, 5],
    ),
    "a branch fails and is caught": (
        machine(parallel(WRONG_QUERY, Catch=CAUGHT), After={**PASS, "End": True}), {},
        [*STARTED, "ParallelStateEntered", "ParallelStateStarted", "PassStateEntered", "EvaluationFailed",
         "ParallelStateFailed", "ParallelStateExited", *_PASSED, *ENDED],
        [0, 0, 2, 3, 4, 5, 6, 7, 8, 9],
    ),
    "a parallel is tried again": (
        machine(parallel(FAIL, Retry=ONCE_MORE)), {},
        [*STARTED, "ParallelStateEntered", "ParallelStateStarted", "FailStateEntered", "ParallelStateStarted",
         "FailStateEntered", "ParallelStateFailed", *LOST],
        [0, 0, 2, 3, 4, 5, 6, 7],
    ),
    "a parallel's own mistake": (
        machine(parallel(PASS, ResultSelector={"m.$": "$.nope"})), {},
        [*STARTED, "ParallelStateEntered", "ParallelStateStarted", *_PASSED, "ParallelStateSucceeded", *LOST],
        [0, 0, 2, 3, 4, 5, 6],
    ),
    "a task fails in a branch": (
        machine(parallel(BOOM, Catch=CAUGHT), After={**PASS, "End": True}), {},
        [*STARTED, "ParallelStateEntered", "ParallelStateStarted", "TaskStateEntered", *_TASK, "TaskFailed",
         "TaskStateAborted", "ParallelStateFailed", "ParallelStateExited", *_PASSED, *ENDED],
        [0, 0, 2, 3, 4, 5, 6, 7, 7, 9, 10, 11, 12],
    ),
    "a task that can't be called in a branch": (
        machine(parallel({**ECHO, "Parameters": {"a.$": "$.nope"}})), {},
        [*STARTED, "ParallelStateEntered", "ParallelStateStarted", "TaskStateEntered", *LOST], [0, 0, 2, 3, 4],
    ),
    "branches are cut": (
        machine({"Type": "Parallel", "Branches": [FAILS_LATER, machine(LONG, "B"), machine(SLOW, "C")]}),
        {},
        [*STARTED, "ParallelStateEntered", "ParallelStateStarted", "WaitStateEntered", "WaitStateEntered",
         "TaskStateEntered", *_TASK, "WaitStateExited", "FailStateEntered", "WaitStateAborted", "TaskStateAborted",
         "ParallelStateFailed", *LOST],
        [0, 0, 2, 3, 3, 3, 6, 7, 4, 9, 10, 10, 10, 13],
    ),
    "a catcher's own mistake": (
        machine(
            parallel(FAIL, QueryLanguage="JSONata", Catch=[
                {"ErrorEquals": ["States.ALL"], "Output": "{% $states.input.missing %}", "Next": "After"}
            ]), After={**PASS, "End": True},
        ), {},
        [*STARTED, "ParallelStateEntered", "ParallelStateStarted", "FailStateEntered", "ParallelStateFailed",
         "EvaluationFailed", "ParallelStateFailed", *LOST],
        [0, 0, 2, 3, 4, 4, 6, 7],
    ),
    "map": (
        machine(mapped(PASS)), [1, 2],
        [*STARTED, "MapStateEntered", "MapStateStarted", "MapIterationStarted", *_PASSED, "MapIterationSucceeded",
         "MapIterationStarted", *_PASSED, "MapIterationSucceeded", "MapStateSucceeded", "MapStateExited", *ENDED],
        [0, 0, 2, 3, 4, 5, 6, 3, 8, 9, 10, 11, 11, 13],
    ),
    "a map one by one": (
        machine(mapped(PASS, MaxConcurrency=1)), [1, 2],
        [*STARTED, "MapStateEntered", "MapStateStarted", "MapIterationStarted", *_PASSED, "MapIterationSucceeded",
         "MapIterationStarted", *_PASSED, "MapIterationSucceeded", "MapStateSucceeded", "MapStateExited", *ENDED],
        [0, 0, 2, 3, 4, 5, 6, 3, 8, 9, 10, 11, 11, 13],
    ),
    "a map over nothing": (
        machine(mapped(PASS)), [],
        [*STARTED, "MapStateEntered", "MapStateStarted", "MapStateSucceeded", "MapStateExited", *ENDED],
        [0, 0, 2, 3, 3, 5],
    ),
    "an item fails": (
        machine(mapped(WRONG_QUERY, MaxConcurrency=1)), [1, 2],
        [*STARTED, "MapStateEntered", "MapStateStarted", "MapIterationStarted", "PassStateEntered", "EvaluationFailed",
         "MapIterationFailed", "MapStateFailed", *LOST],
        [0, 0, 2, 3, 4, 5, 6, 6, 8],
    ),
    "a path fails in an item": (
        machine(mapped(WRONG_PATH, MaxConcurrency=1)), [1, 2],
        [*STARTED, "MapStateEntered", "MapStateStarted", "MapIterationStarted", "PassStateEntered", *LOST],
        [0, 0, 2, 3, 4, 5],
    ),
    "a map's items can't be told": (
        machine(mapped(PASS, QueryLanguage="JSONata", Items="{% $states.input.missing %}")), {},
        [*STARTED, "MapStateEntered", "EvaluationFailed", "MapStateFailed", *LOST], [0, 0, 2, 3, 4],
    ),
    "items are cut": (
        machine({"Type": "Map", "ItemProcessor": {"StartAt": "Which", "States": {
            "Which": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "Long"}],
                      "Default": "Pause"},
            "Long": {**LONG, "End": True}, **FAILS_LATER["States"],
        }}}), [1, 2],
        [*STARTED, "MapStateEntered", "MapStateStarted", "MapIterationStarted", "ChoiceStateEntered",
         "ChoiceStateExited",
         "WaitStateEntered", "MapIterationStarted", "ChoiceStateEntered", "ChoiceStateExited", "WaitStateEntered",
         "WaitStateExited", "FailStateEntered", "MapIterationAborted", "WaitStateAborted", "MapIterationFailed",
         "MapStateFailed", *LOST],
        [0, 0, 2, 3, 4, 5, 6, 3, 8, 9, 10, 11, 12, 13, 13, 13, 13, 17],
    ),
    "a distributed map": (
        machine(mapped(PASS, "DISTRIBUTED")), [1, 2],
        [*STARTED, "MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunSucceeded", "MapStateSucceeded",
         "MapStateExited", *ENDED],
        [0, 0, 2, 3, 4, 5, 4, 7],
    ),
    "a distributed map fails": (
        machine(mapped(FAIL, "DISTRIBUTED")), [1, 2],
        [*STARTED, "MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunFailed", "MapStateFailed", *LOST],
        [0, 0, 2, 3, 4, 5, 6],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_told_as_aws_tells_it(name: str) -> None:
    definition, input, types, previous = CASES[name]
    assert told(definition, input) == (types, previous)
