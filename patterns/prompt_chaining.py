"""Prompt chaining: a task as a sequence of model calls, each working on what the one before has made.

    article = prompt_chain("article", Link(outline, gate=has_three_parts), Link(write), Link(translate))

A gate is a plain function that looks at a result and returns what is wrong with it, or None. It runs as a step,
so its verdict is recorded. A closed gate sends the work back with the complaint, ``tries`` times at the most.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .. import Agent, Context, Final, workflow
from .machines.prompt_chaining import machine
from .machines.shape import shaped

T = TypeVar("T")


class GateClosed(Final):
    """The result of a link did not pass its gate."""


@dataclass(frozen=True)
class Link(Generic[T]):
    """One agent of the chain and the gate behind it."""

    agent: Agent[T]
    gate: Callable[[T], str | None] | None = None
    tries: int = 2


def prompt_chain(name: str, *links: Link[Any]) -> Callable[[Context, str], Coroutine[Any, Any, Any]]:
    """A workflow from text to the last agent's output. Raises GateClosed when a gate stays closed."""
    if not links:
        raise ValueError("a chain needs at least one link")

    @workflow(name=name, output=links[-1].agent.output, uses=[link.agent for link in links])
    async def chain(ctx: Context, task: str) -> Any:
        result: Any = task
        for link in links:
            ctx.status(f"{link.agent.name} is at work")
            result = await _pass(ctx, link, result)
        return result

    return shaped(chain, lambda: machine([(link.agent, link.gate, link.tries) for link in links]))


async def _pass(ctx: Context, link: Link[T], task: Any) -> T:
    complaint: str | None = None
    for _ in range(link.tries):
        asked = task if complaint is None else f"{task}\n\nYour last answer was refused: {complaint}"
        result = await ctx.call(link.agent, asked)
        complaint = await ctx.step(link.gate, result, name=f"gate of {link.agent.name}") if link.gate else None
        if complaint is None:
            return result
    raise GateClosed(f"{link.agent.name} did not pass its gate in {link.tries} tries: {complaint}")
