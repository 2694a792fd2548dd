"""Durable agent: an agent that goes on for weeks. It sleeps at zero, wakes for an event or when it is time to look
again, acts, has risky acts approved, and remembers what it has done.

    guard = durable_agent("guard", watcher, every="1d", approve=is_risky, role="operations")

Events are called ``wake`` (with any data) and ``stop``. Its history stays short however long it lives.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from pydantic import BaseModel

from .. import Agent, Context, OverwinterError, workflow
from .machines.shape import shapeless

TURNS_PER_CHECKPOINT = 50
REMEMBERED = 20
WHY = "it is woken by events, and a state machine waits for none; nor does it begin its history anew for weeks"


class Observation(BaseModel):
    """What the agent is woken with."""

    goal: str
    cause: Any
    done: list[str]


class Act(BaseModel):
    """What the agent decides. ``finished`` ends it."""

    action: str
    finished: bool = False


class Life(BaseModel):
    """What it carries through its life."""

    goal: str
    turns: int = 0
    done: list[str] = []


def durable_agent(
    name: str,
    agent: Agent[Act],
    act: Callable[[str], Any],
    *,
    every: str = "1d",
    approve: Callable[[str], bool] | None = None,
    role: str = "",
) -> Callable[[Context, Life], Coroutine[Any, Any, Life]]:
    """A workflow from a Life (its goal) to what it was at the end. ``act`` carries an action out, as a step;
    ``approve`` says which actions a person must allow first."""

    @workflow(name=name, uses=[agent])
    async def live(ctx: Context, life: Life) -> Life:
        while True:
            life.turns += 1
            decided = await ctx.call(agent, Observation(goal=life.goal, cause=await _wake(ctx, every), done=life.done))
            life.done = [*life.done, await _carry_out(ctx, decided.action)][-REMEMBERED:]
            if decided.finished:
                return life
            if life.turns % TURNS_PER_CHECKPOINT == 0:
                await ctx.checkpoint(life)

    async def _carry_out(ctx: Context, action: str) -> str:
        if approve is not None and approve(action):
            try:
                await ctx.approve(action, role=role)
            except OverwinterError as denied:
                return f"not done: {action} ({denied})"
        await ctx.step(act, action)
        return action

    return shapeless(live, WHY)


async def _wake(ctx: Context, every: str) -> Any:
    ctx.status(f"asleep, at the most for {every}")
    try:
        cause = await ctx.wait_for("wake", timeout=every)
    except TimeoutError:
        cause = "it is time to look again"
    ctx.status("awake")
    return cause
