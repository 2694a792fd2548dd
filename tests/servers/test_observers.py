"""How tests find the servers that no package brings, and the script that builds them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from overwinter.tests.servers.observers import FOLDER, GET, program

SCRIPT = Path(__file__).with_name("observers.sh")


def _there(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    made = folder / name
    made.write_text("#!/bin/sh\n")
    made.chmod(0o755)
    return made


def test_the_folder_goes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, path = _there(tmp_path / "named", "jaeger"), _there(tmp_path / "path", "jaeger")
    monkeypatch.setenv("PATH", str(path.parent))
    monkeypatch.delenv(FOLDER, raising=False)
    assert program("jaeger") == str(path)
    monkeypatch.setenv(FOLDER, str(named.parent))
    assert program("jaeger") == str(named)


@pytest.mark.parametrize("name", GET)
def test_without_one_a_test_is_skipped_and_says_how_to_get_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match=f"no {name} on PATH nor in {FOLDER}: .*observers.sh FOLDER"):
        program(name)


@pytest.mark.parametrize(("arguments", "said"), [((), "sh tests/servers/observers.sh FOLDER"), (("x", "no"), "no no")])
def test_the_script_says_how_it_is_used(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", str(SCRIPT), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2 and said in done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_the_script_has_no_faults_that_shellcheck_knows() -> None:
    subprocess.run(["shellcheck", str(SCRIPT)], check=True)
