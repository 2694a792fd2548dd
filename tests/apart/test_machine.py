"""What a state machine's Tasks call may live elsewhere too."""

from __future__ import annotations

import asyncio

import pytest

from overwinter import Runtime, StateMachine, tool
from overwinter.functions.invocation import sending
from overwinter.state.memory import MemoryStore

from .place import on_a_loop, served, until

seen: list[str] = []
go = asyncio.Event()


@tool
async def lookup(order: str) -> str:
    """Find an order."""
    seen.append(order)
    if order == "slow":
        await go.wait()
    return f"{order}: shipped"


def asks(order: str) -> StateMachine:
    task = {"Type": "Task", "Resource": "lookup", "Parameters": {"order": order}}
    states = {"A": {**task, "ResultPath": "$.first", "Next": "B"}, "B": {**task, "End": True}}
    return StateMachine("asks", {"StartAt": "A", "States": states}, [lookup])


@pytest.fixture(autouse=True)
def _fresh() -> None:
    global go
    seen.clear()
    go = asyncio.Event()


@on_a_loop
async def test_a_task_is_made_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = asks("a")
    async with served([lookup]) as there, Runtime([machine], "memory://") as here:
        monkeypatch.setenv("OVERWINTER_ROUTES", f"lookup={there.url}")
        assert await (await here.start(machine, id="x")).result() == "a: shipped"
        kinds = [entry["type"] async for entry in here.entries("x")]
    assert kinds.count("begun") == kinds.count("step") == 2 and seen == ["a", "a"]


@on_a_loop
async def test_who_comes_after_a_crash_asks_for_what_was_ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "HELD", 0)
    machine, store = asks("slow"), MemoryStore()
    async with served([lookup]) as there:
        monkeypatch.setenv("OVERWINTER_ROUTES", f"lookup={there.url}")
        first = Runtime([machine], store)
        await first.__aenter__()
        await first.start(machine, id="x")
        await until(lambda: seen)
        await first.close(grace=0)
        go.set()
        async with Runtime([machine], store) as second:
            assert await second.result("x", timeout=20) == "slow: shipped"
    assert seen == ["slow", "slow"]
