"""``overwinter new`` writes a project that runs and whose tests pass; ``completion`` completes commands and ids."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import overwinter as package
from overwinter.cli.project import TEMPLATES
from overwinter.tests.servers.ports import free_port

Command = Callable[..., Result]
PATIENCE = 30.0
HOME = str(Path(package.__file__).absolute().parent.parent)


def environment(**env: str) -> dict[str, str]:
    dropped = ("OVERWINTER_STATE", "OVERWINTER_MODEL", "OVERWINTER_URL", "PYTEST_CURRENT_TEST")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return {**kept, "PYTHONPATH": HOME, **env}


def python(folder: Path, *arguments: str, input: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(**env),
        capture_output=True,
        text=True,
        input=input,
        timeout=60,
        check=False,
    )


def blocks(readme: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a README, each with what is typed into it."""
    for block in re.findall(r"```\n(.*?)```", readme, re.DOTALL):
        command, said = "", []
        for line in block.splitlines():
            if line.startswith("> "):
                said.append(line.removeprefix("> "))
                continue
            if command:
                yield command, said
            command, said = line, []
        yield command, said


def typed(project: Path, line: str, said: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A line as it stands in the README; it may be for what another process has not come to yet."""
    words = shlex.split(line)
    command = ["-m", "overwinter.cli.main", *words[1:]] if words[0] == "overwinter" else words[1:]
    until = time.monotonic() + PATIENCE
    while True:
        done = python(project, *command, input="".join(f"{one}\n" for one in said), **env)
        if done.returncode in (0, 5) or time.monotonic() > until:
            return done


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_is_written_works_as_its_readme_says(tmp_path: Path, template: str) -> None:
    made = python(tmp_path, "-m", "overwinter.cli.main", "new", "corner-shop", "--template", template, "--json")
    assert made.returncode == 0, made.stderr
    project = tmp_path / "corner-shop"
    assert sorted(json.loads(made.stdout)["files"]) == sorted(
        path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()
    )
    port = str(free_port())
    env = {"PORT": port, "OVERWINTER_URL": f"http://127.0.0.1:{port}", "PYTHONDONTWRITEBYTECODE": "1"}
    serving: subprocess.Popen[str] | None = None
    ran: list[str] = []
    try:
        for line, said in blocks((project / "README.md").read_text("utf-8")):
            if line.startswith(("pip ", "docker ")):
                continue
            if line.startswith("overwinter dev"):
                serving = serve(project, line, env)
                continue
            done = typed(project, line, said, env)
            late = "--timeout" in line or said
            assert done.returncode == 0 or (late and done.returncode == 5), (line, done.stdout, done.stderr)
            ran.append(line)
    finally:
        if serving is not None:
            serving.terminate()
            serving.communicate()
    assert serving is not None and len(ran) >= 7, ran


def serve(project: Path, line: str, env: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "overwinter.cli.main", *shlex.split(line)[1:]]
    serving = subprocess.Popen(command, cwd=project, env=environment(**env), stderr=subprocess.PIPE, text=True)
    assert serving.stderr is not None
    for said in serving.stderr:
        if "serves" in said:
            break
    threading.Thread(target=serving.stderr.read, daemon=True).start()  # nobody is kept from writing
    return serving


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_is_written_to_ship_it_names_what_is_there(tmp_path: Path, overwinter: Command, template: str) -> None:
    assert overwinter("new", "corner-shop", "--template", template, "--into", str(tmp_path)).exit_code == 0
    project = tmp_path / "corner-shop"
    texts = {path: path.read_text("utf-8") for path in project.rglob("*") if path.is_file()}
    assert not [path for path, text in texts.items() if "{{" in text]
    settings = tomllib.loads(texts[project / "pyproject.toml"])
    assert settings["tool"]["setuptools"]["py-modules"] == ["corner_shop"]
    docker = texts[project / "Dockerfile"]
    assert "COPY corner_shop.py ./" in docker and '["overwinter", "serve", "corner_shop.py"]' in docker
    assert "!corner_shop.py" in texts[project / ".dockerignore"] and ".env\n" in texts[project / ".gitignore"]
    assert all(line.startswith("#") or not line for line in texts[project / ".env.example"].splitlines())


@pytest.mark.parametrize(
    "name", ["class", "json", "Shop", "../shop", "a b", "", "overwinter", "1shop", "pydantic", "pytest"]
)
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
