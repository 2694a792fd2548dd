"""Routing: a rule or a classifier decides who does the work.

    desk = routing("desk", triage, {"refund": refunds, "technical": technician}, rules=[by_order], otherwise=generalist)

A rule is a plain function that looks at the task and names a route, or returns None when it does not know; rules are
asked first, in order, as steps, and where one knows, no model is asked. The classifier is an agent whose output is a
Choice. A route is an agent, a workflow or a tool. A choice that is not on the list, one the classifier is not sure of,
and a classifier that fails go to ``otherwise``; where a route fails, ``fallback`` does its work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from .. import Agent, Completion, Context, workflow
from .machines.routing import machine
from .machines.shape import shaped

Rule = Callable[[str], str | None]


class Choice(BaseModel):
    """What the classifier decides."""

    route: str
    confidence: float = Field(default=1.0, ge=0, le=1)


class Routed(BaseModel):
    """Which way the task went, who said so, and what came back. ``failed``: what went wrong on the way."""

    route: str
    result: Any
    by: Literal["rule", "model", "fallback"] = "model"
    failed: str = ""


def routing(
    name: str,
    classifier: Agent[Choice] | None,
    routes: Mapping[str, Any],
    *,
    otherwise: Any,
    rules: Sequence[Rule] = (),
    fallback: Any = None,
    confidence: float = 0.5,
) -> Callable[[Context, str], Coroutine[Any, Any, Routed]]:
    """A workflow from text to Routed. Without a classifier the rules decide alone; without a ``fallback``, what a route
    fails with is raised."""
    uses = [one for one in (classifier, otherwise, fallback, *routes.values()) if one is not None]

    @workflow(name=name, uses=uses)
    async def route(ctx: Context, task: str) -> Routed:
        way, by, failed = await _choose(ctx, task)
        ctx.status(f"goes to {way}")
        work = ctx.call(routes.get(way, otherwise), task)
        if fallback is None:
            return Routed(route=way, result=await work, by=by, failed=failed)
        result, error = await _tried(ctx, work)
        if error is None:
            return Routed(route=way, result=result, by=by, failed=failed)
        ctx.status(f"{way} failed, goes to the fallback")
        return Routed(route="fallback", result=await ctx.call(fallback, task), by="fallback", failed=str(error))

    async def _choose(ctx: Context, task: str) -> tuple[str, Literal["rule", "model", "fallback"], str]:
        for rule in rules:
            named = await ctx.step(rule, task)
            if named is not None:
                return (named if named in routes else "otherwise"), "rule", ""
        if classifier is None:
            return "otherwise", "rule", ""
        choice, error = await _tried(ctx, ctx.call(classifier, task))
        if error is not None:
            return "otherwise", "fallback", str(error)
        known = choice.route in routes and choice.confidence >= confidence
        return (choice.route if known else "otherwise"), "model", ""

    return shaped(route, lambda: machine(classifier, routes, otherwise, rules, fallback, confidence))


async def _tried(ctx: Context, work: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    """What came of it, or why nothing did."""
    (outcome,) = await ctx.parallel(work, completion=Completion.tolerate(count=1))
    return (outcome.value if outcome.status == "succeeded" else None), outcome.error
