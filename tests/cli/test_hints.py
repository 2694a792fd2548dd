"""What is suggested for an execution that waits can be pasted, and the type that is waited for takes it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from overwinter.cli.main import cli

APP = """
from pydantic import BaseModel, field_validator
from overwinter import Context, workflow

class Refund(BaseModel):
    amount: int
    reason: str
    note: str = ""

class Odd(BaseModel):
    n: int
    @field_validator("n")
    @classmethod
    def is_odd(cls, n: int) -> int:
        assert n % 2
        return n

@workflow
async def waits(ctx: Context, kind: str) -> str:
    kinds = {"refund": Refund, "yes": bool, "text": str, "number": int, "digits": list[int], "odd": Odd}
    said = await ctx.wait_for("it is", type=kinds[kind])
    return f"{said!r}"

@workflow
async def several(ctx: Context) -> str:
    paid, called, agreed = ctx.wait_for("paid", type=int), ctx.callback("bank"), ctx.approve("ship it", role="desk")
    return f"{await paid} {(await agreed).by} {await ctx.wait_for('more')}"

@workflow
async def ships(ctx: Context) -> int:
    return await ctx.callback("parcel", type=int)
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OVERWINTER_STATE", f"sqlite:///{tmp_path}/s.db")
    (tmp_path / "hints_app.py").write_text(APP, "utf-8")
    return "hints_app.py"


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words), env={"COLUMNS": "200"})


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("refund", '\'{"amount": 1, "reason": "Hello"}\''),
        ("yes", "true"),
        ("text", "Hello"),
        ("number", "1"),
        ("digits", "'[1]'"),
    ],
)
def test_the_command_can_be_pasted(app: str, kind: str, word: str) -> None:
    assert run("run", app, "waits", kind, "--id", "w", "--timeout", "50ms").exit_code == 5
    shown = run("show", "w").stdout
    (command,) = re.findall(r"→ overwinter (signal .*)", shown)
    assert command == f"signal w 'it is' {word}"
    other = run("signal", "w", "else", "1")
    assert f"→ overwinter {command}, if that was meant" in other.output
    (head,) = json.loads(run("ps", "--json").stdout)["executions"]
    assert f", such as {head['takes']}" in run("ps").stdout and f", such as {head['takes']}" in shown
    assert run(*shlex.split(command)).exit_code == 0
    done = run("run", app, "waits", "--id", "w", "--json")
    assert json.loads(done.stdout)["status"] == "completed", done.output


def test_what_can_not_be_guessed_is_left_open(app: str) -> None:
    run("run", app, "waits", "odd", "--id", "w", "--timeout", "50ms")
    shown = run("show", "w").stdout
    assert "signal w 'it is' '…'" in shown and "such as" not in shown
    assert json.loads(run("ps", "--json").stdout)["executions"][0]["takes"] == ""


def test_a_callback_says_what_it_takes(app: str) -> None:
    run("run", app, "ships", "--id", "s", "--timeout", "50ms")
    assert "waiting for callback 'parcel', such as 1" in run("show", "s").stdout


def test_all_that_is_awaited_is_told_and_an_approval_first(app: str) -> None:
    """Whichever of them the code asked for first."""
    assert run("run", app, "several", "--id", "s", "--timeout", "50ms").exit_code == 5
    assert [one["name"] for one in json.loads(run("approvals", "--json").stdout)["approvals"]] == ["ship it"]
    listed = run("ps").stdout
    assert "approval ship it; event paid; callback bank" in listed
    shown = run("show", "s").stdout
    assert "waiting for event paid, such as 1" in shown and "approval 'ship it' by desk" in shown
    assert "→ overwinter approve s" in shown and "→ overwinter signal s paid 1" in shown
    assert "kept" not in run("signal", "s", "paid", "7").stderr
    assert "s waits for 'paid'" in run("signal", "s", "payd", "7").stderr
