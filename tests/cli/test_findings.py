"""What is wrong with an agent's model is told by ``doctor`` and at the start of ``dev``, with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from overwinter.functions.invocation.loading import functions_of, load
from overwinter.functions.invocation.looking import look

Command = Callable[..., Result]
APP = """
from overwinter import Agent

class Model:
    def __init__(self, name, wrong="", doubt=""):
        self.name, self._wrong, self._doubt = name, wrong, doubt

    async def complete(self, request): ...

    def wrong(self, settings):
        return self._wrong.format(**settings)

    def doubt(self, settings):
        return self._doubt

class Silent:
    name = "silent"

    async def complete(self, request): ...

unsure = Agent("unsure", Model("a", doubt="is it b?"))
keyless = Agent("keyless", Model("b", wrong="set {key} in the environment"), settings={"key": "B_KEY"})
fine = Agent("fine", Model("c"))
silent = Agent("silent", Silent())
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    file = tmp_path / "found_app.py"
    file.write_text(APP, "utf-8")
    return file


def line(start: str) -> int:
    return next(number for number, text in enumerate(APP.splitlines(), 1) if text.startswith(start))


def test_each_agent_is_named_with_its_place_and_what_is_certain_comes_first(app: Path) -> None:
    found = look(functions_of(load(app)))
    assert [(finding.text, finding.certain) for finding in found] == [
        (f"found_app.py:{line('keyless')}: agent keyless: set B_KEY in the environment", True),
        (f"found_app.py:{line('unsure')}: agent unsure: is it b?", False),
    ]


def test_the_doctor_fails_for_what_is_certain_and_warns_of_the_rest(app: Path, overwinter: Command) -> None:
    done = overwinter("doctor", str(app), "--json", "--port", "1")
    checks = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "models"]
    assert [check["state"] for check in checks] == ["fail", "warn"] and done.exit_code == 1
    app.write_text(APP.replace("set {key} in the environment", ""), "utf-8")
    assert overwinter("doctor", str(app), "--port", "1").exit_code == 0
    app.write_text(APP.replace("set {key} in the environment", "").replace("is it b?", ""), "utf-8")
    assert "nothing is known against a, b, c, silent" in overwinter("doctor", str(app), "--port", "1").stdout
