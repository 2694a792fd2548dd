"""Codes and places that AWS was seen to give, as people wrote them down in public issues: each is given here too."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter.orchestrator.machine.validation.checking import check

SCHEMA, MISSING = "SCHEMA_VALIDATION_FAILED", "MISSING_TRANSITION_TARGET"
UNSUPPORTED = "UNSUPPORTED_JSONATA_EXPRESSION"
END: dict[str, Any] = {"Type": "Pass", "End": True}
INNER: dict[str, Any] = {"StartAt": "I", "States": {"I": END}}
FAILS: dict[str, Any] = {"ErrorEquals": ["E"]}


def machine(start: str = "A", language: str = "JSONPath", **states: Any) -> Any:
    return {"StartAt": start, "QueryLanguage": language, "States": states}


def task(**fields: Any) -> Any:
    return {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": True, **fields}


SEEN: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "a target that is not there, and the state it should have been": (
        machine("pass1", pass1={"Type": "Pass", "Next": "pass3"}, pass2=END),
        [(MISSING, "/States/pass1/Next"), (MISSING, "/States/pass2")],
    ),
    "a start that is not there": (machine("Not sure", One=END), [(MISSING, "/StartAt"), (MISSING, "/States/One")]),
    "no end": (
        machine(A={"Type": "Pass", "Next": "B"}, B={"Type": "Pass", "Next": "A"}),
        [("MISSING_END_STATE", "")],
    ),
    "an end that nothing leads to": (
        machine(A={"Type": "Pass", "Next": "B"}, B={"Type": "Pass", "Next": "A"}, C=END),
        [(MISSING, "/States/C")],
    ),
    "a rule without Next": (
        machine(A={"Type": "Choice", "Choices": [{"Variable": "$", "StringMatches": "T"}], "Default": "B"}, B=END),
        [(SCHEMA, "/States/A/Choices[0]")],
    ),
    "a path without its root": (machine(A={**END, "OutputPath": "Test"}), [(SCHEMA, "/States/A/OutputPath")]),
    "States.ALL that others follow": (
        machine(A=task(Retry=[{"ErrorEquals": ["States.ALL"]}, FAILS])),
        [(SCHEMA, "/States/A/Retry[0]/ErrorEquals[0]")],
    ),
    "States.ALL that others follow, in Catch": (
        machine(A=task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "B"}, {**FAILS, "Next": "B"}]), B=END),
        [(SCHEMA, "/States/A/Catch[0]/ErrorEquals[0]")],
    ),
    "a resource that is none": (
        machine(A=task(Resource="arn:aws:states:::aws-sdk:nothing")),
        [(SCHEMA, "/States/A/Resource")],
    ),
    "a state that stands twice": (
        '{"StartAt": "A", "States": {"A": {"Type": "Fail"}, "A": {"Type": "Pass", "End": true}}}',
        [("DUPLICATE_STATE_NAME", "/States/A")],
    ),
    "Output in JSONPath, inside of a JSONata Map": (
        machine(
            A={
                **END,
                "Type": "Map",
                "QueryLanguage": "JSONata",
                "ItemProcessor": {"StartAt": "P", "States": {"P": {**END, "Output": 1}}},
            }
        ),
        [(SCHEMA, "/States/A/ItemProcessor/States/P")],
    ),
    "a language of an Iterator": (
        machine(M={**END, "Type": "Map", "Iterator": {**INNER, "QueryLanguage": "JSONata"}}, start="M"),
        [(SCHEMA, "/States/M/Iterator")],
    ),
    "a language that there is not": (
        machine(A={**END, "QueryLanguage": "jsonata"}),
        [(SCHEMA, "/States/A/QueryLanguage")],
    ),
    "a name that nothing leads to": (
        machine(E={**END, "Output": {"v": "{% phone = 1 %}"}}, start="E", language="JSONata"),
        [(UNSUPPORTED, "/States/E/Output/v")],
    ),
    "such a name in a condition": (
        machine(
            C={"Type": "Choice", "Choices": [{"Condition": "{% phone = 1 %}", "Next": "E"}], "Default": "E"},
            E=END,
            start="C",
            language="JSONata",
        ),
        [(UNSUPPORTED, "/States/C/Choices[0]/Condition")],
    ),
}
for kind in ("Pass", "Wait", "Choice", "Succeed", "Fail"):
    for name, value in (("TimeoutSeconds", 1), ("Catch", []), ("Retry", [])):
        state: dict[str, Any] = {"Type": kind, name: value}
        if kind in ("Pass", "Wait"):
            state |= {"End": True} | ({"Seconds": 1} if kind == "Wait" else {})
        if kind == "Choice":
            state |= {"Choices": [{"Variable": "$.a", "IsNull": True, "Next": "B"}]}
        made = machine(A=state, B=END) if kind == "Choice" else machine(A=state)
        SEEN[f"{name} of {kind}"] = (made, [(SCHEMA, "/States/A")])
for kind, inside in (("Map", {"ItemProcessor": INNER}), ("Parallel", {"Branches": [INNER]})):
    SEEN[f"TimeoutSeconds of {kind}"] = (
        machine(A={**END, "Type": kind, **inside, "TimeoutSeconds": 1}),
        [(SCHEMA, "/States/A")],
    )


@pytest.mark.parametrize("name", SEEN)
def test_a_place_that_aws_was_seen_to_give(name: str) -> None:
    if "name that nothing leads to" in name or "such a name" in name:
        pytest.importorskip("jlens")
    definition, seen = SEEN[name]
    assert [(one.code, one.location) for one in check(definition) if one.severity == "ERROR"] == seen
