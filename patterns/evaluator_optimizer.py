"""Evaluator-optimizer: one agent writes, another judges, until the judge is content or the rounds are over.

    poem = evaluator_optimizer("poem", writer, critic, rounds=4, patience=2)

The best draft so far is what is kept: each round improves on it, not on a later one that was judged worse. It is what
comes back when the rounds are over, when ``patience`` rounds in a row brought nothing better, or when a round after the
first fails. The number of rounds is a hard limit.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Literal

from pydantic import BaseModel, Field

from .. import Agent, Completion, Context, workflow
from .machines.evaluator_optimizer import machine
from .machines.shape import shaped


class Draft(BaseModel):
    """What the judge reads."""

    task: str
    draft: str


class Verdict(BaseModel):
    """What the judge says; ``score`` from 0 to 1 tells which of two drafts is better. Of equals the later one is."""

    accepted: bool
    feedback: str = ""
    score: float = Field(default=0.0, ge=0, le=1)


class Refined(BaseModel):
    """The accepted draft, or the best one; what the judge still had to say about it, and why there is no other."""

    text: str
    accepted: bool
    rounds: int
    score: float = 0.0
    feedback: str = ""
    stopped: Literal["accepted", "rounds", "patience", "failed"] = "rounds"
    failed: str = ""


def evaluator_optimizer(
    name: str, writer: Agent[str], judge: Agent[Verdict], *, rounds: int = 3, patience: int | None = None
) -> Callable[[Context, str], Coroutine[Any, Any, Refined]]:
    """A workflow from a task to Refined. The judge's input is a Draft. A first round that fails is raised."""
    if rounds < 1 or (patience is not None and patience < 1):
        raise ValueError("at least one round is needed, and patience for at least one")

    @workflow(name=name, uses=[writer, judge])
    async def refine(ctx: Context, task: str) -> Refined:
        text, verdict = await _round(ctx, task, task)
        best, stale = Refined(text=text, rounds=1, **verdict.model_dump()), 0
        asked = _again(task, best)
        while not best.accepted:
            if best.rounds >= rounds or (patience is not None and stale >= patience):
                return best.model_copy(update={"stopped": "rounds" if best.rounds >= rounds else "patience"})
            number = best.rounds + 1
            ctx.status(f"round {number} of {rounds}, the best has {best.score:.2f}")
            (tried,) = await ctx.parallel(_round(ctx, asked, task), completion=Completion.tolerate(count=1))
            if tried.error is not None:
                return best.model_copy(update={"stopped": "failed", "failed": str(tried.error)})
            text, verdict = tried.value
            stale = 0 if verdict.score > best.score else stale + 1
            if verdict.accepted or verdict.score >= best.score:
                best = Refined(text=text, rounds=number, **verdict.model_dump())
                asked = _again(task, best)
            else:
                best = best.model_copy(update={"rounds": number})
                asked = f"{_again(task, best)}\n\nA later draft was judged worse: {verdict.feedback}"
        return best.model_copy(update={"stopped": "accepted"})

    async def _round(ctx: Context, asked: str, task: str) -> tuple[str, Verdict]:
        draft = await ctx.call(writer, asked)
        return draft, await ctx.call(judge, Draft(task=task, draft=draft))

    return shaped(refine, lambda: machine(writer, judge, rounds, patience))


def _again(task: str, best: Refined) -> str:
    return f"{task}\n\nYour draft:\n{best.text}\n\nImprove it: {best.feedback}"
