"""A tool that no model could be told of is refused before anything is served, with its place; one such tool would
otherwise take the lists of all functions with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from overwinter.cli.main import cli
from overwinter.functions.http.schemas import input_schema
from overwinter.functions.invocation.loading import functions_of, load, sound
from overwinter.state.errors import InvalidInput

APP = '''
from collections.abc import Callable
from typing import Annotated

from pydantic import PlainValidator

from overwinter import Context, tool, workflow


class Own:
    pass


@tool
def call_back(f: Callable[[], int]) -> str:
    """Call."""
    return "x"


@tool
def make(own: Own) -> str:
    """Make."""
    return "x"


@tool
def fine(a: int) -> int:
    """Add nothing."""
    return a


@workflow
async def read(ctx: Context, odd: Annotated[int, PlainValidator(int)]) -> int:
    return odd
'''


@pytest.fixture
def app(tmp_path: Path) -> Path:
    file = tmp_path / "unsound_app.py"
    file.write_text(APP, "utf-8")
    return file


def test_all_of_them_are_named_with_their_lines(app: Path) -> None:
    lines = APP.splitlines()
    with pytest.raises(InvalidInput) as caught:
        sound(functions_of(load(app)))
    first, second = str(caught.value).split("; unsound_app.py")
    assert first.startswith(f"unsound_app.py:{lines.index('def call_back(f: Callable[[], int]) -> str:')}: ")
    assert second.startswith(f":{lines.index('def make(own: Own) -> str:')}: ") and "'make'" in second


@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("doctor", "--json")])
def test_nothing_is_served_and_the_doctor_says_so(app: Path, words: tuple[str, ...]) -> None:
    store = f"sqlite:///{app.parent}/s.db"
    done = CliRunner().invoke(cli, [words[0], str(app), *words[1:]], env={"OVERWINTER_STATE": store})
    assert done.exit_code != 0 and "can't be described to a model" in done.output


def test_a_workflow_may_read_its_input_by_code_of_its_own(app: Path) -> None:
    functions = functions_of(load(app))
    assert input_schema(functions["read"]) == {}
    assert sound({"read": functions["read"], "fine": functions["fine"]})
