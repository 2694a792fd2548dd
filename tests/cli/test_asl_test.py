"""``overwinter asl test``: what people and programs read of cases that pass, fail, and are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from overwinter.cli.main import cli

CARD = """\
StartAt: Pay
States:
  Pay:
    Type: Task
    Resource: pay
    Catch: [{ErrorEquals: [Refused], Next: Sorry}]
    Next: Done
  Sorry: {Type: Fail, Error: NoCard, Cause: the card}
  Done: {Type: Succeed}
"""
CASES = """\
- name: paid
  state: Pay
  mock: {result: r-1}
  expect: {output: r-1, nextState: Done}
- name: refused
  mocks: {Pay: {error: Refused}}
  expect: {error: NoCard, path: [Pay, Sorry]}
"""
WRONG = """\
- name: "paid \\e[31m"
  state: Pay
  mock: {result: r-2}
  expect: {output: r-1}
- name: falls
  mocks: {Pay: {error: Refused}}
  expect: {status: SUCCEEDED}
- name: lost
  expect: {output: 1}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("card.yaml", CARD), ("cases.yaml", CASES), ("wrong.yaml", WRONG)):
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def asl(*words: str, input: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["asl", "test", *words], input=input, env={"COLUMNS": "120"}, catch_exceptions=False)


def test_what_is_as_expected() -> None:
    done = asl("card.yaml", "cases.yaml")
    assert done.exit_code == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[1:] == [
        ["✓", "paid", "Pay", "SUCCEEDED", "Done"],
        ["✓", "refused", "(all)", "FAILED", "NoCard"],
        ["2", "cases:", "all", "as", "expected"],
    ]


def test_what_is_not() -> None:
    done = asl("card.yaml", "wrong.yaml")
    assert done.exit_code == 1 and "\x1b" not in done.stdout
    assert [line.strip() for line in done.stdout.splitlines() if not line.startswith(("✗", " " * 3 + "CASE"))] == [
        "wrong.yaml:1",
        "output",
        'expected  "r-1"',
        'came out  "r-2"',
        "wrong.yaml:5",
        "status",
        'expected  "SUCCEEDED"',
        'came out  "FAILED"',
        "cause: the card",
        "wrong.yaml:8",
        next(line.strip() for line in done.stdout.splitlines() if "needs a mock" in line),
        "3 cases: 3 failed",
    ]


def test_as_json() -> None:
    done = asl("card.yaml", "wrong.yaml", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1 and (told["ok"], told["passed"], told["failed"]) == (False, 0, 3)
    assert told["cases"][1]["result"]["path"] == ["Pay", "Sorry"]
    assert json.loads(asl("card.yaml", "cases.yaml", "--json").stdout)["ok"] is True


def test_some_of_them() -> None:
    done = asl("card.yaml", "cases.yaml", "--case", "ref")
    assert done.exit_code == 0 and "1 case: all as expected" in done.stdout
    assert asl("card.yaml", "cases.yaml", "--case", "nothing").exit_code == 2


def test_either_may_be_standard_input() -> None:
    assert asl("-", "cases.yaml", input=CARD).exit_code == 0
    assert asl("card.yaml", "-", input=CASES).exit_code == 0
    assert "only one of both" in asl("-", "-", input=CASES).stderr


@pytest.mark.parametrize(
    ("file", "cases", "code", "said"),
    [
        ("nothing.yaml", "cases.yaml", 3, "there is no file nothing.yaml"),
        ("card.yaml", "nothing.yaml", 3, "there is no file nothing.yaml"),
        ("broken.json", "cases.yaml", 2, "broken.json:1:2"),
        ("card.yaml", "broken.json", 2, "broken.json:1:2"),
        ("cases.yaml", "cases.yaml", 2, "asl check cases.yaml"),
        ("card.yaml", "card.yaml", 2, "cases are a list"),
    ],
)
def test_files_that_can_not_be_used(folder: Path, file: str, cases: str, code: int, said: str) -> None:
    (folder / "broken.json").write_text("{", "utf-8")
    done = asl(file, cases)
    assert (done.exit_code, done.stdout) == (code, "") and said in done.stderr
