"""Suggested commands are read by the shell and the command line as what was meant, whatever ids are called."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import overwinter
from overwinter.cli.main import cli
from overwinter.cli.view.command import command

APP = """
from overwinter import Context, workflow

@workflow
async def fails(ctx: Context) -> str:
    raise ValueError("as meant")

@workflow
async def waits(ctx: Context) -> str:
    return str(await ctx.wait_for("go on", type=int))
"""
CLI = Path(overwinter.__file__).parent / "cli"


@pytest.fixture(autouse=True)
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my app.py").write_text(APP, "utf-8")
    return "my app.py"


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words), env={"OVERWINTER_STATE": None, "COLUMNS": "200"})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (command("show", "e f"), "overwinter show 'e f'"),
        (command("show", "-x"), "overwinter show -- -x"),
        (command("run", "a.py", "f", id="l it"), "overwinter run a.py f --id 'l it'"),
        (command("run", "a.py", "f", id="-l"), "overwinter run a.py f --id=-l"),
        (command("invoke", "f", "-1", id="i"), "overwinter invoke --id i -- f -1"),
        (command("signal", "i", "$(x)", "…"), "overwinter signal i '$(x)' '…'"),
        (command("ps", cursor=None), "overwinter ps"),
    ],
)
def test_words_and_options(written: str, meant: str) -> None:
    assert written == meant


@pytest.mark.parametrize("id", ["l it", "-x", "--json", "a;b", "$(x)"])
def test_what_goes_on_can_be_pasted(app: str, id: str) -> None:
    late = run("run", app, "waits", f"--id={id}", "--timeout", "50ms", "--store", "sqlite:///my s.db")
    assert late.exit_code == 5
    (goes_on,) = re.findall(r"overwinter (run .*) goes on", late.output)
    shown = run("show", "--store", "sqlite:///my s.db", "--", id)
    (signal,) = re.findall(r"→ overwinter (.*)", shown.output)
    assert run(*shlex.split(signal)).exit_code == 0
    done = run(*shlex.split(goes_on))
    assert done.exit_code == 0 and "1" in done.stdout, done.output


@pytest.mark.parametrize("id", ["l it", "-x", "$(x)"])
def test_what_tells_why_can_be_pasted(app: str, id: str) -> None:
    failed = run("run", app, "fails", f"--id={id}")
    show, retry = re.findall(r"overwinter ((?:show|retry) .*?) (?:tells|goes)", failed.output)
    assert "as meant" in run(*shlex.split(show)).output
    assert run(*shlex.split(retry)).exit_code == 0


@pytest.mark.parametrize("function", ["fails", "waits"])
@pytest.mark.parametrize("named", [True, False])
def test_no_command_is_suggested_for_what_is_gone(app: str, function: str, named: bool) -> None:
    env = {"OVERWINTER_STATE": None if named else "memory://"}
    words = ["run", app, function, "--timeout", "50ms", *(["--store", "memory://"] if named else [])]
    told = CliRunner().invoke(cli, words, env=env).output
    assert "gone" in told
    assert "overwinter" not in told


def test_every_id_in_a_command_is_written_by_it() -> None:
    """An id or a name that is put into a command by hand is neither quoted nor kept from being an option."""
    by_hand = re.compile(r"""f["'].*\boverwinter (?:[a-z]+|\{[a-z]+\}) [^"]*\{(?!SHELLS|module)""")
    own = {"cli/announcing.py"}  # its words are quoted, and made for the shell before
    found = [
        f"cli/{path.relative_to(CLI)}: {line.strip()}"
        for path in CLI.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if by_hand.search(line) and f"cli/{path.relative_to(CLI)}" not in own
    ]
    assert found == []
