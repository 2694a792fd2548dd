"""The corpus in ``tests/machine/cases``: one expression, what it is given, and what comes of it or what is said."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from overwinter.orchestrator.machine.language.chance import Chance
from overwinter.orchestrator.machine.language.choice import compile_rule
from overwinter.orchestrator.machine.language.failure import QUERY, RUNTIME, QueryError
from overwinter.orchestrator.machine.language.intrinsics.call import compile_intrinsic
from overwinter.orchestrator.machine.language.jsonata import compile_expression
from overwinter.orchestrator.machine.language.kinds import is_object
from overwinter.orchestrator.machine.language.paths import compile_path, read
from overwinter.orchestrator.machine.language.scope import Scope
from overwinter.orchestrator.machine.language.template import compile_payload, compile_query

CASES = Path(__file__).parents[1] / "cases"
STATES = {
    "input": {
        "order": {"id": 7},
        "items": [{"n": 1}, {"n": 2}],
        "empty": [],
        "long": 2**63 - 1,
        "huge": 2**63,
        "amount": 1.0,
        "nothing": None,
    },
    "context": {"Execution": {"Name": "run"}},
}


@cache
def cases(name: str) -> list[Any]:
    found: list[Any] = json.loads((CASES / f"{name}.json").read_text("utf-8"))["cases"]
    assert len({case["id"] for case in found}) == len(found), f"{name}.json: an id stands twice"
    return found


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases(name), ids=[case["id"] for case in cases(name)])


def scope(case: dict[str, Any]) -> Scope:
    return Scope(
        data=case.get("data"),
        context=case.get("context", {}),
        variables=case.get("variables", {}),
        chance=Chance(1),
        now=1_700_000_000_000,
        states=case.get("states", STATES),
    )


def equal(one: Any, other: Any) -> bool:
    """As JSON: true is not 1, and members keep their order. 1 and 1.0 are the same number."""
    if type(one) is bool or type(other) is bool or one is None or other is None:
        return one is other
    if is_object(one) and is_object(other):
        return list(one) == list(other) and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def judge(case: dict[str, Any], evaluate: Any, error: str, whole: bool = False) -> None:
    before = copy.deepcopy(case)
    if "result" not in case and "text" not in case:
        with pytest.raises(QueryError) as caught:
            evaluate()
        assert caught.value.error == case.get("error", error)
        if case.get("undefined"):
            assert caught.value.cause.endswith("returned nothing (undefined).")
        else:
            assert case["cause"] == caught.value.cause if whole else case["cause"] in caught.value.cause
    else:
        value = evaluate()
        assert (
            json.dumps(value, separators=(",", ":")) == case["text"] if "text" in case else equal(value, case["result"])
        )
    assert case == before, "the input was changed"


@of("paths")
def test_paths(case: dict[str, Any]) -> None:
    judge(case, lambda: read(compile_path(case["path"]), scope(case)), RUNTIME, whole=True)


@of("intrinsics")
def test_intrinsics(case: dict[str, Any]) -> None:
    judge(case, lambda: compile_intrinsic(case["call"]).evaluate(scope(case)), RUNTIME)


@of("templates")
def test_templates(case: dict[str, Any]) -> None:
    def evaluate() -> Any:
        if case.get("language") == "JSONata":
            return compile_query(case["template"], "Output").render(scope(case))
        return compile_payload(case["template"]).render(scope(case))

    judge(case, evaluate, RUNTIME)


@of("choice")
def test_choice(case: dict[str, Any]) -> None:
    if "holds" in case:
        case = {**case, "result": case["holds"]}
    judge(case, lambda: compile_rule(case["rule"]).holds(scope(case)), RUNTIME)


@of("jsonata")
def test_jsonata(case: dict[str, Any]) -> None:
    given = scope({**case, "variables": {"v": {"a": 1} if case["id"] == "variable" else 1}})
    judge(case, lambda: compile_expression(case["expression"]).evaluate(given, "Output/v"), QUERY)
