"""What a call elsewhere costs at the caller's: it is recorded by the commit that orders it, and leaves after that."""

from __future__ import annotations

import json

import pytest

from overwinter import Agent, Context, Runtime, Scripted, call, tool, workflow
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Appended, Change

from .place import on_a_loop, served

seen: list[list[str]] = []


@tool
async def lookup(order: str) -> str:
    """Find an order."""
    seen.append([])
    return f"{order}: shipped"


class Counted(MemoryStore):
    """Keeps what each commit adds to the journal, and beside which calls it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[list[str]] = []

    async def append(self, change: Change) -> Appended:
        done = await super().append(change)
        self.commits.append([f"{json.loads(text)['type']} after {len(seen)}" for text in change.entries])
        return done


@workflow
async def asks(ctx: Context, orders: list[str]) -> list[str]:
    return [await ctx.step(lookup, order) for order in orders]


@pytest.fixture(autouse=True)
def _none() -> None:
    seen.clear()


@on_a_loop
async def test_a_call_after_another_costs_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Counted()
    async with served([lookup]) as there, Runtime([asks], store) as here:
        monkeypatch.setenv("OVERWINTER_ROUTES", f"lookup={there.url}")
        told = await (await here.start(asks, ["a", "b", "c"])).result()
    assert told == ["a: shipped", "b: shipped", "c: shipped"]
    assert store.commits == [
        ["start after 0", "begun after 0"],
        ["step after 1", "begun after 1"],
        ["step after 2", "begun after 2"],
        ["step after 3", "completed after 3"],
    ]


@on_a_loop
async def test_what_an_agent_orders_elsewhere_is_recorded_with_the_answer_that_orders_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Counted()
    desk = Agent("desk", Scripted([call("lookup", order="a"), "done"]), tools=[lookup])
    async with served([lookup]) as there, Runtime([desk], store) as here:
        monkeypatch.setenv("OVERWINTER_ROUTES", f"lookup={there.url}")
        assert await (await here.start(desk, "hi")).result() == "done"
    (ordering,) = [commit for commit in store.commits if any(entry.startswith("begun") for entry in commit)]
    assert any(entry.startswith("model") for entry in ordering)
    assert all(entry.endswith("after 0") for entry in ordering)
