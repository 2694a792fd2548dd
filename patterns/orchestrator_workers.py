"""Orchestrator-workers: a planner cuts the task into pieces that nobody knew beforehand, workers do them in
parallel, a synthesizer puts the results together.

    report = orchestrator_workers("report", planner, worker, synthesizer, most=20, concurrency=5, depth=2)

With a ``depth`` above 1 it nests: a piece that the planner calls large is planned, done and put together in the same
way, as an execution of its own, and what comes of it is that piece's result. ``most`` bounds the pieces of all levels
together. A worker may be another pattern, such as a routing among specialists.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pydantic import BaseModel

from .. import Agent, Completion, Context, workflow
from .machines.orchestrator_workers import machine
from .machines.shape import shaped, shapeless

T = TypeVar("T")
WHY = "how deep it goes is known only as it runs; with depth=1 it can"


class Piece(BaseModel):
    """A piece of work; a large one is cut up again, as far as the depth goes."""

    task: str
    large: bool = False


class Plan(BaseModel):
    """The pieces of work, in the planner's words."""

    tasks: list[str | Piece]


class Done(BaseModel):
    """One piece and what came of it."""

    task: str
    result: Any = None
    error: str | None = None


class Work(BaseModel):
    """What the synthesizer reads."""

    goal: str
    parts: list[Done]


class Nested(BaseModel):
    """A large piece: how many levels and how many pieces are left for it."""

    goal: str
    depth: int
    most: int


def orchestrator_workers(
    name: str,
    planner: Agent[Plan],
    worker: Any,
    synthesizer: Agent[T],
    *,
    most: int = 20,
    concurrency: int = 5,
    tolerate: float = 0.0,
    depth: int = 1,
) -> Callable[[Context, str], Coroutine[Any, Any, T]]:
    """A workflow from a goal to the synthesizer's output. ``most`` pieces are done, the rest of a plan is cut off;
    a share of ``tolerate`` may fail and is shown to the synthesizer as failed. The synthesizer's input is Work."""
    if depth < 1:
        raise ValueError("depth is at least 1: one plan, and its pieces")
    uses = [planner, worker, synthesizer]

    @workflow(name=f"{name}-part", output=synthesizer.output, uses=uses)
    async def part(ctx: Context, large: Nested) -> Any:
        return await _planned(ctx, large)

    @workflow(name=name, output=synthesizer.output, uses=uses if depth == 1 else [*uses, part])
    async def orchestrate(ctx: Context, goal: str) -> Any:
        return await _planned(ctx, Nested(goal=goal, depth=depth, most=most))

    async def _planned(ctx: Context, job: Nested) -> Any:
        tasks = (await ctx.call(planner, job.goal)).tasks[: job.most]
        pieces = [Piece(task=one) if isinstance(one, str) else one for one in tasks]
        ctx.status(f"{len(pieces)} pieces of work")
        share = (job.most - len(pieces)) // max(1, sum(piece.large for piece in pieces))
        work = [Nested(goal=p.task, depth=job.depth - 1, most=share if p.large else 0) for p in pieces]
        done: Any = worker if job.depth == 1 else _piece  # one plan needs no branches around its workers
        given = [piece.task for piece in pieces] if job.depth == 1 else work
        outcomes = await ctx.map(done, given, concurrency=concurrency, completion=Completion.tolerate(share=tolerate))
        parts = [
            Done(task=piece.task, result=outcome.value)
            if outcome.status == "succeeded"
            else Done(task=piece.task, error=str(outcome.error))
            for piece, outcome in zip(pieces, outcomes, strict=True)
        ]
        return await ctx.call(synthesizer, Work(goal=job.goal, parts=parts))

    async def _piece(ctx: Context, one: Nested) -> Any:
        return await (ctx.call(part, one) if one.most else ctx.call(worker, one.goal))

    if depth > 1:
        return shapeless(orchestrate, WHY)
    return shaped(orchestrate, lambda: machine(planner, worker, synthesizer, most, concurrency, tolerate))
