"""Durable agent: an agent that goes on for weeks. It sleeps at zero, wakes for an event or when it is time to look
again, acts, has risky acts approved, and remembers what it has done.

    guard = durable_agent("guard", watcher, carry_out, events=["alarm", "delivery"], every="1d", approve=is_risky)

Each event of ``events`` wakes it, with its data; those that came while it was at work wake it together. Time wakes it
after ``every``, or when its last act said. The event ``stop`` ends it. A turn that fails is remembered and made again
when it wakes next, and so is an act; neither ends its life. Its history stays short however long it lives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from .. import Agent, Completion, Context, workflow
from .machines.shape import shapeless

TURNS_PER_CHECKPOINT = 50
REMEMBERED = 20
TIME = "it is time to look again"
WHY = "it is woken by events, and a state machine waits for none; nor does it begin its history anew for weeks"


class Woken(BaseModel):
    """One event, and its data."""

    event: str
    data: Any = None


class Observation(BaseModel):
    """What the agent is woken with: ``cause`` is the data of the first of ``events``, or that it is time."""

    goal: str
    cause: Any
    done: list[str]
    events: list[Woken] = []
    at: datetime | None = None


class Act(BaseModel):
    """What the agent decides. No action: there is nothing to do now. ``look_again`` ("30m", "3h", "2d") says when it
    wants to be woken if nothing happens; ``finished`` ends it."""

    action: str = ""
    finished: bool = False
    look_again: str | None = Field(default=None, pattern=r"^[1-9]\d{0,3}[mhdw]$")


class Life(BaseModel):
    """What it carries through its life."""

    goal: str
    turns: int = 0
    done: list[str] = []
    look_again: str | None = None
    stopped: bool = False


def durable_agent(
    name: str,
    agent: Agent[Act],
    act: Callable[[str], Any],
    *,
    every: str = "1d",
    events: Sequence[str] = ("wake",),
    approve: Callable[[str], bool] | None = None,
    role: str = "",
    within: str | None = None,
) -> Callable[[Context, Life], Coroutine[Any, Any, Life]]:
    """A workflow from a Life (its goal) to what it was at the end. ``act`` carries an action out, as a step;
    ``approve`` says which actions a person must allow first, ``within`` how long that person has."""

    @workflow(name=name, uses=[agent])
    async def live(ctx: Context, life: Life) -> Life:
        while True:
            woken = await _wake(ctx, [*events, "stop"], life.look_again or every)
            if any(one.event == "stop" for one in woken):
                return life.model_copy(update={"stopped": True})
            cause = woken[0].data if woken else TIME
            seen = Observation(goal=life.goal, cause=cause, done=life.done, events=woken, at=ctx.now())
            life.turns += 1
            decided, error = await _tried(ctx, ctx.call(agent, seen))
            decided = Act() if error else decided
            told = f"could not decide: {error}" if error else await _carry_out(ctx, decided.action)
            life.done = [*life.done, *([told] if told else [])][-REMEMBERED:]
            life.look_again = decided.look_again
            if decided.finished:
                return life
            if life.turns % TURNS_PER_CHECKPOINT == 0:
                await ctx.checkpoint(life)

    async def _carry_out(ctx: Context, action: str) -> str:
        if not action:
            return ""
        if approve is not None and approve(action):
            ctx.status(f"asks whether it may: {action}")
            _, denied = await _tried(ctx, ctx.approve(action, role=role or None, timeout=within))
            if denied:
                return f"not done: {action} ({denied})"
        _, failed = await _tried(ctx, ctx.step(act, action))
        return f"failed: {action} ({failed})" if failed else action

    return shapeless(live, WHY)


async def _wake(ctx: Context, events: Sequence[str], at_most: str) -> list[Woken]:
    """All that has come, which may be several events; none when it is time."""
    ctx.status(f"asleep, at the most for {at_most}")
    waits = [ctx.wait_for(event) for event in events]
    came = await ctx.parallel(*waits, ctx.sleep(at_most), completion=Completion.first())
    ctx.status("awake")
    return [
        Woken(event=event, data=one.value)
        for event, one in zip(events, came, strict=False)
        if one.status == "succeeded"
    ]


async def _tried(ctx: Context, work: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    (outcome,) = await ctx.parallel(work, completion=Completion.tolerate(count=1))
    return (outcome.value if outcome.status == "succeeded" else None), outcome.error
