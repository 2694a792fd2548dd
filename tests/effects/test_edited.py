"""A call that a person has edited before approving it is in doubt with what it was made with, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter import Agent, Context, Scripted, StateMachine, call, current_call, tool, workflow
from overwinter.functions.effects import Done
from overwinter.testing import World

from .bank import bank, look, played


@tool(effect="irreversible", approval="desk")
async def wire(order: str) -> str:
    """Wire the money for an order."""
    return await bank.wired(current_call().idempotency_key, order)


@tool(effect="reconcilable", reconcile=look, approval="desk")
async def move(order: str) -> str:
    """Move the money for an order."""
    return await bank.wired(current_call().idempotency_key, order)


def agent(name: str) -> Agent:
    said = Scripted(lambda messages, tools: call(name, order="o") if len(messages) == 1 else messages[-1].content)
    return Agent("clerk", said, tools=[wire, move])


def flow(name: str) -> Any:
    @workflow(name="clerk")
    async def run(ctx: Context, input: Any) -> str:
        return await ctx.step({"wire": wire, "move": move}[name], "o")

    return run


def machine(name: str) -> StateMachine:
    task = {"Type": "Task", "Resource": name, "Parameters": {"order": "o"}, "End": True}
    return StateMachine("clerk", {"StartAt": "M", "States": {"M": task}}, [wire, move])


async def dying(world: World, function: Any) -> None:
    bank.clear()
    bank.hangs = True
    await world.start(function, "o", id="x")
    await world.approve("x", by="ben", arguments={"order": "p"})
    await asyncio.sleep(1)
    assert bank.paid == {"p": 1}
    world.process.kill()


@pytest.mark.parametrize("made", [agent, flow, machine])
def test_who_resolves_it_reads_what_it_was_made_with(made: Any) -> None:
    async def scenario(world: World) -> None:
        await dying(world, made("wire"))
        await world.reached("x", "in-doubt")
        (doubt,) = await world.call(lambda runtime: runtime.doubts("x"))
        assert doubt["arguments"] == {"order": "p"}
        await world.resolve("x", Done("by hand"))
        assert "by hand" in str(await world.result("x")) and bank.paid == {"p": 1}

    played(scenario, made("wire"))


@pytest.mark.parametrize("made", [agent, flow, machine])
def test_who_is_asked_about_it_is_asked_about_what_it_was_made_with(made: Any) -> None:
    async def scenario(world: World) -> None:
        await dying(world, made("move"))
        assert "receipt of p" in str(await world.result("x"))
        assert [arguments for _, arguments in bank.asked] == [{"order": "p"}] and bank.paid == {"p": 1}

    played(scenario, made("move"))
