"""Parallelization: the same task seen from several sides at once (sections), or asked several times (a vote).

    review = sections("review", {"style": stylist, "safety": safety_officer}, needed=["safety"], tolerate=1)
    verdict = vote("verdict", [judge, other_judge, third_judge], needed=2, otherwise=arbiter)

Both go on with what they have when branches fail, as far as they are told to. Voters may be different agents on
different models, which err less alike than one asked three times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from .. import Agent, Completion, Context, Final, workflow
from .machines import parallelization
from .machines.shape import shaped

T = TypeVar("T")


class NoMajority(Final):
    """No answer was given often enough."""


class PartMissing(Final):
    """A part failed that may not."""


class Sections(BaseModel):
    """What each section said, and which ones failed."""

    results: dict[str, Any]
    failed: dict[str, str] = {}


class Votes(BaseModel):
    """An answer and how many gave it."""

    answer: Any
    votes: int


class Ballot(BaseModel):
    """What an arbiter reads: the most frequent answer first, and why some voters gave none."""

    task: str
    answers: list[Votes]
    failed: list[str] = []


def sections(
    name: str, parts: Mapping[str, Any], *, tolerate: int = 0, needed: Iterable[str] = ()
) -> Callable[[Context, str], Coroutine[Any, Any, Sections]]:
    """A workflow from text to Sections; up to ``tolerate`` parts may fail, but none of ``needed``. Raises PartMissing,
    and CompletionFailed when more have failed."""
    names, must = list(parts), list(needed)
    if unknown := set(must) - set(names):
        raise ValueError(f"needed={sorted(unknown)} are no parts of {name}; it has {names}")

    @workflow(name=name, uses=parts.values())
    async def work(ctx: Context, task: str) -> Sections:
        calls = [ctx.call(parts[part], task) for part in names]
        outcomes = await ctx.parallel(*calls, completion=Completion.tolerate(count=tolerate))
        results = {part: o.value for part, o in zip(names, outcomes, strict=True) if o.status == "succeeded"}
        failed = {part: str(o.error) for part, o in zip(names, outcomes, strict=True) if o.status == "failed"}
        if missing := [part for part in must if part in failed]:
            raise PartMissing(f"{missing[0]} may not fail: {failed[missing[0]]}")
        return Sections(results=results, failed=failed)

    return shaped(work, lambda: parallelization.sections(parts, tolerate, must))


def vote(
    name: str,
    voters: Agent[T] | Sequence[Agent[T]],
    *,
    times: int | None = None,
    needed: int | None = None,
    otherwise: Agent[T] | None = None,
) -> Callable[[Context, str], Coroutine[Any, Any, T]]:
    """A workflow from text to the answer that at least ``needed`` (default: more than half) have given. One agent is
    asked ``times`` (default 3), of several each is. Where there is no majority, or too many voters failed for one,
    ``otherwise`` decides, whose input is a Ballot; without it NoMajority or CompletionFailed is raised."""
    asked = [voters] * (times or 3) if isinstance(voters, Agent) else list(voters) * (times or 1)
    if not asked:
        raise ValueError("a vote needs at least one voter")
    least = len(asked) // 2 + 1 if needed is None else needed
    output = asked[0].output
    tolerated = len(asked) - (0 if otherwise else least)

    @workflow(name=name, output=output, uses=[*asked, *([otherwise] if otherwise else [])])
    async def count(ctx: Context, task: str) -> Any:
        calls = [ctx.call(voter, task) for voter in asked]
        outcomes = await ctx.parallel(*calls, completion=Completion.tolerate(count=tolerated))
        answers, counts = outcomes.values, Counter(repr(answer) for answer in outcomes.values)
        ranked = [(next(a for a in answers if repr(a) == said), votes) for said, votes in counts.most_common()]
        winner, most = ranked[0] if ranked else (None, 0)
        ctx.status(f"the best answer has {most} of {len(asked)} votes")
        if most >= least:
            return winner
        if otherwise is None:
            raise NoMajority(f"the best answer has {most} of {len(asked)} votes, {least} are needed")
        failed = [str(error) for error in outcomes.errors]
        listed = [Votes(answer=answer, votes=votes) for answer, votes in ranked]
        return await ctx.call(otherwise, Ballot(task=task, answers=listed, failed=failed))

    return shaped(count, lambda: parallelization.vote(asked, least, otherwise))
