"""Orchestrator-workers: a planner cuts the task into pieces that nobody knew beforehand, workers do them in
parallel, a synthesizer puts the results together.

    report = orchestrator_workers("report", planner, worker, synthesizer, most=20, concurrency=5)
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pydantic import BaseModel

from .. import Agent, Completion, Context, workflow
from .machines.orchestrator_workers import machine
from .machines.shape import shaped

T = TypeVar("T")


class Plan(BaseModel):
    """The pieces of work, in the planner's words."""

    tasks: list[str]


class Done(BaseModel):
    """One piece and what came of it."""

    task: str
    result: Any = None
    error: str | None = None


class Work(BaseModel):
    """What the synthesizer reads."""

    goal: str
    parts: list[Done]


def orchestrator_workers(
    name: str,
    planner: Agent[Plan],
    worker: Any,
    synthesizer: Agent[T],
    *,
    most: int = 20,
    concurrency: int = 5,
    tolerate: float = 0.0,
) -> Callable[[Context, str], Coroutine[Any, Any, T]]:
    """A workflow from a goal to the synthesizer's output. ``most`` pieces are done, the rest of a plan is cut off;
    a share of ``tolerate`` may fail and is shown to the synthesizer as failed. The synthesizer's input is Work."""

    @workflow(name=name, output=synthesizer.output, uses=[planner, worker, synthesizer])
    async def orchestrate(ctx: Context, goal: str) -> Any:
        tasks = (await ctx.call(planner, goal)).tasks[:most]
        ctx.status(f"{len(tasks)} pieces of work")
        outcomes = await ctx.map(worker, tasks, concurrency=concurrency, completion=Completion.tolerate(share=tolerate))
        parts = [
            Done(task=task, result=outcome.value)
            if outcome.status == "succeeded"
            else Done(task=task, error=str(outcome.error))
            for task, outcome in zip(tasks, outcomes, strict=True)
        ]
        return await ctx.call(synthesizer, Work(goal=goal, parts=parts))

    return shaped(orchestrate, lambda: machine(planner, worker, synthesizer, most, concurrency, tolerate))
