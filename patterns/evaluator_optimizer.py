"""Evaluator-optimizer: one agent writes, another judges, until the judge is content or the rounds are over.

    poem = evaluator_optimizer("poem", writer, critic, rounds=4)

The number of rounds is a hard limit: the best draft so far comes back, marked as not accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from pydantic import BaseModel, Field

from .. import Agent, Context, workflow
from .machines.evaluator_optimizer import machine
from .machines.shape import shaped


class Draft(BaseModel):
    """What the judge reads."""

    task: str
    draft: str


class Verdict(BaseModel):
    """What the judge says; ``score`` from 0 to 1 chooses the best draft when none is accepted."""

    accepted: bool
    feedback: str = ""
    score: float = Field(default=0.0, ge=0, le=1)


class Refined(BaseModel):
    """The accepted draft, or the best one."""

    text: str
    accepted: bool
    rounds: int


def evaluator_optimizer(
    name: str, writer: Agent[str], judge: Agent[Verdict], *, rounds: int = 3
) -> Callable[[Context, str], Coroutine[Any, Any, Refined]]:
    """A workflow from a task to Refined. The judge's input is a Draft."""
    if rounds < 1:
        raise ValueError("at least one round is needed")

    @workflow(name=name, uses=[writer, judge])
    async def refine(ctx: Context, task: str) -> Refined:
        asked, best, best_score = task, "", -1.0
        for number in range(1, rounds + 1):
            ctx.status(f"round {number} of {rounds}")
            draft = await ctx.call(writer, asked)
            verdict = await ctx.call(judge, Draft(task=task, draft=draft))
            if verdict.accepted:
                return Refined(text=draft, accepted=True, rounds=number)
            if verdict.score > best_score:
                best, best_score = draft, verdict.score
            asked = f"{task}\n\nYour draft:\n{draft}\n\nImprove it: {verdict.feedback}"
        return Refined(text=best, accepted=False, rounds=rounds)

    return shaped(refine, lambda: machine(writer, judge, rounds))
