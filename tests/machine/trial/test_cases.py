"""Files of cases: what they may say, what is wrong with them, and what differs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overwinter import InvalidInput
from overwinter.orchestrator.machine.definition.document import Document
from overwinter.orchestrator.machine.definition.reading import read
from overwinter.orchestrator.machine.trial.cases import decide, read_cases
from overwinter.orchestrator.machine.trial.trying import Tested, Trials
from overwinter.orchestrator.machine.trial.verdict import NOTHING, differences

DEFINITION = {
    "StartAt": "Pay",
    "States": {
        "Pay": {"Type": "Task", "Resource": "pay", "Retry": [{"ErrorEquals": ["Slow"]}], "Next": "End"},
        "End": {"Type": "Succeed"},
    },
}
EXPECTS = {"expect": {"status": "SUCCEEDED"}}


def verdicts(cases: str) -> list[dict[str, Any]]:
    trials = Trials(DEFINITION)
    return [decide(trials, case).as_json() for case in read_cases(read(cases))]


def test_cases_of_a_file() -> None:
    paid, again, whole, lost = verdicts(
        """
        cases:
        - name: paid
          state: Pay
          mock: {result: {r: 1}}
          expect: {output: {r: 2}, nextState: End}
        - state: Pay
          mock: {error: Slow}
          stateConfiguration: {retrierRetryCount: 2}
          expect: {status: RETRIABLE, inspectionData: {errorDetails: {retryIndex: 0, retryBackoffIntervalSeconds: 4}}}
        - name: whole
          mocks: {Pay: [{error: Slow}, {result: 1}]}
          expect: {output: 1, path: [Pay, End]}
        - name: lost
          expect: {output: 1}
        """
    )
    assert (paid["passed"], paid["state"], paid["line"]) == (False, "Pay", 3)
    assert paid["differences"] == [{"field": "output", "pointer": "/r", "expected": 2, "actual": 1}]
    assert paid["result"]["inspectionData"]["result"] == {"r": 1}
    assert again["passed"] and again["name"] == "1"
    assert whole["passed"] and "state" not in whole
    assert not lost["passed"] and "'Pay' needs a mock" in lost["problem"] and "result" not in lost


@pytest.mark.parametrize(
    ("said", "cases"),
    [
        ("cases are a list", {"case": []}),
        ("there is no case", []),
        ("a case is an object", [1]),
        ("its name should be a text", [{"name": ""}]),
        (r'case \'a\': a case has no field \'mokc\'. Did you mean "mock"', [{"name": "a", "mokc": 1}]),
        ("another case has that name", [{"name": "a", **EXPECTS}, {"name": "a", **EXPECTS}]),
        ("state should be the name", [{"state": 1, **EXPECTS}]),
        ("state should be the name", [{"state": "", **EXPECTS}]),
        ("mocks should be an object", [{"mocks": [], **EXPECTS}]),
        ("now should be a text", [{"now": 1, **EXPECTS}]),
        ("mock is for a case of one state", [{"mock": {"result": 1}, **EXPECTS}]),
        ("expect should say what comes out", [{"name": "a"}]),
        ("expect should say what comes out", [{"expect": {}}]),
        ("expect has no field 'nextstate'. Did you mean \"nextState\"", [{"state": "A", "expect": {"nextstate": "B"}}]),
        ("the status should be one of", [{"expect": {"status": "OK"}}]),
        ("path can be expected of the whole", [{"state": "A", "expect": {"path": []}}]),
        ("nextState can be expected of one", [{"expect": {"nextState": "B"}}]),
        ("inspectionData can be expected of one", [{"expect": {"inspectionData": {}}}]),
        (
            "retrierRetryCount should be a whole",
            [{"state": "A", "stateConfiguration": {"retrierRetryCount": True}, **EXPECTS}],
        ),
        (
            "retrierRetryCount should be a whole",
            [{"state": "A", "stateConfiguration": {"retrierRetryCount": -1}, **EXPECTS}],
        ),
        (
            "errorCausedByState should be a name",
            [{"state": "A", "stateConfiguration": {"errorCausedByState": 1}, **EXPECTS}],
        ),
        ("mapItemReaderData is for", [{"state": "A", "stateConfiguration": {"mapItemReaderData": "a"}, **EXPECTS}]),
    ],
)
def test_what_is_no_case(said: str, cases: Any) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_cases(Document(cases))


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="line 2: the key 'mock' stands twice"):
        read_cases(read('[{"name": "a", "state": "A", "mock": {"result": 1},\n"mock": {"error": "E"}, "expect": {}}]'))


def test_a_mistake_names_its_line() -> None:
    with pytest.raises(InvalidInput, match=r"case 'b' \(line 2\)"):
        read_cases(read("- {name: a, expect: {status: FAILED}}\n- {name: b}\n"))


OK = Tested("SUCCEEDED", {"a": [1, {"b": None}], "c": True}, next_state="N", inspection={"result": 1, "input": {}})


@pytest.mark.parametrize(
    ("expected", "wrong"),
    [
        ({"output": {"a": [1, {"b": None}], "c": True}, "nextState": "N"}, []),
        ({"output": {"c": True, "a": [1.0, {"b": None}]}}, []),
        ({"error": None, "cause": None}, []),
        ({"inspectionData": {"result": 1}}, []),
        ({"status": "FAILED"}, [("status", "", "FAILED", "SUCCEEDED")]),
        ({"output": {"a": [1, {"b": 0}], "c": 1}}, [("output", "/a/1/b", 0, None), ("output", "/c", 1, True)]),
        ({"output": {"a": [1], "c": True}}, [("output", "/a/1", NOTHING, {"b": None})]),
        ({"output": {"a": [1, {"b": None}], "c": True, "d/": 1}}, [("output", "/d~1", 1, NOTHING)]),
        ({"output": {"a": [1, {}], "c": True}}, [("output", "/a/1/b", NOTHING, None)]),
        ({"output": []}, [("output", "", [], OK.output)]),
        ({"nextState": None}, [("nextState", "", None, "N")]),
        ({"inspectionData": {"input": [], "afterInputPath": 1}},
         [("inspectionData", "/input", [], {}), ("inspectionData", "/afterInputPath", 1, NOTHING)]),
        ({"causeContains": "x"}, [("causeContains", "", "x", NOTHING)]),
    ],
)  # fmt: skip
def test_what_differs(expected: dict[str, Any], wrong: list[Any]) -> None:
    assert [tuple(one) for one in differences(expected, OK)] == wrong


def test_who_expects_no_error_expects_success() -> None:
    failed = Tested("FAILED", error="E", cause="because")
    assert [one.field for one in differences({"nextState": None}, failed)] == ["status"]
    assert not list(differences({"error": "E", "causeContains": "cause"}, failed))
    assert not list(differences({"cause": "because"}, failed))
    assert [one.as_json() for one in differences({"status": "FAILED", "output": 1}, failed)] == [
        {"field": "output", "pointer": "", "expected": 1}
    ]
    assert json.dumps(failed.as_json()) == '{"status": "FAILED", "error": "E", "cause": "because"}'
