"""Dashboards and alert rules ask for metrics and labels that there are, and every rule says where to read on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from overwinter.telemetry.metrics import catalogue, prometheus

ROOT = Path(__file__).parents[2]
BOARDS = sorted((ROOT / "observability" / "grafana").glob("*.json"))
RULES = ROOT / "observability" / "prometheus" / "rules.yaml"

LABELS = {sample: set(prometheus.labels_of(one)) for one in catalogue.ALL for sample in prometheus.samples(one)}
OF_PROMETHEUS = {"job", "instance"}
WORDS = {
    "and", "by", "count_over_time", "histogram_quantile", "increase", "label_values", "max", "min", "offset", "or",
    "rate", "sum", "vector",
}  # fmt: skip


def faults(expression: str) -> list[str]:
    """What an expression asks for that there is not."""
    found: list[str] = []
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\[[^\]]*\]|\b\d+[smhd]?\b|\$\w+", " ", bare)
    named = set(re.findall(r"\b(?:overwinter|gen_ai)_\w+", re.sub(r"\{[^}]*\}|\bby \([^)]*\)", " ", bare)))
    found += [f"no metric {name}" for name in named - LABELS.keys()]
    if not named:
        found.append("no metric at all")
    for name, inside in re.findall(r"(\w+)\{([^}]*)\}", bare):
        asked = set(re.findall(r"(\w+)\s*[=!]~?", inside))
        found += [f"{name} has no label {label}" for label in asked - LABELS.get(name, set()) - OF_PROMETHEUS]
    known = set[str]().union(*(LABELS.get(name, set()) for name in named)) | OF_PROMETHEUS
    known |= {"le"} if any(name.endswith("_bucket") for name in named) else set()
    for inside in re.findall(r"\bby \(([^)]*)\)", bare):
        found += [f"no label {label}" for label in set(re.findall(r"\w+", inside)) - known]
    rest = set(re.findall(r"\b[a-z_]\w*", re.sub(r"\{[^}]*\}|\bby \([^)]*\)", " ", bare))) - named - WORDS - known
    return found + [f"what is {word}?" for word in rest]


def expressions(board: Any) -> Iterator[str]:
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_asks_for_what_there_is(path: Path) -> None:
    board = json.loads(path.read_text("utf-8"))
    assert {found: wrong for found in expressions(board) if (wrong := faults(found))} == {}
    assert board["uid"] == path.stem
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert panel["title"] and panel["description"].endswith(".") and panel["targets"]
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24
        taken |= cells
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert shown <= set(re.findall(r"\w+", target["expr"])) | OF_PROMETHEUS


def test_there_are_the_dashboards_that_the_docs_name() -> None:
    assert [path.stem for path in BOARDS] == ["overwinter-agents", "overwinter-overview", "overwinter-stores"]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_what_there_is_and_says_where_to_read_on(rule: dict[str, Any]) -> None:
    assert faults(rule["expr"]) == []
    told = rule["annotations"]
    named = re.search(r"See docs/(metrics\.md)#([a-z-]+)$", told["runbook"])
    assert named is not None and told["summary"].endswith(".")
    text = (ROOT / "docs" / named[1]).read_text("utf-8")
    assert named[2] in {
        line[4:].strip().lower().replace(" ", "-") for line in text.splitlines() if line.startswith("### ")
    }
    shown = set(re.findall(r"\$labels\.(\w+)", told["summary"]))
    assert shown <= set(re.findall(r"\w+", rule["expr"])) | OF_PROMETHEUS


@pytest.mark.parametrize(
    "wrong",
    [
        "sum(rate(overwinter_executions_started[5m]))",
        'overwinter_executions{state="idle"}',
        "sum by (model) (rate(overwinter_turns_total[5m]))",
        "sum by (le) (overwinter_active)",
        "summe(overwinter_active)",
        "up == 0",
    ],
)
def test_what_there_is_not_is_found(wrong: str) -> None:
    assert faults(wrong)


def test_every_metric_stands_in_the_docs_and_no_other() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    rows = re.findall(r"^\| `((?:overwinter|gen_ai)_\w+)` \| ([^|]*) \|", text, re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    there = {
        prometheus.samples(one)[0] if one.kind != "histogram" else prometheus.family(one): set(
            prometheus.labels_of(one)
        )
        for one in catalogue.ALL
    }
    assert told == there
