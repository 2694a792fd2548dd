"""A suggested command can be typed as it is: it names the store that was named, and no password."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from overwinter.cli.again import GIVEN, GIVEN_URL, again
from overwinter.cli.commands.invoke import _show
from overwinter.cli.main import cli

APP = """
from overwinter import Context, workflow

@workflow
async def fails(ctx: Context) -> str:
    raise ValueError("as meant")
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    file = tmp_path / "failing_app.py"
    file.write_text(APP, "utf-8")
    return file


def run(*words: str, **env: str) -> str:
    return CliRunner().invoke(cli, list(words), env={"OVERWINTER_STATE": None, **env}).output


def test_the_named_store_is_in_what_is_suggested(app: Path) -> None:
    store = f"sqlite:///{app.parent}/my store.db"
    told = run("run", str(app), "fails", "--id", "e", "--store", store)
    assert f"overwinter show --store '{store}' e tells why; overwinter retry --store '{store}' e goes on" in told
    shown = run("show", "e", "--store", store)
    assert f"→ overwinter retry --store '{store}' e" in shown.replace("\n", "")
    assert run("show", "--store", store, "e") == shown, "as it was suggested"


def test_one_from_the_environment_is_not(app: Path) -> None:
    told = run("run", str(app), "fails", "--id", "e", OVERWINTER_STATE=f"sqlite:///{app.parent}/s.db")
    assert "overwinter show e tells why" in told


def test_a_password_is_never_repeated() -> None:
    with click.Context(cli) as context:
        context.meta[GIVEN] = "redis://:secret@host/0"
        assert again("overwinter show e") == "overwinter show e"
        context.meta[GIVEN] = "redis://host/0"
        assert (
            again("overwinter show e; overwinter store check")
            == "overwinter show --store redis://host/0 e; overwinter store check"
        )
    assert again("overwinter show e") == "overwinter show e"


def test_the_named_server_is_in_what_is_suggested() -> None:
    with click.Context(cli) as context:
        context.meta[GIVEN_URL] = "http://127.0.0.1:8484"
        told = again("overwinter invoke f 'an input' --id x waits; overwinter show x")
        assert told == "overwinter invoke --url http://127.0.0.1:8484 f 'an input' --id x waits; overwinter show x"
        assert again(told) == told
        context.meta[GIVEN_URL] = "http://me:secret@host"
        assert again("overwinter invoke f") == "overwinter invoke f"


def test_where_nobody_said_which_store_the_server_has_that_is_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OVERWINTER_STATE", raising=False)
    assert _show("e 1") == "overwinter show 'e 1' --store '…' (that of the server)"
    (tmp_path / "overwinter.db").touch()
    assert _show("e") == "overwinter show e"
    (tmp_path / ".env").write_text("OVERWINTER_STATE=sqlite:///elsewhere.db\n", "utf-8")
    assert "--store" in _show("e"), "the server reads it, and show does not"
    monkeypatch.setenv("OVERWINTER_STATE", "sqlite:///s.db")
    assert _show("e") == "overwinter show e"
