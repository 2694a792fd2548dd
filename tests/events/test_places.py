"""Where a function was declared is found without anything having been noted for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from overwinter import Agent
from overwinter.functions.invocation.loading import functions_of, load
from overwinter.functions.invocation.places import place_of

APP = """
import overwinter
from overwinter import Agent, Context, tool, workflow

first = Agent("first", "scripted:echo")
second = Agent[int](
    model="scripted:echo",
    name="second",
    output=int,
)
third = overwinter.Agent(name="third", model="scripted:echo")
made = [Agent(f"made-{n}", "scripted:echo") for n in range(1)][0]

@tool
def look(a: int) -> int:
    "Look."
    return a

@workflow
async def flow(ctx: Context) -> None: ...
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    file = tmp_path / "placed_app.py"
    file.write_text(APP, "utf-8")
    return file


def test_agents_tools_and_workflows_have_a_place(app: Path) -> None:
    functions = functions_of(load(app))
    lines = APP.splitlines()

    def at(start: str) -> str:
        return f"placed_app.py:{next(number for number, line in enumerate(lines, 1) if line.startswith(start))}"

    assert place_of(functions["first"]) == at("first =")
    assert place_of(functions["second"]) == at("second =")
    assert place_of(functions["third"]) == at("third =")
    assert place_of(functions["look"]) == at("@tool")
    assert place_of(functions["flow"]) == at("@workflow")


def test_where_it_can_not_be_told_nothing_is_said(app: Path) -> None:
    assert place_of(functions_of(load(app))["made-0"]) == ""
    assert place_of(Agent("nowhere", "scripted:echo")) == ""
    assert place_of(object()) == ""
