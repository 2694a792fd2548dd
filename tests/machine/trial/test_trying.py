"""States and machines that are tried out: what AWS's TestState says of the same, and no more than mocks say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from overwinter import InvalidInput
from overwinter.orchestrator.machine.definition.document import Document
from overwinter.orchestrator.machine.trial.trying import Trials
from overwinter.orchestrator.machine.validation.checking import check
from overwinter.testing import Tested, test_machine, test_state
from overwinter.tests.machine.running.definitions import definitions, values

CARD: dict[str, Any] = {
    "StartAt": "Pay",
    "States": {
        "Pay": {
            "Type": "Task",
            "Resource": "pay",
            "InputPath": "$.order",
            "Parameters": {"id.$": "$.id"},
            "ResultSelector": {"receipt.$": "$.r"},
            "ResultPath": "$.paid",
            "Assign": {"seen": True},
            "Retry": [
                {"ErrorEquals": ["Never"]},
                {"ErrorEquals": ["Slow"], "IntervalSeconds": 3, "MaxAttempts": 2, "BackoffRate": 2},
            ],
            "Catch": [{"ErrorEquals": ["Other"], "Next": "End"}, {"ErrorEquals": ["Refused"], "Next": "Sorry"}],
            "Next": "End",
        },
        "Sorry": {"Type": "Fail", "Error": "NoCard"},
        "End": {"Type": "Succeed"},
    },
}
ORDER = {"order": {"id": 7}}
EACH: dict[str, Any] = {
    "StartAt": "Each",
    "States": {
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemSelector": {"x.$": "$$.Map.Item.Value"},
            "MaxConcurrency": 1,
            "ToleratedFailurePercentage": 50,
            "ItemProcessor": {
                "StartAt": "One",
                "States": {
                    "One": {
                        "Type": "Task",
                        "Resource": "one",
                        "Retry": [{"ErrorEquals": ["Slow"], "MaxAttempts": 2}],
                        "End": True,
                    }
                },
            },
            "End": True,
        }
    },
}
THREE = {"items": ["a", "b", "c"]}


def test_pytest_does_not_take_them_for_tests(request: pytest.FixtureRequest) -> None:
    names = {item.name for item in request.session.items if item.path == request.path}
    assert "test_pytest_does_not_take_them_for_tests" in names
    assert not {"test_state", "test_machine"} & names


def test_every_step_from_input_to_output_is_told() -> None:
    tested = test_state(CARD, "Pay", ORDER, mock={"result": {"r": "r-1"}}, variables={"old": 1})
    assert tested == Tested(
        "SUCCEEDED",
        {**ORDER, "paid": {"receipt": "r-1"}},
        next_state="End",
        inspection={
            "input": ORDER,
            "afterInputPath": {"id": 7},
            "afterParameters": {"id": 7},
            "result": {"r": "r-1"},
            "afterResultSelector": {"receipt": "r-1"},
            "afterResultPath": {**ORDER, "paid": {"receipt": "r-1"}},
            "variables": {"old": 1, "seen": True},
        },
    )


def test_what_did_not_come_to_pass_is_not_told() -> None:
    tested = test_state(CARD, "Pay", {}, mock={"result": 1})
    assert tested.status == "FAILED" and tested.error == "States.Runtime"
    assert set(tested.inspection) == {"input"}
    tested = test_state(CARD, "Pay", ORDER, mock={"result": 1})
    assert set(tested.inspection) == {"input", "afterInputPath", "afterParameters", "result"}
    assert "output" not in tested.as_json()


def test_of_jsonata() -> None:
    state = {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": "pay",
        "Arguments": {"id": "{% $states.input.id + $one %}"},
        "Output": "{% $states.result.r & $states.context.Execution.Name %}",
        "Assign": {"two": "{% $one + 1 %}"},
        "End": True,
    }
    context = {"Execution": {"Name": "-x"}}
    tested = test_state(state, None, {"id": 7}, mock={"result": {"r": "r"}}, variables={"one": 1}, context=context)
    assert tested.as_json() == {
        "status": "SUCCEEDED",
        "output": "r-x",
        "inspectionData": {
            "input": {"id": 7},
            "afterArguments": {"id": 8},
            "result": {"r": "r"},
            "variables": {"one": 1, "two": 2},
        },
    }


@pytest.mark.parametrize(
    ("mock", "count", "status", "details"),
    [
        ({"error": "Slow"}, 0, "RETRIABLE", {"retryIndex": 1, "retryBackoffIntervalSeconds": 3}),
        ({"error": "Slow"}, 1, "RETRIABLE", {"retryIndex": 1, "retryBackoffIntervalSeconds": 6}),
        ({"error": "Slow"}, 2, "FAILED", None),
        ({"errorOutput": {"error": "Refused", "cause": "c"}}, 0, "CAUGHT_ERROR", {"catchIndex": 1}),
        ([{"error": "Slow"}, {"error": "Refused", "cause": "c"}], 0, "CAUGHT_ERROR", {"catchIndex": 1}),
        ([{"error": "Slow"}, {"error": "Slow"}], 0, "RETRIABLE", {"retryIndex": 1, "retryBackoffIntervalSeconds": 6}),
        ([{"error": "Slow"}] * 3, 0, "FAILED", None),
        ([{"error": "Slow"}, {"result": {"r": 1}}], 0, "SUCCEEDED", None),
        ({"0-1": {"Throw": {"Error": "Slow", "Cause": "c"}}, "2": {"Return": {"r": 1}}}, 0, "SUCCEEDED", None),
    ],
)
def test_errors_are_tried_again_and_caught(mock: Any, count: int, status: str, details: Any) -> None:
    tested = test_state(CARD, "Pay", ORDER, mock=mock, retrier_retry_count=count)
    assert tested.status == status
    assert tested.inspection.get("errorDetails") == details
    if status == "CAUGHT_ERROR":
        assert (tested.error, tested.cause, tested.next_state) == ("Refused", "c", "Sorry")
        assert tested.output == {"Error": "Refused", "Cause": "c"}
    elif status == "SUCCEEDED":
        assert (tested.error, tested.next_state) == (None, "End")
    else:
        assert (tested.error, tested.next_state) == ("Slow", None)


def test_a_map_by_its_mock() -> None:
    tested = test_state(EACH, "Each", THREE, mock={"result": [1, 2, 3]})
    assert tested.output == [1, 2, 3]
    told = tested.inspection
    assert told["afterItemsPath"] == ["a", "b", "c"]
    assert told["afterItemSelector"] == [{"x": "a"}, {"x": "b"}, {"x": "c"}]
    assert (told["maxConcurrency"], told["toleratedFailurePercentage"]) == (1, 50)
    assert test_state(EACH, "Each", THREE, mock={"result": [1]}, map_iteration_failure_count=1).status == "SUCCEEDED"
    tested = test_state(EACH, "Each", THREE, mock={"result": [1]}, map_iteration_failure_count=2)
    assert (tested.status, tested.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    tested = test_state(EACH, "Each", THREE, mock={"error": "E"}, error_caused_by_state="One")
    assert (tested.status, tested.error) == ("FAILED", "E")


def test_a_map_by_what_is_within_it() -> None:
    mocks = {"One": {"items": [{"result": 1}, [{"error": "Slow"}, {"result": 2}], {"error": "Bad", "cause": "c"}]}}
    tested = test_state(EACH, "Each", THREE, mocks=mocks)
    assert tested.output == tested.inspection["result"] == [1, 2, {"Error": "Bad", "Cause": "c"}]
    assert tested.inspection["afterItemSelector"] == [{"x": "a"}, {"x": "b"}, {"x": "c"}]


def test_a_state_within_another_sees_the_item_it_is_told_of() -> None:
    inner = EACH["States"]["Each"]["ItemProcessor"]["States"]["One"] | {"Parameters": {"at.$": "$$.Map.Item.Index"}}
    each = EACH["States"]["Each"] | {"ItemProcessor": {"StartAt": "One", "States": {"One": inner}}}
    definition = {"StartAt": "Each", "States": {"Each": each}}
    context = {"Map": {"Item": {"Index": 5, "Value": "v"}}}
    tested = test_state(definition, "One", 1, mock={"result": 2}, context=context)
    assert tested.inspection["afterParameters"] == {"at": 5}


def test_a_parallel_and_a_task_with_a_token() -> None:
    token = {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}}
    asks = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": token}
    branch = {"StartAt": "Ask", "States": {"Ask": {**asks, "End": True}}}
    both = {"Type": "Parallel", "Branches": [branch, {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": True}}}]}
    state = {**both, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Else"}], "Next": "Then"}
    assert test_state(state, None, 1, mock={"result": ["x", "y"]}).output == ["x", "y"]
    tested = test_state(state, None, 1, mocks={"Ask": {"result": {"yes": True}}})
    assert (tested.output, tested.next_state) == ([{"yes": True}, 1], "Then")
    tested = test_state(state, None, 1, mocks={"Ask": {"error": "No"}})
    assert (tested.status, tested.next_state) == ("CAUGHT_ERROR", "Else")


def test_states_that_call_nothing() -> None:
    wait = {"Type": "Wait", "TimestampPath": "$.at", "Next": "B"}
    assert test_state(wait, None, {"at": "2031-01-01T00:00:00Z"}).next_state == "B"
    choice = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.n", "NumericLessThan": 5, "Next": "Few"}],
        "Default": "Many",
    }
    assert [test_state(choice, None, {"n": n}).next_state for n in (4, 5)] == ["Few", "Many"]
    fail = test_state({"Type": "Fail", "ErrorPath": "$.e", "Cause": "why"}, None, {"e": "E"})
    assert (fail.status, fail.error, fail.cause) == ("FAILED", "E", "why")
    made = test_state({"Type": "Pass", "Result": [1], "ResultPath": "$.r", "End": True}, None, {})
    assert made.output == {"r": [1]} and made.inspection["result"] == [1]
    clock = {"Type": "Pass", "Parameters": {"at.$": "$$.State.EnteredTime"}, "End": True}
    assert test_state(clock, None, {}, now="2030-02-03T04:05:06Z").output == {"at": "2030-02-03T04:05:06.000Z"}


def test_a_whole_machine() -> None:
    tested = test_machine(CARD, ORDER, mocks={"Pay": [{"error": "Slow"}, {"error": "Refused"}]})
    assert tested == Tested("FAILED", error="NoCard", path=("Pay", "Sorry"))
    tested = test_machine(CARD, ORDER, mocks={"Pay": {"result": {"r": 1}}})
    assert (tested.status, tested.output, tested.path) == (
        "SUCCEEDED",
        {**ORDER, "paid": {"receipt": 1}},
        ("Pay", "End"),
    )
    assert test_machine(EACH, THREE, mocks={"Each": {"result": "mine"}}).output == "mine"


def test_time_passes_at_once() -> None:
    waits = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 86400, "End": True}}}
    assert test_machine(waits).status == "SUCCEEDED"
    assert test_machine({**waits, "TimeoutSeconds": 3600}).error == "States.Timeout"


STORED: dict[str, Any] = {
    "StartAt": "Each",
    "States": {
        "Each": {
            "Type": "Map",
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON"},
                "Parameters": {"Bucket": "b", "Key.$": "$.key"},
            },
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "One",
                "States": {"One": {"Type": "Task", "Resource": "one", "End": True}},
            },
            "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"}},
            "ResultSelector": {"run.$": "$.MapRunArn"},
            "Retry": [{"ErrorEquals": ["States.ItemReaderFailed"], "MaxAttempts": 1}],
            "End": True,
        }
    },
}


def test_of_a_map_that_reads_and_writes_a_mock_says_it_all() -> None:
    written = {"result": {"MapRunArn": "arn"}}
    once = [{"error": "States.ItemReaderFailed"}, written]
    for tested in (
        test_machine(STORED, {"key": "k"}, mocks={"Each": once}),
        test_state(STORED, "Each", {"key": "k"}, mock=once),
        test_state(STORED, "Each", {"key": "k"}, mock=written),
    ):
        assert (tested.status, tested.output) == ("SUCCEEDED", {"run": "arn"})
    assert test_machine(STORED, {}, mocks={"Each": written}).error == "States.Runtime"  # there is no $.key
    assert test_machine(STORED, {"key": "k"}, mocks={"Each": {"error": "No"}}).error == "No"


def test_items_of_a_distributed_map_have_mocks_of_their_own() -> None:
    whole = {name: value for name, value in STORED["States"]["Each"].items() if name.startswith(("Type", "ItemP", "E"))}
    definition = {"StartAt": "Each", "States": {"Each": whole}}
    mocks = {"One": {"items": [{"result": "a"}, [{"result": "b"}]]}}
    assert test_machine(definition, [1, 2], mocks=mocks).output == ["a", "b"]
    batches = {"StartAt": "Each", "States": {"Each": {**whole, "ItemBatcher": {"MaxItemsPerBatch": 2}}}}
    assert test_machine(batches, [1, 2, 3], mocks=mocks).output == ["a", "b"]


GOES_ROUND = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsPresent": True, "Next": "B"}], "Default": "C"},
        "B": {"Type": "Succeed"},
        "C": {"Type": "Pass", "Next": "A"},
    },
}


@pytest.mark.parametrize(
    ("said", "call"),
    [
        ("needs a mock", lambda: test_state(CARD, "Pay", ORDER)),
        ("needs a mock", lambda: test_machine(CARD, ORDER)),
        ("no state 'Pya'", lambda: test_state(CARD, "Pya", ORDER)),
        ("name the state", lambda: test_state(CARD)),
        ("no state 'Pya'", lambda: test_machine(CARD, ORDER, mocks={"Pya": {"result": 1}})),
        ("is a Fail state", lambda: test_machine(CARD, ORDER, mocks={"Sorry": {"result": 1}})),
        ("is a Fail state", lambda: test_state(CARD, "Sorry", mock={"result": 1})),
        ("begun 2 times, and its mock has 1", lambda: test_machine(CARD, ORDER, mocks={"Pay": [{"error": "Slow"}]})),
        ("a mock is", lambda: test_state(CARD, "Pay", ORDER, mock={"reslut": 1})),
        ("a mock is", lambda: test_state(CARD, "Pay", ORDER, mock={"error": ""})),
        ("the list is empty", lambda: test_state(CARD, "Pay", ORDER, mock=[])),
        ("does not follow", lambda: test_state(CARD, "Pay", ORDER, mock={"1": {"Return": 1}})),
        ("does not follow", lambda: test_state(CARD, "Pay", ORDER, mock={"0-99999": {"Return": 1}})),
        (
            "fieldValidationMode",
            lambda: test_state(CARD, "Pay", ORDER, mock={"result": 1, "fieldValidationMode": "STRICT"}),
        ),
        ("for 1 items", lambda: test_machine(EACH, THREE, mocks={"One": {"items": [{"result": 1}]}})),
        ("not within a Map", lambda: test_state(CARD, "Pay", ORDER, mock={"items": [{"result": 1}]})),
        ("needs a mock", lambda: test_machine(STORED, {"key": "k"}, mocks={"One": {"result": 1}})),
        ("give it a mock", lambda: test_state(STORED, "Each", {"key": "k"})),
        (
            "nobody knows how many",
            lambda: test_state(STORED, "Each", {"key": "k"}, mock={"result": 1}, map_iteration_failure_count=1),
        ),
        ("has no Retry", lambda: test_state(EACH, "Each", THREE, mock={"error": "E"}, retrier_retry_count=1)),
        (
            "the Map has 3 items",
            lambda: test_state(EACH, "Each", THREE, mock={"result": 1}, map_iteration_failure_count=4),
        ),
        ("is for a Map", lambda: test_state(CARD, "Pay", ORDER, mock={"result": 1}, map_iteration_failure_count=1)),
        (
            "no state 'Two' within",
            lambda: test_state(EACH, "Each", THREE, mock={"error": "E"}, error_caused_by_state="Two"),
        ),
        ("has not ended", lambda: test_machine(GOES_ROUND)),
        ("is no timestamp", lambda: test_machine(CARD, now="yesterday")),
        ("can't be tested", lambda: test_machine({"StartAt": "A", "States": {}})),
        ("can't be tested", lambda: test_machine("{")),
        ("of one state", lambda: test_machine({"Type": "Succeed"})),
    ],
)
def test_what_is_wrong_is_said(said: str, call: Any) -> None:
    with pytest.raises(InvalidInput, match=said):
        call()


OUTCOMES: Any = st.one_of(
    st.builds(lambda value: {"result": value}, values),
    st.builds(
        lambda error: {"error": error, "cause": "c"}, st.sampled_from(["CustomError", "Other", "States.Timeout"])
    ),
)


@given(definitions(), values, OUTCOMES)
def test_whatever_is_tried_ends_and_changes_nothing(definition: Any, input: Any, outcome: Any) -> None:
    assume(not any(one.blocks for one in check(Document(definition))))
    trials = Trials(definition)
    names = [name for name, state in trials.flow.states.items() if type(state).__name__ in ("Task", "Map", "Parallel")]
    mocks = dict.fromkeys(names, outcome)
    first = trials.machine(input, mocks=mocks)
    assert first == trials.machine(input, mocks=mocks) and first.status in ("SUCCEEDED", "FAILED")
    for name in trials.flow.states:
        tested = trials.state(name, input, mock=outcome if name in names else None)
        assert tested.inspection["input"] == ({} if input is None else input)
        assert (tested.error is None) == (tested.status == "SUCCEEDED")
