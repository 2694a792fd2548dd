"""A ``.env`` is read at a developer's desk and nowhere else; what was set before wins; no value of it is shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result

from overwinter.cli.main import cli

APP = '''
import os
from overwinter import Context, tool, workflow

@tool
def seen() -> dict[str, str | None]:
    """What the environment holds."""
    return {name: os.environ.get(name) for name in ("DESK_KEY", "DESK_MODE")}

@workflow
async def fails(ctx: Context) -> None:
    raise ValueError("as meant")
'''
VALUE = "sk-not-to-be-seen-1234567890"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "desk_app.py").write_text(APP, "utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("DESK_KEY", "DESK_MODE", "OVERWINTER_STATE", "OVERWINTER_SECRETS"):
        monkeypatch.delenv(name, raising=False)
    with patch.dict(os.environ):
        yield tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["run", "apps/desk_app.py", *words], catch_exceptions=False)


@pytest.mark.parametrize("place", [".", "apps"])
def test_it_is_read_from_here_or_from_beside_the_file(desk: Path, place: str) -> None:
    (desk / place / ".env").write_text(f"# mine\nexport DESK_KEY='{VALUE}'\n", "utf-8")
    done = run("seen")
    assert VALUE in done.stdout
    assert done.stderr.startswith(f"read {Path(place) / '.env'}: DESK_KEY\n") and VALUE not in done.stderr


def test_what_is_set_already_wins(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_MODE", "set")
    (desk / ".env").write_text(f"DESK_MODE=read\nDESK_KEY={VALUE}\n", "utf-8")
    done = run("seen")
    assert '"DESK_MODE": "set"' in done.stdout and VALUE in done.stdout
    assert "read .env: DESK_KEY; DESK_MODE set already, kept" in done.stderr


def test_options_are_read_after_it_and_suggestions_name_its_store(desk: Path) -> None:
    (desk / ".env").write_text("OVERWINTER_STATE=sqlite:///mine.db\n", "utf-8")
    done = run("fails", "--id", "e")
    assert (desk / "mine.db").exists() and not (desk / "overwinter.db").exists()
    assert "overwinter retry --store sqlite:///mine.db e goes on" in done.stderr
    looking = CliRunner().invoke(cli, ["ps", "--store", "sqlite:///overwinter.db"])
    assert looking.exit_code == 4 and "The .env here names another one" in looking.stderr


def test_another_file_is_read_instead_when_it_is_named(desk: Path) -> None:
    (desk / ".env").write_text("DESK_KEY=this\n", "utf-8")
    (desk / "test.env").write_text("DESK_KEY=that\n", "utf-8")
    assert '"DESK_KEY": "that"' in run("seen", "--env-file", "test.env").stdout


@pytest.mark.parametrize(("text", "line"), [(f"A=1\n= {VALUE}\n", 2), (f"A=1\n\n{VALUE} x\n", 3)])
def test_a_line_that_says_nothing_is_told_by_its_number(desk: Path, text: str, line: int) -> None:
    (desk / ".env").write_text(text, "utf-8")
    done = run("seen")
    assert done.exit_code == 2 and f".env, line {line}:" in done.stderr and VALUE not in done.output


def test_what_no_variable_can_hold_is_told(desk: Path) -> None:
    (desk / ".env").write_text("A=1\nODD=a\0b\n", "utf-8")
    done = run("seen")
    assert done.exit_code == 2 and "ODD has a NUL in it" in done.stderr and "Traceback" not in done.output


def test_without_one_the_library_is_not_even_loaded(desk: Path) -> None:
    with patch.dict("sys.modules", {"dotenv": None}):
        assert run("seen").exit_code == 0


@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("sweep",)])
def test_production_reads_none_unless_it_is_named(desk: Path, words: tuple[str, ...]) -> None:
    (desk / ".env").write_text("= nothing\n", "utf-8")
    (desk / "apps" / "desk_app.py").write_text("import os\nraise SystemExit('saw ' + str(os.environ.get('A')))\n")
    done = CliRunner().invoke(cli, [*words, "apps/desk_app.py"])
    assert "saw None" in done.output, "not read: it would have been refused"
    (desk / "prod.env").write_text("A=1\n", "utf-8")
    done = CliRunner().invoke(cli, [*words, "apps/desk_app.py", "--env-file", "prod.env"])
    assert "read prod.env: A" in done.stderr and "saw 1" in done.output
