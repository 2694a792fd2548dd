"""Public cases that lie beside the project: what AWS recorded of its choice operators, and JSONata's own suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jlens import JlensError

from overwinter.orchestrator.machine.language.choice import compile_rule
from overwinter.orchestrator.machine.language.failure import QueryError
from overwinter.orchestrator.machine.language.jsonata import compile_expression
from overwinter.orchestrator.machine.language.scope import Scope

TARGETS = Path(__file__).parents[4] / "shared" / "targets"

# Groups of the suite for what Step Functions does not have, and why.
LEFT_OUT = {
    "function-eval": "$eval is refused",
    "default-operator": "?: is not part of JSONata 2.0.6",
    "coalescing-operator": "?? is not part of JSONata 2.0.6",
}
# Cases in which an error is expected and comes, under another code. None gives another value.
OTHER_CODE = {
    "function-encodeUrl/case002": "half a surrogate pair in the text is refused when it is compiled",
    "function-encodeUrlComponent/case002": "half a surrogate pair in the text is refused when it is compiled",
    "function-string/case019": "1/0 is refused where it is divided (D1001), not where it is made a text (D3001)",
    "tail-recursion/case002": "too deep a recursion has a code of its own (D1011)",
    "tail-recursion/case005": "too deep a recursion has a code of its own (D1011)",
    "tail-recursion/case006": "a recursion without an end runs into the limit of steps (U1006)",
}


def load(path: str) -> Any:
    file = TARGETS / path
    if not file.exists():
        pytest.skip(f"{file} is not there")
    return json.loads(file.read_text("utf-8"))


def test_choice_operators_agree_with_aws(capsys: pytest.CaptureFixture[str]) -> None:
    cases = load("asl/choice-operators.json")["cases"]
    wrong: list[str] = []
    for case in cases:
        states = case["definition"]["States"]
        choice = states[case["definition"]["StartAt"]]
        scope = Scope(data=case["input"])
        taken = (rule["Next"] for rule in choice["Choices"] if compile_rule(rule).holds(scope))
        if states[next(taken, choice["Default"])]["Result"] != case["output"]:
            wrong.append(case["id"])
    with capsys.disabled():
        print(f"\nchoice operators recorded on AWS: {len(cases) - len(wrong)} of {len(cases)}")
    assert not wrong and len(cases) == 491


def outcome(case: dict[str, Any], datasets: dict[str, Any]) -> tuple[str, Any]:
    data = case["data"] if "data" in case else datasets.get(case.get("dataset") or "")
    given = "data" in case or bool(case.get("dataset"))
    try:
        engine = compile_expression(case["expr"])._engine
        text = engine.evaluate_json(
            json.dumps(data) if given else None,
            case.get("bindings") or {},
            max_depth=case.get("depth") or 500,
            max_steps=2_000_000,
        )
    except JlensError as error:
        return "error", error.code
    except QueryError as error:
        return "error", error.cause
    return ("undefined", None) if text is None else ("result", json.loads(text))


def agrees(case: dict[str, Any], kind: str, value: Any) -> bool:
    if "result" in case:
        if kind != "result":
            return False
        if case.get("unordered"):
            return sorted(map(json.dumps, value)) == sorted(map(json.dumps, case["result"]))
        return bool(value == case["result"])
    if case.get("undefined"):
        return kind == "undefined"
    code = case.get("code") or case["error"]["code"]
    return kind == "error" and (value == code or f". {code}: " in value)


def test_jsonata_passes_the_suite_of_the_language(capsys: pytest.CaptureFixture[str]) -> None:
    suite = load("jsonata/suite.json")
    missed: dict[str, tuple[str, Any]] = {}
    count = 0
    for group, cases in suite["groups"].items():
        for case in cases if group not in LEFT_OUT else ():
            count += 1
            kind, value = outcome(case, suite["datasets"])
            if not agrees(case, kind, value):
                missed[case["id"]] = (kind, value)
    with capsys.disabled():
        out = sum(len(suite["groups"][group]) for group in LEFT_OUT)
        print(f"\nJSONata's own suite: {count - len(missed)} of {count} ({out} more are about what AWS does not have)")
        for id, reason in OTHER_CODE.items():
            print(f"  {id}: {reason}")
    assert missed.keys() == OTHER_CODE.keys()
    assert all(kind == "error" for kind, _ in missed.values())
    assert count == 1640


@pytest.mark.parametrize("group", LEFT_OUT)
def test_what_aws_does_not_have_is_refused(group: str) -> None:
    suite = load("jsonata/suite.json")
    refused = 0
    for case in suite["groups"][group]:
        try:
            compile_expression(case["expr"]).evaluate(Scope())
        except QueryError:
            refused += 1
    assert refused == len(suite["groups"][group])
