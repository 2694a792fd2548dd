"""How many calls of a tool a model may ask for in a turn."""

from __future__ import annotations

import pytest

from overwinter import Agent, tool
from overwinter.functions.tools.tool import Tool
from overwinter.functions.toolset import Toolset
from overwinter.tests.agent.driver import Driver, called


@tool(most=2)
def search(what: str) -> str:
    """Search."""
    return what


def test_what_is_beyond_is_told_to_the_model_and_another_turn_counts_anew() -> None:
    driver = Driver(Agent("desk", "scripted:echo", tools=[search]))
    driver.say("1")
    driver.model([called("search", "c1", what="a")])
    driver.tool("t1.m1.0", "a")
    driver.model([called("search", "c2", what="b"), called("search", "c3", what="c")])
    assert list(driver.open) == ["t1.m2.0"]
    driver.restart()  # the same is refused, and nothing twice
    assert list(driver.open) == ["t1.m2.0"]
    (told,) = driver.entries("observed")
    assert (told["op"], told["text"][:48]) == ("t1.m2.1", "Error: 'search' may be called 2 times for one me")
    driver.tool("t1.m2.0", "b")
    driver.model("done")
    driver.say("2")
    driver.model([called("search", "c4", what="d")])
    assert list(driver.open) == ["t2.m1.0"]


def test_it_stays_when_a_toolset_changes_the_tool() -> None:
    (changed,) = Toolset(search).prefixed("x").tools()
    assert changed.most == 2


@pytest.mark.parametrize("most", [0, -1, True, "3"])
def test_it_is_a_number_of_calls(most: object) -> None:
    with pytest.raises(ValueError, match=r"most= of tool 'f'"):
        Tool(lambda: None, name="f", most=most)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
