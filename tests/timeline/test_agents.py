"""The timeline of an agent: turns with their model calls, tools below the call that asked for them, approvals, hooks,
and how tokens grew."""

from __future__ import annotations

import asyncio
from typing import Any

from overwinter import Agent, Scripted, call, tool
from overwinter.functions.agents.hooks import Hook
from overwinter.orchestrator.timeline.timeline import Timeline
from overwinter.testing.world import World

from .living import folds, lines, lived, since, told


@tool(effect="irreversible", approval="desk")
async def refund(order: str) -> str:
    await asyncio.sleep(3)
    return f"refunded {order}"


@tool
async def look(order: str) -> str:
    await asyncio.sleep(1)
    if order == "A9":
        raise ValueError("no such order")
    return "shipped"


def script(messages: Any, tools: Any) -> Any:
    if messages[-1].role != "user":
        return "done"
    name, _, order = messages[-1].content.partition(" ")
    return call(name, order=order)


async def slowly(*given: Any) -> None:
    await asyncio.sleep(5)


def test_a_session_is_told_by_turns() -> None:
    desk = Agent("desk", Scripted(script), tools=[refund, look])

    async def act(world: World) -> Timeline:
        asked = await world.send(desk, "s", "refund A1")
        await world.until(lambda: world.open_approvals("desk/s") or None)
        await asyncio.sleep(100)
        await world.approve("desk/s")
        await asked.reply()
        await asyncio.sleep(50)
        await (await world.send(desk, "s", "look A9")).reply()
        return await told(world, "desk/s")

    found = lived([desk], act)
    shown = [row for row in lines(found) if row[1] in ("turn", "model", "approval", "tool")]
    assert shown == [
        ("t1", "turn", "", 0, 103, "done"),
        ("t1.m1", "model", "scripted/script", 0, 0, "done"),
        ("t1.m1.0", "approval", "refund", 0, 100, "done"),
        ("t1.m1.0", "tool", "refund", 100, 103, "done"),
        ("t1.m2", "model", "scripted/script", 103, 103, "done"),
        ("t2", "turn", "", 153, 154, "done"),
        ("t2.m1", "model", "scripted/script", 153, 153, "done"),
        ("t2.m1.0", "tool", "look", 153, 154, "failed"),
        ("t2.m2", "model", "scripted/script", 154, 154, "done"),
    ]
    assert [bar.depth for bar in found.rows if bar.op in ("t1", "t1.m1", "t1.m1.0")] == [0, 1, 2, 2]
    assert folds(found) == [(0, 100, "approval refund"), (103, 153, "nothing to do")]
    tokens = [count for _, count, _ in found.grew]
    assert len(tokens) == 4 and tokens == sorted(tokens) and tokens[-1] == sum(bar.tokens for bar in found.rows)


def test_hooks_and_tools_of_one_run_stand_below_their_model_call() -> None:
    desk = Agent("desk", Scripted(script), tools=[look], hooks=[Hook(before_tool=slowly)])

    async def act(world: World) -> Timeline:
        await (await world.start(desk, "look A1", id="x")).result()
        return await told(world, "x")

    found = lived([desk], act)
    hook = next(bar for bar in found.rows if bar.kind == "hook")
    assert (hook.parent, since(found, hook.begin), since(found, hook.end)) == ("t1.m1.0", 0, 5)
    (ran,) = [bar for bar in found.rows if bar.kind == "tool"]
    assert (ran.parent, since(found, ran.begin)) == ("t1.m1", 5)
    assert not [bar for bar in found.rows if bar.kind in ("group", "turn")]


def test_two_messages_at_once_are_two_turns() -> None:
    desk = Agent("desk", Scripted(script), tools=[look])

    async def act(world: World) -> Timeline:
        first = await world.send(desk, "s", "look A1")
        second = await world.send(desk, "s", "look A2")
        await first.reply()
        await second.reply()
        return await told(world, "desk/s")

    found = lived([desk], act)
    assert [row[3:5] for row in lines(found) if row[1] == "turn"] == [(0, 1), (0, 2)]
    assert [bar.parent for bar in found.rows if bar.kind == "model"] == ["t1", "t1", "t2", "t2"]
