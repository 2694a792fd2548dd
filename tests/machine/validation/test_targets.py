"""Public cases: verdicts, codes and places of a linter and of AWS. They lie beside the project, or are skipped."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from overwinter.orchestrator.machine.definition.document import Document
from overwinter.orchestrator.machine.validation.checking import check
from overwinter.orchestrator.machine.validation.compiling import compiled
from overwinter.orchestrator.machine.validation.diagnostic import Diagnostic, Report
from overwinter.orchestrator.machine.validation.errors import retry
from overwinter.orchestrator.machine.validation.expressions import read_jsonata
from overwinter.orchestrator.machine.validation.place import Ledger, Place

TARGETS = Path(__file__).parents[4] / "shared" / "targets" / "asl"
LINKS = {"targets", "reachable", "ends", "unique-names", "catch-all"}


@cache
def cases(file: str, key: str = "cases") -> list[dict[str, Any]]:
    path = TARGETS / file
    if not path.exists():
        return []
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))[key]
    return found


def some(file: str, key: str = "cases") -> list[dict[str, Any]]:
    found = cases(file, key)
    if not found:
        pytest.skip(f"{TARGETS / file} is not there")
    return found


def errors(found: list[Diagnostic]) -> list[Diagnostic]:
    return [one for one in found if one.severity == "ERROR"]


def test_the_linter_s_verdicts() -> None:
    wrong: list[str] = []
    counts = 0
    for case in some("statelint-validation.json"):
        found = errors(check(json.dumps(case["definition"])))
        counts += len(found) == case["problems"]
        if bool(found) == case["valid"]:
            wrong.append(case["id"])
        elif case["valid"]:
            compiled(case["definition"])
    total = len(cases("statelint-validation.json"))
    print(f"statelint: {total - len(wrong)} of {total} verdicts, {counts} with as many problems")
    assert not wrong and counts == total == 69


def test_the_linter_s_verdicts_of_links_and_names_of_errors() -> None:
    wrong: list[str] = []
    for case in some("statelint-validation.json", "structure_cases"):
        if case["whole_machine"]:
            found = [one for one in check(case["definition"]) if one.rule in LINKS]
        else:
            report = Report(Document(case["definition"]))
            retry(Place(report, Ledger()), case["definition"]["Retry"])
            found = [one for one in report.diagnostics() if one.rule in LINKS]
        if bool(found) == case["valid"]:
            wrong.append(case["id"])
    total = len(cases("statelint-validation.json", "structure_cases"))
    print(f"statelint, structure: {total - len(wrong)} of {total} verdicts")
    assert not wrong and total == 11


def test_the_verdicts_codes_and_places_of_aws() -> None:
    verdicts = places = 0
    for case in some("validate-definition.json"):
        definition = case["definition_text"] if "definition_text" in case else json.dumps(case["definition"])
        found = check(definition, type=case["type"], form="json")
        verdicts += ("FAIL" if errors(found) else "OK") == case["result"]
        expected = [(one["severity"], one["code"], one.get("location", "")) for one in case["diagnostics"]]
        places += [(one.severity, one.code, one.location) for one in found] == expected
    total = len(cases("validate-definition.json"))
    print(f"AWS: {verdicts} of {total} verdicts, {places} with the same codes and places")
    assert verdicts == places == total == 12


def test_what_ran_on_aws_is_right() -> None:
    for case in some("choice-operators.json"):
        assert not errors(check(case["definition"])), case["id"]
        compiled(case["definition"])


def test_no_expression_of_jsonata_that_has_a_result_is_called_none() -> None:
    pytest.importorskip("jlens")
    suite = TARGETS.parent / "jsonata" / "suite.json"
    if not suite.exists():
        pytest.skip(f"{suite} is not there")
    groups: dict[str, list[dict[str, Any]]] = json.loads(suite.read_text("utf-8"))["groups"]
    found = [
        (case["id"], read_jsonata(case["expr"]))
        for group in groups.values()
        for case in group
        if isinstance(case.get("expr"), str) and "result" in case
    ]
    refused = [id for id, read in found if read.problem]
    unsupported = sum(read.unsupported is not None for _, read in found)
    without = sum(bool(read.names) for _, read in found)
    print(f"JSONata: {len(found)} expressions, {unsupported} not supported by AWS, {without} that nothing leads to")
    assert not refused and len(found) > 1000
