"""What is typed at a shell arrives as what it was meant to be: text where only text is taken, JSON elsewhere; and what
can't be meant is refused before anything is started."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import click
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from overwinter import Agent
from overwinter.cli.inputs import fitting, takes_text
from overwinter.functions.http.schemas import input_schema

Command = Callable[..., Result]
APP = """
from overwinter import Agent, Context, workflow

echo = Agent("echo", "scripted:echo")

@workflow
async def say(ctx: Context, what: str) -> str:
    return f"said {what}"

@workflow
async def double(ctx: Context, number: int) -> int:
    return 2 * number
"""


@pytest.fixture
def app(tmp_path: Path) -> str:
    file = tmp_path / "typing_app.py"
    file.write_text(APP, "utf-8")
    return str(file)


@pytest.mark.parametrize("typed", ["42", "true", "null", "1e3", '{"a": 1}', "{not json", "[urgent] where is it?", '"x'])
@pytest.mark.parametrize("function", ["echo", "say"])
def test_what_takes_text_gets_what_was_typed(app: str, overwinter: Command, function: str, typed: str) -> None:
    done = overwinter("run", app, function, typed)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ("" if function == "echo" else "said ") + typed + "\n"


def test_in_quotes_it_may_still_be_json(app: str, overwinter: Command) -> None:
    assert overwinter("run", app, "echo", '"42"').stdout == "42\n"
    assert overwinter("run", app, "echo", "-", input="42").stdout == "42\n"


def test_what_takes_something_else_gets_json(app: str, overwinter: Command, shelf: Any) -> None:
    assert overwinter("run", app, "double", "21").stdout == "42\n"
    assert overwinter("run", app, "double", "{21").exit_code == 2


@pytest.mark.parametrize("words", [("run", "double", "{21"), ("run", "double", "1", "--timeout", "banana")])
def test_what_can_not_be_meant_is_refused_before_a_store_is_made(
    app: str, overwinter: Command, shelf: Any, words: tuple[str, ...]
) -> None:
    done = overwinter(words[0], app, *words[1:])
    assert done.exit_code == 2 and not shelf.path.exists()


@pytest.mark.parametrize("words", [("invoke", "f"), ("watch", "id")])
def test_a_time_that_is_none_is_refused_before_anybody_is_asked(overwinter: Command, words: tuple[str, ...]) -> None:
    done = overwinter(*words, "--timeout", "banana")
    assert done.exit_code == 2 and "banana" in done.stderr and "--timeout" in done.stderr


class Size(Enum):
    S = "s"
    L = "l"


class Question(BaseModel):
    text: str


@pytest.mark.parametrize(
    ("input", "text"),
    [(str, True), (Annotated[str, Field(min_length=2)], True), (date, True), (Size, True), (Literal["a", "b"], True),
     (int, False), (Literal["a", 1], False), (str | int, False), (str | None, False), (Any, False), (Question, False),
     (list[str], False)],
)  # fmt: skip
def test_only_what_takes_nothing_else_takes_text(input: Any, text: bool) -> None:
    assert takes_text(input_schema(Agent("a", "scripted:echo", input=input))) is text


@given(st.text())
def test_any_text_comes_through_as_itself(text: str) -> None:
    assert fitting(json.dumps(text), {"type": "string"}, "INPUT") == text
    if not text.startswith('"'):
        assert fitting(text, {"type": "string"}, "INPUT") == text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_json_comes_through_as_itself_elsewhere(value: Any) -> None:
    assert fitting(json.dumps(value), {}, "INPUT") == value


def test_half_a_json_is_a_usage_error_elsewhere() -> None:
    with pytest.raises(click.BadParameter):
        fitting("{half", {}, "INPUT")
