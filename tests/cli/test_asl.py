"""``overwinter asl check`` and ``draw``: what is wrong and where, as people and programs read it; files of both forms,
standard input, and what is no file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from overwinter.cli.main import cli

RIGHT: dict[str, Any] = {
    "StartAt": "Ask",
    "States": {"Ask": {"Type": "Task", "Resource": "support", "Next": "Done"}, "Done": {"Type": "Succeed"}},
}
WRONG = """\
StartAt: Ask
States:
  Ask:
    Type: Task
    Resource: support
    Timeout: 5
    Next: Doen
  Done:
    Type: Succeed
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "right.json").write_text(json.dumps(RIGHT, indent=2), "utf-8")
    (tmp_path / "wrong.yaml").write_text(WRONG, "utf-8")
    return tmp_path


def asl(*words: str, input: str | bytes | None = None, width: int = 200) -> Result:
    return CliRunner().invoke(cli, ["asl", *words], input=input, env={"COLUMNS": str(width)}, catch_exceptions=False)


def test_what_is_right() -> None:
    done = asl("check", "right.json")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "1 file: nothing is wrong\n", "")


def test_what_is_wrong_has_its_line_its_rule_and_advice() -> None:
    done = asl("check", "right.json", "wrong.yaml")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[:4] == [
        "wrong.yaml:6:5: error: a Task state has no field 'Timeout'",
        "    /States/Ask/Timeout · SCHEMA_VALIDATION_FAILED",
        "    An object has the fields of its kind, and no others.",
        '    → Did you mean "TimeoutSeconds"?',
    ]
    assert "wrong.yaml:7:5: error: there is no state 'Doen' here" in lines
    assert lines[-1] == "2 files: 3 errors"


@pytest.mark.parametrize("width", [30, 80, 200])
def test_a_place_is_never_broken_over_lines(width: int) -> None:
    done = asl("check", "wrong.yaml", width=width)
    assert len(re.findall(r"(?m)^wrong\.yaml:\d+:\d+: error: .+$", done.stdout)) == 3


def test_as_json() -> None:
    done = asl("check", "wrong.yaml", "right.json", "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 1 and (found["ok"], found["errors"], found["warnings"]) == (False, 3, 0)
    wrong, right = found["files"]
    assert right == {"file": "right.json", "ok": True, "diagnostics": []}
    assert wrong["diagnostics"][0] == {
        "severity": "ERROR",
        "code": "SCHEMA_VALIDATION_FAILED",
        "pointer": "/States/Ask/Timeout",
        "location": "/States/Ask",
        "line": 6,
        "column": 5,
        "message": "a Task state has no field 'Timeout'",
        "rule": "fields",
        "says": "An object has the fields of its kind, and no others.",
        "advice": 'Did you mean "TimeoutSeconds"?',
    }


def test_standard_input_is_json_or_yaml() -> None:
    assert asl("check", "-", input=json.dumps(RIGHT)).exit_code == 0
    done = asl("check", "-", input=WRONG)
    assert done.exit_code == 1 and "standard input:6:5: error" in done.stdout
    assert json.loads(asl("check", "-", "--json", input=WRONG).stdout)["files"][0]["file"] is None


def test_warnings_pass_unless_they_are_asked_for(folder: Path) -> None:
    warned = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"a": "$.b"}, "End": True}}}
    (folder / "warned.json").write_text(json.dumps(warned), "utf-8")
    done = asl("check", "warned.json")
    assert done.exit_code == 0 and done.stdout.endswith("1 file: no errors, 1 warning\n")
    assert asl("check", "warned.json", "--strict").exit_code == 1
    assert json.loads(asl("check", "warned.json", "--strict", "--json").stdout)["ok"] is False


def test_what_aws_alone_refuses() -> None:
    assert asl("check", "right.json").exit_code == 0
    done = asl("check", "right.json", "--aws")
    assert done.exit_code == 1 and "AWS takes nothing but ARNs" in done.stdout


def test_an_express_machine_waits_for_nobody(folder: Path) -> None:
    waits = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish.waitForTaskToken", "End": True}
    (folder / "waits.json").write_text(json.dumps({"StartAt": "A", "States": {"A": waits}}), "utf-8")
    assert asl("check", "waits.json").exit_code == 0
    done = asl("check", "waits.json", "--express")
    assert done.exit_code == 1 and "an EXPRESS machine can't use .waitForTaskToken" in done.stdout


def test_a_text_that_can_t_be_read_is_a_mistake_of_its_file(folder: Path) -> None:
    (folder / "broken.json").write_text('{"StartAt": "A",\n  "States": {,}}', "utf-8")
    (folder / "latin.json").write_bytes('{"Comment": "ü"}'.encode("latin-1"))
    (folder / "blank.yaml").write_text("\n", "utf-8")
    done = asl("check", "broken.json", "latin.json", "blank.yaml", "right.json")
    assert done.exit_code == 1
    assert "broken.json:2:14: error: a key in double quotes should stand here" in done.stdout
    assert "latin.json: error: byte 13 is no UTF-8" in done.stdout
    assert "blank.yaml: error: there is nothing but space in this text" in done.stdout
    assert done.stdout.endswith("4 files: 3 errors\n")


def test_a_folder_and_what_is_not_there(folder: Path) -> None:
    done = asl("check", ".")
    assert done.exit_code == 2
    assert "is a folder; name the files, for example: overwinter asl check right.json" in done.stderr
    (folder / "empty").mkdir()
    assert "there is no .json, .yaml or .yml file in it" in asl("check", "empty").stderr
    gone = asl("check", "gone.json")
    assert gone.exit_code == 3 and "there is no file gone.json" in gone.stderr
    error = json.loads(asl("check", "gone.json", "--json").stderr)["error"]
    assert error["message"] == "there is no file gone.json" and error["code"] == 3


def test_no_file_is_wrong_usage() -> None:
    assert asl("check").exit_code == 2


def test_states_behind_a_wrong_target_are_named_together(folder: Path) -> None:
    states = {name: {"Type": "Pass", "Next": after} for name, after in zip("ABCD", "XCDE", strict=True)}
    states["E"] = {"Type": "Succeed"}
    (folder / "long.json").write_text(json.dumps({"StartAt": "A", "States": states}), "utf-8")
    done = asl("check", "long.json")
    assert "nothing leads to 4 states: B, C, D, E" in done.stdout and done.stdout.count("nothing leads") == 1
    assert len(json.loads(asl("check", "long.json", "--json").stdout)["files"][0]["diagnostics"]) == 5


def test_what_a_file_says_can_t_steer_a_terminal(folder: Path) -> None:
    name = "a\x1b[31mb\u202e"
    (folder / "bad.json").write_text(json.dumps({"StartAt": "A", "States": {name: {"Type": name}}}), "utf-8")
    for words in (("check", "bad.json"), ("check", "bad.json", "--json"), ("draw", "bad.json")):
        done = asl(*words)
        assert "\x1b" not in done.output and "\u202e" not in done.output


def test_a_definition_is_drawn() -> None:
    done = asl("draw", "right.json")
    assert done.exit_code == 0
    assert done.stdout == (
        "stateDiagram-v2\n"
        '    state "Ask" as s1\n'
        '    state "Done" as s2\n'
        "    [*] --> s1\n"
        "    s1 --> s2\n"
        "    s2 --> [*]\n"
    )


def test_what_is_wrong_is_not_drawn() -> None:
    done = asl("draw", "wrong.yaml")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "wrong.yaml can't be drawn" in done.stderr and "overwinter asl check wrong.yaml" in done.stderr


SHOP = """\
from overwinter import tool


@tool
async def support(about: str) -> str:
    \"\"\"Answers.\"\"\"
    return f"{about} is on its way"
"""
ASKS = """\
StartAt: Ask
States:
  Ask:
    Type: Task
    Resource: support
    Parameters: {about.$: $.order}
    Next: Done
  Done:
    Type: Succeed
"""


def test_a_definition_is_run_with_the_functions_of_a_file(folder: Path) -> None:
    (folder / "shop.py").write_text(SHOP, "utf-8")
    (folder / "asks.yaml").write_text(ASKS, "utf-8")
    done = asl("run", "asks.yaml", '{"order": "o-1"}', "--uses", "shop.py", "--id", "x")
    assert (done.exit_code, done.stdout) == (0, "o-1 is on its way\n")
    assert "goes by its definition of 2 states" in done.stderr
    again = asl("run", "asks.yaml", "--uses", "shop.py", "--id", "x", "--json")
    told = json.loads(again.stdout)
    assert (told["function"], told["status"], told["output"]) == ("asks", "completed", "o-1 is on its way")


READS = """\
StartAt: Each
States:
  Each:
    Type: Map
    ItemReader:
      Resource: arn:aws:states:::s3:getObject
      ReaderConfig: {InputType: JSONL}
      Parameters: {Bucket: data, Key: a.jsonl}
    ItemProcessor:
      ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: STANDARD}
      StartAt: Same
      States:
        Same: {Type: Pass, End: true}
    End: true
"""


def test_the_environment_says_what_a_bucket_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "reads.yaml").write_text(READS, "utf-8")
    (folder / "here").mkdir()
    (folder / "here" / "a.jsonl").write_text("1\n2\n", "utf-8")
    monkeypatch.setenv("OVERWINTER_BUCKETS", "data=./here")
    done = asl("run", "reads.yaml")
    assert (done.exit_code, json.loads(done.stdout)) == (0, [1, 2])
    monkeypatch.setenv("OVERWINTER_BUCKETS", "here")
    assert "OVERWINTER_BUCKETS names buckets as NAME=FOLDER" in asl("run", "reads.yaml").stderr


def test_what_can_not_be_run_is_said(folder: Path) -> None:
    (folder / "asks.yaml").write_text(ASKS, "utf-8")
    assert "there is no state 'Doen'" in asl("run", "wrong.yaml").stderr
    (folder / "broken.json").write_text("{", "utf-8")
    for file, code in (("wrong.yaml", 2), ("broken.json", 2), ("nothing.json", 3)):
        done = asl("run", file)
        assert (done.exit_code, done.stdout) == (code, ""), done.stderr
    (folder / "shop.py").write_text("x = 1\n", "utf-8")
    assert "holds no function" in asl("run", "asks.yaml", "--uses", "shop.py").stderr
