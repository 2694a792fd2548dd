"""Routing: a classifier decides who does the work.

    desk = routing("desk", triage, {"refund": refunds, "technical": technician}, otherwise=generalist)

The classifier is an agent whose output is a Choice; a route is an agent, a workflow or a tool. A choice that is not
on the list, or one the classifier is not sure of, goes to ``otherwise``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from pydantic import BaseModel, Field

from .. import Agent, Context, workflow
from .machines.routing import machine
from .machines.shape import shaped


class Choice(BaseModel):
    """What the classifier decides."""

    route: str
    confidence: float = Field(default=1.0, ge=0, le=1)


class Routed(BaseModel):
    """Which way the task went, and what came back."""

    route: str
    result: Any


def routing(
    name: str,
    classifier: Agent[Choice],
    routes: Mapping[str, Any],
    *,
    otherwise: Any,
    confidence: float = 0.5,
) -> Callable[[Context, str], Coroutine[Any, Any, Routed]]:
    """A workflow from text to Routed."""

    @workflow(name=name, uses=[classifier, otherwise, *routes.values()])
    async def route(ctx: Context, task: str) -> Routed:
        choice = await ctx.call(classifier, task)
        known = choice.route in routes and choice.confidence >= confidence
        way = choice.route if known else "otherwise"
        ctx.status(f"goes to {way}")
        return Routed(route=way, result=await ctx.call(routes.get(way, otherwise), task))

    return shaped(route, lambda: machine(classifier, routes, otherwise, confidence))
