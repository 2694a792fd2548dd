"""What the corpus has to have in it: every kind of state with every field in both query languages, every operator,
intrinsic function, error name, function that Step Functions adds to JSONata, and field of the context object.

The lists are written out here, by the specification and by AWS's documentation, and not taken from the code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from .cases import CASES, cases

ALL = dict(cases())
TEXT = "\n".join(json.dumps(case["definition"]) for case in ALL.values())
ORDERS = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TOP = words("Comment StartAt States Version TimeoutSeconds QueryLanguage")
FIELDS = {
    "Pass": words("Next End Assign"),
    "Task": words("Next End Assign Resource TimeoutSeconds HeartbeatSeconds Credentials Retry Catch"),
    "Choice": words("Choices Default Assign"),
    "Wait": words("Next End Assign Seconds Timestamp"),
    "Succeed": words(""),
    "Fail": words("Error Cause"),
    "Parallel": words("Next End Assign Branches Retry Catch"),
    "Map": words(
        "Next End Assign ItemProcessor ItemSelector MaxConcurrency ToleratedFailureCount ToleratedFailurePercentage "
        "Retry Catch"
    ),
}
"""What a state has in both languages. Comment and QueryLanguage, which mean the same in all, stand in one."""
PATHS = words("InputPath OutputPath")
OF_JSONPATH = {
    "Pass": PATHS | words("Parameters Result ResultPath Comment QueryLanguage"),
    "Task": PATHS | words("Parameters ResultSelector ResultPath TimeoutSecondsPath HeartbeatSecondsPath"),
    "Choice": PATHS,
    "Wait": PATHS | words("SecondsPath TimestampPath"),
    "Succeed": PATHS,
    "Fail": words("ErrorPath CausePath"),
    "Parallel": PATHS | words("Parameters ResultSelector ResultPath"),
    "Map": PATHS
    | words(
        "ItemsPath Parameters Iterator ResultSelector ResultPath MaxConcurrencyPath ToleratedFailureCountPath "
        "ToleratedFailurePercentagePath"
    ),
}
OF_JSONATA = {
    "Pass": words("Output QueryLanguage"),
    "Task": words("Arguments Output"),
    "Choice": words("Output"),
    "Wait": words("Output"),
    "Succeed": words("Output"),
    "Fail": words(""),
    "Parallel": words("Arguments Output"),
    "Map": words("Items Output"),
}
LATER = words("Label ItemReader ItemBatcher ResultWriter")
"""Fields of a distributed Map whose cases are still to be written."""
INNER = {
    "Retry": words("ErrorEquals IntervalSeconds MaxAttempts BackoffRate MaxDelaySeconds JitterStrategy"),
    "Catch": words("ErrorEquals Next ResultPath Output Assign"),
    "Choices": words("Variable Condition Next Output Assign And Or Not"),
    "ProcessorConfig": words("Mode ExecutionType"),
}
OPERATORS = words(
    "BooleanEquals BooleanEqualsPath StringMatches IsNull IsPresent IsNumeric IsString IsBoolean IsTimestamp And Or Not"
) | {f"{kind}{order}{path}" for kind in ("String", "Numeric", "Timestamp") for order in ORDERS for path in ("", "Path")}
INTRINSICS = words(
    "Format StringToJson JsonToString Array ArrayPartition ArrayContains ArrayRange ArrayGetItem ArrayLength "
    "ArrayUnique Base64Encode Base64Decode Hash JsonMerge MathRandom MathAdd StringSplit UUID"
)
REFUSE = words(
    "Format StringToJson ArrayPartition ArrayRange ArrayGetItem ArrayLength Base64Decode Hash JsonMerge MathAdd "
    "StringSplit"
)
"""Intrinsic functions that a case has failing, too."""
EXTRA = words("partition range hash random uuid parse")
CONTEXT = words(
    "Execution.Id Execution.Input Execution.Name Execution.RoleArn Execution.StartTime Execution.RedriveCount "
    "State.Name State.EnteredTime State.RetryCount StateMachine.Id StateMachine.Name Task.Token Map.Item.Index "
    "Map.Item.Value"
)
RESERVED = words("input result errorOutput context")
INTRINSIC = "States.Runtime"
GIVEN = words(
    "States.Timeout States.Runtime States.QueryEvaluationError States.ReferencePathConflict "
    "States.ExceedToleratedFailureThreshold"
)
"""Errors that something here fails with."""
NAMED = words(
    "States.ALL States.TaskFailed States.Permissions States.DataLimitExceeded States.BranchFailed "
    "States.NoChoiceMatched States.ParameterPathFailure States.ItemReaderFailed States.ResultWriterFailed "
    "States.Http.Socket States.HeartbeatTimeout States.IntrinsicFailure States.ResultPathMatchFailure"
)
"""Errors that only stand in Retry and Catch: wildcards, what AWS only documents (it says States.Runtime for the choice
that is not met, the path that finds nothing and the intrinsic function that fails, States.Timeout for the missed
heartbeat), and what has no occasion here (permissions, limits, data sets)."""


def states_of(flow: Any, language: str) -> Iterator[tuple[dict[str, Any], str]]:
    """All states in a flow, each with its language."""
    for state in flow["States"].values():
        yield state, state.get("QueryLanguage", language)
        for inner in (state.get("ItemProcessor"), state.get("Iterator"), *state.get("Branches", ())):
            if inner is not None:
                yield from states_of(inner, language)


def states() -> Iterator[tuple[dict[str, Any], str]]:
    for case in ALL.values():
        yield from states_of(case["definition"], case["definition"].get("QueryLanguage", "JSONPath"))


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
@pytest.mark.parametrize("kind", FIELDS)
def test_every_field_of_every_state(kind: str, language: str) -> None:
    wanted = FIELDS[kind] | (OF_JSONPATH if language == "JSONPath" else OF_JSONATA)[kind]
    found = {field for state, spoken in states() if (state["Type"], spoken) == (kind, language) for field in state}
    assert found >= wanted, sorted(wanted - found)
    assert not found & LATER


def test_every_field_of_the_machine() -> None:
    assert {field for case in ALL.values() for field in case["definition"]} == TOP


@pytest.mark.parametrize("kind", INNER)
def test_every_field_within_a_state(kind: str) -> None:
    found: set[str] = set()
    for state, _ in states():
        parts = (state.get("ItemProcessor", {}) if kind == "ProcessorConfig" else state).get(kind, ())
        found |= {field for part in ([parts] if isinstance(parts, dict) else parts) for field in part}
    assert found >= INNER[kind], sorted(INNER[kind] - found)


def outcomes(rule: Any, outcome: Any, found: dict[str, set[str]]) -> None:
    """Which operators led to which outcome."""
    for name, value in rule.items():
        if name in OPERATORS:
            found.setdefault(name, set()).add(json.dumps(outcome))
        for inner in value if name in ("And", "Or") else [value] if name == "Not" else ():
            outcomes(inner, outcome, found)


def test_every_operator_with_more_than_one_outcome() -> None:
    found: dict[str, set[str]] = {}
    for case in ALL.values():
        for state, _ in states_of(case["definition"], ""):
            for rule in state.get("Choices", ()):
                outcomes(rule, case.get("output", case.get("error")), found)
    assert not sorted(name for name in OPERATORS if len(found.get(name, ())) < 2)


def test_every_intrinsic_function_and_some_of_them_failing() -> None:
    broken = "".join(json.dumps(case["definition"]) for case in ALL.values() if case.get("error") == INTRINSIC)
    assert {name for name in INTRINSICS if f"States.{name}(" in TEXT} == INTRINSICS
    assert {name for name in INTRINSICS if f"States.{name}(" in broken} == REFUSE


def test_every_function_that_is_added_to_jsonata() -> None:
    assert not sorted(name for name in EXTRA if not re.search(rf"\${name}\(", TEXT))


def test_every_part_of_the_context_and_of_what_is_reserved() -> None:
    assert not sorted(field for field in CONTEXT if f"$$.{field}" not in TEXT)
    assert not sorted(field for field in RESERVED if f"$states.{field}" not in TEXT)


def test_every_error_name() -> None:
    given = {case.get("error") for case in ALL.values()}
    parts = [part for state, _ in states() for part in (*state.get("Retry", ()), *state.get("Catch", ()))]
    named = {name for part in parts for name in part["ErrorEquals"]}
    assert not sorted(GIVEN - given)
    assert not sorted((GIVEN | NAMED) - named)


def test_each_case_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    count = sum(len(json.loads(file.read_text("utf-8"))) for file in CASES.glob("*.json"))
    assert count == len(ALL) >= 400, "two cases of a file have the same id"
    known = words("id source definition input output error cause history seconds resources machines callbacks")
    for id, case in ALL.items():
        assert words("id source definition") <= set(case) <= known, id
        assert ("output" in case) != ("error" in case), id
        assert "cause" not in case or "error" in case, id
    failing = [case for case in ALL.values() if "error" in case]
    told = sum("cause" in case for case in failing)
    histories = sum("history" in case for case in ALL.values())
    with capsys.disabled():
        print(f"\ncorpus: {count} cases, {len(failing)} fail, {told} of them with their cause; {histories} histories")
    assert told > 0.7 * len(failing)
