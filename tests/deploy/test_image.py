"""The Dockerfile without an engine: what can be said by reading it, and (with OVERWINTER_TEST_IMAGE=1, which needs the
network and a minute) its installing stage in a folder of its own, and the desk served from there.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import click
import httpx
import pytest

from overwinter.cli.main import cli
from overwinter.tests.servers.ports import free_port

from .manifests import KNATIVE, ROOT, container_args

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


class Stage(NamedTuple):
    """One stage: its name, what it stands on, and its instructions in order."""

    name: str
    base: str
    steps: list[tuple[str, str]]


def parsed() -> tuple[dict[str, str], list[Stage]]:
    """Build arguments with their defaults, and the stages."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.M)
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if not line.strip():
            continue
        word, rest = line.split(maxsplit=1)
        rest = rest.strip()
        if word == "FROM":
            base, _, name = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], rest).partition(" AS ")
            stages.append(Stage(name, base, []))
        elif word == "ARG" and "=" in rest:
            key, _, value = rest.partition("=")
            arguments.setdefault(key, value)
        if word != "FROM" and stages:
            stages[-1].steps.append((word, rest))
    return arguments, stages


ARGUMENTS, STAGES = parsed()
BY_NAME = {stage.name: stage for stage in STAGES}


def steps(stage: str, word: str) -> list[str]:
    return [rest for found, rest in BY_NAME[stage].steps if found == word]


def copied() -> list[str]:
    """What is copied from the build context, as paths."""
    found: list[str] = []
    for stage in STAGES:
        for word, rest in stage.steps:
            if word in ("COPY", "ADD") and "--from" not in rest:
                found += shlex.split(rest)[:-1]
    return found


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out: the last rule that matches it or a folder above it decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        rule = line.strip()
        if rule and not rule.startswith("#"):
            kept = rule.startswith("!")
            body = re.escape(rule.removeprefix("!")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
            if re.fullmatch(rf"{body}(?:/.*)?", path):
                out = not kept
    return out


def test_images_are_pinned() -> None:
    assert [stage.name for stage in STAGES] == ["build", "plain", "watchdog", "openfaas", ""]
    outside = [stage.base for stage in STAGES if stage.base not in BY_NAME]
    assert outside
    for image in outside:
        assert re.search(r":\d[\w.-]*$", image) and "latest" not in image
    minor = re.fullmatch(r"(\d+)\.(\d+)", ARGUMENTS["PYTHON"])
    assert minor and (int(minor[1]), int(minor[2])) >= (3, 11)


def test_what_runs_is_nobody_in_particular() -> None:
    (user,) = steps("plain", "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)  # a number, so that runAsNonRoot can be checked
    assert BY_NAME["openfaas"].base == "plain" and not steps("openfaas", "USER")
    assert STAGES[-1].base == "plain"


def test_no_tool_of_the_build_is_in_the_image() -> None:
    for stage in ("plain", "openfaas"):
        assert not steps(stage, "RUN")
        assert all("--from=" in rest for rest in steps(stage, "COPY"))
    assert steps("plain", "HEALTHCHECK") == ["NONE"]
    (install,) = [rest for rest in steps("build", "RUN") if "venv" in rest]
    assert "compileall" in install and "unchecked-hash" in install


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    assert copied()
    for path in copied():
        assert (ROOT / path).exists(), path
        assert not ignored(path), path


def test_the_whole_library_is_copied() -> None:
    rooms = {name.split(".")[1] for name in PYPROJECT["tool"]["setuptools"]["packages"] if "." in name}
    assert rooms <= set(copied())
    declared = [PYPROJECT["project"]["readme"], *PYPROJECT["project"]["license-files"], "pyproject.toml", "__init__.py"]
    assert set(declared) <= set(copied())


@pytest.mark.parametrize(
    "path",
    [".git", ".venv", "knative/secrets.yaml", "overwinter.db", "cli/__pycache__", "tests", "state/sqlite/x.db-wal"],
)
def test_what_is_secret_or_useless_stays_out(path: str) -> None:
    assert ignored(path)


def test_the_extras_exist() -> None:
    assert set(ARGUMENTS["EXTRAS"].split(",")) <= set(PYPROJECT["project"]["optional-dependencies"])
    assert "dev" not in ARGUMENTS["EXTRAS"]


def variables(stage: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in steps(stage, "ENV") for pair in shlex.split(rest))


def understood(command: list[str]) -> dict[str, Any]:
    """The parameters of a command line of ours, as the command would get them."""
    assert command[0] == "overwinter"
    context = click.Context(cli)
    name, found, rest = cli.resolve_command(context, command[1:])
    assert found is not None
    return dict(found.make_context(name, list(rest)).params)


def test_the_command_is_one_of_ours_and_listens_where_the_platform_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "examples")
    for name, value in variables("plain").items():
        if name != "PATH":
            monkeypatch.setenv(name, value)
    (command,) = steps("plain", "CMD")
    assert understood(json.loads(command)) | {"host": "0.0.0.0", "port": 8080} == understood(json.loads(command))
    monkeypatch.setenv("PORT", "9000")
    assert understood(json.loads(command))["port"] == 9000
    assert steps("plain", "EXPOSE") == ["8080"]


def test_behind_the_watchdog_the_desk_listens_where_the_watchdog_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "examples")
    given = variables("openfaas")
    for name in ("PORT", "OVERWINTER_HOST"):
        monkeypatch.setenv(name, given[name])
    served = understood(given["fprocess"].split())
    assert given["upstream_url"] == f"http://{served['host']}:{served['port']}"
    assert given["mode"] == "http" and given["ready_path"] == "/readyz"


def test_the_dead_letters_start_from_the_same_image() -> None:
    arguments = container_args("dead-letters")
    assert arguments == ["python", "dead_letters.py"]
    assert "knative/dead_letters.py" in copied() and (KNATIVE / "dead_letters.py").exists()


@pytest.mark.skipif(not os.environ.get("OVERWINTER_TEST_IMAGE"), reason="OVERWINTER_TEST_IMAGE is not set; slow")
def test_the_image_as_it_would_be_built(tmp_path: Path) -> None:
    source, wheels, app, venv = (tmp_path / name for name in ("source", "wheels", "app", "venv"))
    for folder in (source, app):
        folder.mkdir()
    for path in copied():
        target = app if "/" in path else source
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, target / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / path, target)
    extras = "[redis]"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    python = venv / "bin" / "python"
    for command in (
        [*pip, "wheel", "-q", "--wheel-dir", str(wheels), f".{extras}"],
        [sys.executable, "-m", "venv", "--without-pip", str(venv)],
        [*pip, "--python", str(python), *INSTALL, str(wheels), f"overwinter{extras}"],
        [str(python), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(venv / "lib")],
    ):
        subprocess.run(command, cwd=source, check=True, timeout=600)
    assert _served(venv / "bin", app, tmp_path) == "Your lamp (o-17) is in transit; it goes to 17 Frost Lane."


INSTALL = ("install", "-q", "--no-compile", "--no-index", "--find-links")


def _served(bin: Path, app: Path, data: Path) -> str:
    """Start the image's command as the platform would, and ask the desk something."""
    port = free_port()
    token = "a-secret-of-some-length"
    environment = {"PATH": f"{bin}:/usr/bin:/bin", "PORT": str(port), "OVERWINTER_TOKEN": token, "HOME": str(data)}
    environment |= {"OVERWINTER_STATE": f"sqlite:///{data}/ow.db", "SHOP_DATABASE": str(data / "shop.db")}
    environment |= {name: value for name, value in variables("plain").items() if name.startswith("OVERWINTER_")}
    (command,) = steps("plain", "CMD")
    with subprocess.Popen([str(bin / "overwinter"), *json.loads(command)[1:]], cwd=app, env=environment) as process:
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {token}"}
            ) as client:
                return _asked(client)
        finally:
            process.terminate()


def _asked(client: httpx.Client) -> str:
    until = time.monotonic() + 30
    while True:
        try:
            answer = client.post("/sessions/support/c-17", json={"content": "Where is my order o-17?"})
        except httpx.ConnectError:
            assert time.monotonic() < until
            time.sleep(0.1)
        else:
            return str(answer.json()["result"])
