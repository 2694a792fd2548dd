"""``overwinter asl draw``: definitions and executions, in both forms, to stdout and to files."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from overwinter.cli.main import cli

SHOP = """\
from overwinter import tool, workflow


@tool
async def pay(amount: int) -> str:
    \"\"\"Pays.\"\"\"
    raise ValueError("no card")


@workflow
async def plain(ctx) -> int:
    return 1
"""
CARD = """\
Comment: A card is charged
StartAt: Pay
States:
  Pay:
    Type: Task
    Resource: pay
    Parameters: {amount: 1}
    Catch: [{ErrorEquals: [ValueError], Next: Sorry}]
    Next: Done
  Sorry: {Type: Fail, Error: NoCard}
  Done: {Type: Succeed}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    (tmp_path / "card.yaml").write_text(CARD, "utf-8")
    return tmp_path


def run(*words: str, input: str | None = None) -> Result:
    return CliRunner().invoke(cli, words, input=input, env={"COLUMNS": "200"}, catch_exceptions=False)


def draw(*words: str, input: str | None = None) -> Result:
    return run("asl", "draw", *words, input=input)


def test_a_definition_as_svg(folder: Path) -> None:
    done = draw("card.yaml", "--format", "svg")
    assert done.exit_code == 0
    texts = [element.text for element in ET.fromstring(done.stdout).iter() if element.tag.endswith("}text")]
    assert texts[:2] == ["card", "A card is charged"] and {"Pay", "Sorry", "Done", "on ValueError"} <= set(texts)
    assert draw("card.yaml", "-o", "card.svg").stdout == ""
    assert (folder / "card.svg").read_text("utf-8") == done.stdout
    assert draw("card.yaml", "-o", "card.mmd").exit_code == 0
    assert (folder / "card.mmd").read_text("utf-8").startswith("stateDiagram-v2\n")
    assert draw("-", "--format", "svg", input=CARD).stdout.count("State machine") == 2


def test_an_execution_is_drawn_on_its_definition(folder: Path) -> None:
    assert run("asl", "run", "card.yaml", "--uses", "shop.py", "--id", "x-1").exit_code == 1
    (folder / "card.yaml").unlink()
    (folder / "shop.py").unlink()
    done = draw("--execution", "x-1")
    assert done.exit_code == 0 and done.stderr == ""
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert {"class s1 caught", "class s2 failed", 'state "Done" as s3'} <= set(lines)
    assert any(line.startswith('state "Sorry<br/>') and "NoCard" in line for line in lines)
    drawn = ET.fromstring(draw("--execution", "x-1", "--format", "svg").stdout)
    texts = [element.text or "" for element in drawn.iter() if element.tag.endswith("}text")]
    assert texts[0] == "card · x-1" and texts[1].startswith("failed · began 20")
    look = next(element.get("class") or "" for element in drawn.iter() if "ow-caught" in (element.get("class") or ""))
    assert look == "ow-box ow-Task ow-caught"


def test_what_can_not_be_drawn(folder: Path) -> None:
    assert run("run", "shop.py", "plain", "--id", "p").exit_code == 0
    for words, code, said in (
        (("--execution", "p"), 2, "p can't be drawn: no definition stands in its journal"),
        (("--execution", "nobody"), 3, "nobody"),
        ((), 2, "name a FILE, or an execution"),
        (("card.yaml", "--execution", "p"), 2, "name a FILE, or an execution"),
        (("card.yaml", "-o", "nowhere/card.svg"), 2, "nowhere/card.svg can't be written"),
        (("nothing.yaml",), 3, "there is no file nothing.yaml"),
    ):
        done = draw(*words)
        assert (done.exit_code, done.stdout) == (code, "") and said in done.stderr, done.stderr
    assert draw("--execution", "p", "--store", "sqlite:///none.db").exit_code == 4
    assert not (folder / "none.db").exists()
