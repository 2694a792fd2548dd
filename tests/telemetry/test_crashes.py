"""Every crash shape gives the tree of spans that there is without a crash."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter import Agent, Context, Scripted, StateMachine, call, tool, workflow
from overwinter.testing import World

from .witness import Run, runs_of


async def pay(order: str) -> str:
    await asyncio.sleep(0.2)
    return f"paid {order}"


@workflow
async def parcel(ctx: Context, order: str) -> str:
    await ctx.sleep("5s")
    return await ctx.step(pay, order)


@workflow
async def ticket(ctx: Context, order: str) -> list[str]:
    paid = await asyncio.gather(*(ctx.step(pay, f"{order}{part}") for part in "abc"))
    await ctx.sleep("3d")
    return [*paid, await ctx.child(parcel, order), await ctx.step(pay, "last")]


def check(runs: list[Run]) -> dict[tuple[str, str], Any]:
    """All runs have the same spans, and those of one run have all their parents."""
    assert len(runs) > 15
    calm = runs[0].tree()
    for number, run in enumerate(runs):
        tree = run.tree()
        missing, more = calm.keys() - tree.keys(), tree.keys() - calm.keys()
        differ = {key: (tree[key], calm[key]) for key in tree.keys() & calm.keys() if tree[key] != calm[key]}
        assert not (missing or more or differ), (
            number,
            [calm[key] for key in missing],
            [tree[k] for k in more],
            differ,
        )
    ids = {span_id for _, span_id in calm}
    assert all(parent in ids for parent, *_ in calm.values() if parent)
    return calm


def test_a_workflow_with_a_long_wait_and_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = check(runs_of(monkeypatch, ticket, "o"))
    names = sorted(name for _, name, *_ in tree.values())
    assert names == sorted(["invoke_workflow ticket"] * 2 + ["invoke_workflow parcel", "child parcel"] + ["pay"] * 5)
    assert len({trace for trace, _ in tree}) == 1


@tool
async def lookup(order: str) -> str:
    """Look an order up."""
    await asyncio.sleep(0.1)
    return f"{order}: on its way"


def say(messages: Any, tools: Any) -> Any:
    if messages[-1].role == "tool":
        return "It is on its way."
    return [call("lookup", order="A-1"), call("lookup", order="A-2")]


clerk = Agent("clerk", Scripted(say, delay="30ms"), tools=[lookup])


async def conversation(world: World) -> list[str]:
    said: list[str] = []
    for number in range(2):
        sent = await world.send(clerk, "c-1", "Where is it?", id=f"m{number}")
        said.append(await sent.reply())
        await asyncio.sleep(3600)
    return said


def test_a_session_of_an_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = check(runs_of(monkeypatch, conversation, functions=[clerk]))
    names = sorted(name for _, name, *_ in tree.values())
    assert names == sorted(
        ["invoke_agent clerk", "chat script", "chat script", "execute_tool lookup", "execute_tool lookup"] * 2
    )


machine = StateMachine(
    "paying",
    {
        "StartAt": "Pay",
        "States": {
            "Pay": {"Type": "Task", "Resource": "settle", "ResultPath": None, "Next": "Rest"},
            "Rest": {"Type": "Wait", "Seconds": 86400, "Next": "Both"},
            "Both": {
                "Type": "Parallel",
                "End": True,
                "Branches": [
                    {"StartAt": name, "States": {name: {"Type": "Task", "Resource": "settle", "End": True}}}
                    for name in ("Left", "Right")
                ],
            },
        },
    },
)


@tool
async def settle(order: str) -> str:
    """Pay."""
    await asyncio.sleep(0.1)
    return order


def test_a_state_machine_that_waits_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = check(runs_of(monkeypatch, machine, {"order": "o"}, functions=[settle]))
    names = sorted(name for _, name, *_ in tree.values())
    assert names == sorted(
        ["child settle"] * 3 + ["invoke_workflow paying"] * 2 + ["execute_tool settle"] * 3 + ["settle"] * 3
    )
