"""``show`` and ``history`` of a state machine's execution, ``asl run --history``: as people and programs read them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from overwinter.cli.commands.history import lines as event_lines
from overwinter.cli.main import cli
from overwinter.cli.view.states import state_lines
from overwinter.orchestrator.machine.history.states import Attempt, Flow, Visit, Wait

SHOP = """\
import re

from overwinter import current_call, tool


@tool
async def weigh(parcel: str) -> int:
    \"\"\"Grams.\"\"\"
    if parcel == "anvil":
        raise ValueError("an anvil is too heavy")
    return len(parcel)


@tool
async def carry(grams: int) -> str:
    \"\"\"Comes at the second try.\"\"\"
    if "~" not in current_call().operation:
        raise ConnectionError("no van")
    return f"carried {grams}"
"""
MACHINE: dict[str, Any] = {
    "StartAt": "Each",
    "States": {
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.parcels",
            "ToleratedFailureCount": 1,
            "ItemProcessor": {
                "StartAt": "Weigh",
                "States": {
                    "Weigh": {"Type": "Task", "Resource": "weigh", "Parameters": {"parcel.$": "$"}, "End": True}
                },
            },
            "ResultPath": "$.grams",
            "Next": "Heavy?",
        },
        "Heavy?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.grams[0]", "NumericGreaterThan": 9, "Next": "Stop"}],
            "Default": "Beside",
        },
        "Beside": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "Carry",
                    "States": {
                        "Carry": {
                            "Type": "Task",
                            "Resource": "carry",
                            "Parameters": {"grams.$": "$.grams[0]"},
                            "Retry": [{"ErrorEquals": ["ConnectionError"], "IntervalSeconds": 1}],
                            "Next": "Note",
                        },
                        "Note": {"Type": "Pass", "End": True},
                    },
                },
                {"StartAt": "Bill", "States": {"Bill": {"Type": "Pass", "Result": "billed", "End": True}}},
            ],
            "Next": "Again",
        },
        "Again": {
            "Type": "Task",
            "Resource": "weigh",
            "Parameters": {"parcel": "anvil"},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Stop"}],
            "End": True,
        },
        "Stop": {"Type": "Fail", "Error": "TooHeavy", "Cause": "nobody can carry it"},
    },
}
INPUT = json.dumps({"parcels": ["book", "lamp", "anvil", "chair", "ink"]})


def overwinter(*words: str) -> Result:
    return CliRunner().invoke(cli, [*words])


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    (tmp_path / "m.json").write_text(json.dumps(MACHINE), "utf-8")
    return overwinter("asl", "run", "m.json", INPUT, "--uses", "shop.py", "--id", "x", "--json", "--history")


def after(line: str) -> str:
    """Without when it was, and how long it took."""
    return " ".join(word for word in line.split() if not re.fullmatch(r"\+?[\d.]+m?s", word))


def test_show_tells_the_states(ran: Result) -> None:
    shown = overwinter("show", "x")
    assert shown.exit_code == 0, shown.output
    found = [after(line) for line in shown.stdout.splitlines()[3:14]]
    assert found == [
        "✓ Map Each 5 items, 1 failed",
        "✗ Task ├ [2] Weigh ValueError: an anvil is too heavy",
        found[2],
        "✓ Choice Heavy? → Beside",
        "✓ Parallel Beside 2 branches",
        "✓ Task ├ Carry ×2 carried 4",
        "│ ↺ 1. ConnectionError: no van, again after",
        "✓ Pass │ Note carried 4",
        "✓ Pass └ Bill billed",
        "✓ Task Again ValueError: an anvil is too heavy → Stop",
        "✗ Fail Stop TooHeavy: nobody can carry it",
    ]
    assert re.fullmatch("└ … 4 more items, (to )?each", found[2])
    whole = overwinter("show", "x", "--full").stdout
    assert all(f"[{index}] Weigh" in whole for index in range(5))


def test_show_as_json_has_them_as_data(ran: Result) -> None:
    told = json.loads(overwinter("show", "x", "--json").stdout)["states"]
    assert told["status"] == "failed"
    each, heavy, beside, again, stop = told["states"]
    assert (each["type"], each["length"], [flow["status"] for flow in each["flows"]][2]) == ("Map", 5, "failed")
    assert (heavy["status"], beside["flows"][0]["states"][0]["attempts"][0]["error"]) == (
        "completed",
        "ConnectionError",
    )
    assert (again["status"], again["next"], stop["error"]) == ("caught", "Stop", "TooHeavy")


def test_history_is_that_of_aws(ran: Result) -> None:
    told = json.loads(ran.stdout)
    assert (ran.exit_code, told["status"], told["error"], told["cause"]) == (
        1,
        "failed",
        "TooHeavy",
        "nobody can carry it",
    )
    events = json.loads(overwinter("history", "x", "--json").stdout)["events"]
    assert told["history"] == events
    assert [one["id"] for one in events] == list(range(1, len(events) + 1))
    assert events[-1]["executionFailedEventDetails"] == {"error": "TooHeavy", "cause": "nobody can carry it"}
    bare = json.loads(overwinter("history", "x", "--json", "--no-data").stdout)["events"]
    assert [one["type"] for one in bare] == [one["type"] for one in events] and "parcels" not in json.dumps(bare)
    for people in (overwinter("history", "x"), overwinter("asl", "run", "m.json", "--id", "x", "--history")):
        rows = people.stdout.splitlines()
        assert len(rows) == len(events)
        assert "ExecutionStarted" in rows[0] and "← 2" in rows[2] and "error: TooHeavy" in rows[-1]


def test_who_is_no_state_machine_has_no_history(shelf: Any, overwinter: Any) -> None:
    shelf.put("t", [{"type": "start", "at": 1, "input": 1, "seed": "s"}])
    done = overwinter("history", "t")
    assert done.exit_code != 0 and "t is no state machine's execution" in done.stderr
    assert "states" not in json.loads(overwinter("show", "t", "--json").stdout)


def shown(*visits: Visit, width: int = 100, full: bool = False) -> list[str]:
    return [line.plain for line in state_lines(Flow(0, "running", [*visits]), width, 10_000, full=full)]


@pytest.mark.parametrize(
    ("waits", "said"),
    [
        (Wait("time", until=70_000), "waits until "),
        (Wait("token", "arn", 70_000), "waits for its task token, until "),
        (Wait("execution", "x/1"), "waits for x/1"),
        (Wait("function", "weigh"), "runs weigh"),
        (Wait("function", "A"), "runs"),
    ],
)
def test_what_a_state_waits_for_is_said(waits: Wait, said: str) -> None:
    (line,) = shown(Visit("A", "Task", 2, 0, None, "waiting", waits=waits))
    assert said in line and "10s…" in line


def test_a_state_that_is_tried_again_says_when_and_why() -> None:
    tries = [Attempt(0, 1000 * n, "E", '{"errorMessage":"no","errorType":"E"}', 1000 * n + 500) for n in range(1, 7)]
    lines = shown(Visit("A", "Task", 2, 0, None, "waiting", attempts=tries, waits=Wait("retry", until=12_000)))
    assert "×6" in lines[0] and "(in 2s): E: no" in lines[0]
    assert "… 3 more tries" in lines[1] and "6. +6.0s E: no, again after 500ms" in lines[-1]
    assert len(lines) == 5


def test_a_long_way_is_folded() -> None:
    visits = [Visit(f"S{n}", "Pass", n, n, None, "completed", n + 1, output=n) for n in range(5000)]
    lines = shown(*visits)
    assert len(lines) == 41 and "… 4,960 more states" in lines[20] and "S4999" in lines[-1]
    assert len(shown(*visits, full=True)) == 5000


def test_many_items_are_folded() -> None:
    def item(index: int) -> Flow:
        status = "failed" if index % 100 == 7 else "running" if index > 990 else "completed"
        left = None if status == "running" else 10 + index
        return Flow(index, status, [Visit("I", "Task", 5, 10, index, status, left, error="E")])

    each = Visit("Each", "Map", 2, 0, None, length=1000, flows={index: item(index) for index in range(1000)})
    lines = shown(each)
    assert "991 of 1,000 items, 10 failed" in lines[0]
    assert [line.split("]")[0].rpartition("[")[2] for line in lines[1:-1]] == ["7", "107", "207", "991", "992", "993"]
    assert "… 994 more items, 0ms to 990ms each" in lines[-1]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_lines_fit_whatever_the_names(width: int) -> None:
    inner = Visit("内" * 60, "Wait", 3, 0, None, "aborted", 5)
    outer = Visit(
        "a\x1b[31m\n" * 20, "Parallel", 2, 0, None, "failed", 9, error="x" * 300, flows={0: Flow(0, "aborted", [inner])}
    )
    for line in state_lines(Flow(0, "failed", [outer]), width, 0):
        assert "\x1b" not in line.plain and "\n" not in line.plain
        assert width < 60 or line.cell_len <= width
    assert event_lines([], width) == []
