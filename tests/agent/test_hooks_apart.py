"""A hook is shown copies, and runs where it holds nobody up."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import BaseModel

from overwinter import Agent, Scripted, call, run, tool
from overwinter.functions.hooks import Hook

PLACES = ("before_run", "before_model", "after_model", "before_tool", "after_tool", "after_run")


class Basket(BaseModel):
    items: list[int]


@tool
def lookup(ids: list[int]) -> str:
    """Look up."""
    return str(ids)


def spoil(value: Any) -> None:
    """Change all that can be changed in it."""
    if isinstance(value, dict):
        for each in value.values():
            spoil(each)
        value["spoilt"] = True
    elif isinstance(value, (list, tuple)):
        for each in value:
            spoil(each)
        if isinstance(value, list):
            value.append("spoilt")


@pytest.mark.parametrize("place", PLACES)
def test_what_a_hook_does_to_what_it_is_shown_changes_nothing(place: str) -> None:
    def script(messages: Any, tools: Any, request: Any) -> Any:
        assert "spoilt" not in str((messages, request.settings))
        return call("lookup", ids=[1]) if len(messages) == 2 else '{"items": [2]}'

    hook = Hook(**{place: lambda *shown: spoil(shown)})  # type: ignore[arg-type]  # of each place
    agent = Agent(
        "desk", Scripted(script), lambda basket: str(basket.items), [lookup], Basket, input=Basket, hooks=hook,
        settings={"stop": ["."]},
    )  # fmt: skip
    for _ in range(2):
        assert run(agent, Basket(items=[1]), store="memory://") == Basket(items=[2])


def test_a_hook_that_is_tried_again_is_shown_the_same() -> None:
    seen: list[int] = []

    def once_more(run_: Any) -> None:
        seen.append(len(run_.content["items"]))
        run_.content["items"].append(9)
        if len(seen) == 1:
            raise ConnectionError("again")

    hook = Hook(before_run=once_more)
    agent = Agent("desk", Scripted(["hello"]), input=Basket, hooks=hook)
    assert run(agent, Basket(items=[1]), store="memory://") == "hello" and seen == [1, 1]


@pytest.mark.parametrize("place", PLACES)
def test_a_plain_function_runs_in_a_thread_whatever_stands_beside_it(place: str) -> None:
    where: dict[str, threading.Thread] = {}

    def plain(*shown: Any) -> None:
        where["plain"] = threading.current_thread()

    async def on_loop(*shown: Any) -> None:
        where.setdefault("loop", threading.current_thread())

    functions = {other: plain if other == place else on_loop for other in PLACES}
    script = Scripted([call("lookup", ids=[1]), "done"])
    agent = Agent("desk", script, tools=[lookup], hooks=Hook(**functions))  # type: ignore[arg-type]  # of each place
    assert run(agent, "go", store="memory://") == "done"
    assert where["plain"] is not where["loop"]
