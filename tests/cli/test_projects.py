"""``overwinter new`` writes a project that runs and whose tests pass; ``completion`` completes commands and ids."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import overwinter as package

Command = Callable[..., Result]
HOME = str(Path(package.__file__).absolute().parent.parent)


def python(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    dropped = ("OVERWINTER_STATE", "OVERWINTER_MODEL", "PYTEST_CURRENT_TEST")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": HOME, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_new_project_runs_and_its_tests_pass(tmp_path: Path) -> None:
    cli = ("-m", "overwinter.cli.main")
    assert python(tmp_path, *cli, "new", "corner-shop").returncode == 0
    project = tmp_path / "corner-shop"
    letter = python(project, *cli, "run", "corner_shop.py", "answer_letter", "About A-1 and A-2", "--id", "letter-1")
    assert letter.returncode == 0 and letter.stdout.count("I looked it up") == 2
    asked = python(
        project, *cli, "run", "corner_shop.py", "clerk", "refund order A-1", "--session", "me", "--timeout", "1s"
    )
    assert asked.returncode == 5
    waiting = json.loads(python(project, *cli, "approvals", "--json").stdout)["approvals"]
    assert [(item["execution"], item["role"]) for item in waiting] == [("clerk/me", "shopkeeper")]
    tests = python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert tests.returncode == 0, tests.stdout


@pytest.mark.parametrize("name", ["class", "json", "Shop", "../shop", "a b", "", "overwinter", "1shop"])
def test_a_name_must_fit(tmp_path: Path, overwinter: Command, name: str) -> None:
    assert overwinter("new", name, "--into", str(tmp_path)).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path, overwinter: Command) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "precious.txt").write_text("mine")
    assert overwinter("new", "shop", "--into", str(tmp_path)).exit_code == 2
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["precious.txt"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(overwinter: Command, shell: str) -> None:
    result = overwinter("completion", shell)
    assert result.exit_code == 0 and "_OVERWINTER_COMPLETE" in result.stdout


def test_ids_are_completed_from_the_store(shelf: Any, tmp_path: Path) -> None:
    shelf.put("ticket-1", [{"type": "start", "at": 1, "input": None}])
    shelf.put("other", [{"type": "start", "at": 1, "input": None}])

    def complete(words: str, store: str) -> list[str]:
        env = {"_OVERWINTER_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        done = python(tmp_path, "-m", "overwinter.cli.main", **env, OVERWINTER_STATE=store)
        assert done.stderr == ""
        return [line.partition(",")[2] for line in done.stdout.split()]

    assert complete("overwinter show tick", shelf.dsn) == ["ticket-1"]
    assert "show" in complete("overwinter sh", shelf.dsn)
    assert complete("overwinter show tick", f"sqlite:///{tmp_path}/absent.db") == []
    assert not (tmp_path / "absent.db").exists()
