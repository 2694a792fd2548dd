"""Parallelization: the same task seen from several sides at once (sections), or asked several times (a vote).

    review = sections("review", {"style": stylist, "safety": safety_officer})
    verdict = vote("verdict", judge, times=5, needed=3)

Both tolerate branches that fail, as far as they are told to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from .. import Agent, Completion, Context, Final, workflow
from .machines import parallelization
from .machines.shape import shaped

T = TypeVar("T")


class NoMajority(Final):
    """No answer was given often enough."""


class Sections(BaseModel):
    """What each section said, and which ones failed."""

    results: dict[str, Any]
    failed: dict[str, str] = {}


def sections(
    name: str, parts: Mapping[str, Any], *, tolerate: int = 0
) -> Callable[[Context, str], Coroutine[Any, Any, Sections]]:
    """A workflow from text to Sections; up to ``tolerate`` parts may fail."""
    names = list(parts)

    @workflow(name=name, uses=parts.values())
    async def work(ctx: Context, task: str) -> Sections:
        calls = [ctx.call(parts[part], task) for part in names]
        outcomes = await ctx.parallel(*calls, completion=Completion.tolerate(count=tolerate))
        results = {part: o.value for part, o in zip(names, outcomes, strict=True) if o.status == "succeeded"}
        failed = {part: str(o.error) for part, o in zip(names, outcomes, strict=True) if o.status == "failed"}
        return Sections(results=results, failed=failed)

    return shaped(work, lambda: parallelization.sections(parts, tolerate))


def vote(
    name: str, agent: Agent[T], *, times: int = 3, needed: int | None = None
) -> Callable[[Context, str], Coroutine[Any, Any, T]]:
    """A workflow from text to the answer that at least ``needed`` (default: more than half) of ``times`` gave.
    Raises NoMajority."""
    least = times // 2 + 1 if needed is None else needed

    @workflow(name=name, output=agent.output, uses=[agent])
    async def count(ctx: Context, task: str) -> Any:
        tolerated = Completion.tolerate(count=times - least)
        answers = (await ctx.map(agent, [task] * times, completion=tolerated)).values
        winner, votes = Counter(repr(answer) for answer in answers).most_common(1)[0]
        if votes < least:
            raise NoMajority(f"the best answer has {votes} of {times} votes, {least} are needed")
        return next(answer for answer in answers if repr(answer) == winner)

    return shaped(count, lambda: parallelization.vote(agent, times, least))
