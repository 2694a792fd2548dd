"""Prompt chaining: a task as a sequence of model calls, each working on what the one before has made.

    article = prompt_chain("article", Link(outline, gate=has_three_parts), Link(write, otherwise=expert, ask="editor"))

A gate looks at a result and returns what is wrong with it, or None: a plain function, which runs as a step, or an agent
whose output is an Objection. A closed gate sends the work back with the complaint, ``tries`` times at the most; then to
``otherwise``, an agent that may be better and dearer; then a person of the role ``ask`` may let the result through.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel

from .. import Agent, Context, Final, workflow
from .machines.prompt_chaining import machine
from .machines.shape import shaped, shapeless

T = TypeVar("T")
WHY = "where a gate stays closed it asks a person, and a state machine has no approvals"


class GateClosed(Final):
    """The result of a link did not pass its gate."""


class Objection(BaseModel):
    """What an agent says that is a gate: no complaint lets the result pass."""

    complaint: str | None = None


@dataclass(frozen=True)
class Link(Generic[T]):
    """One agent of the chain, the gate behind it, and who helps where it stays closed."""

    agent: Agent[T]
    gate: Callable[[T], str | None] | Agent[Objection] | None = None
    tries: int = 2
    otherwise: Agent[T] | None = None
    ask: str = ""
    within: str | None = None

    def asked(self) -> list[Agent[T]]:
        """Who is asked, one after another, until the gate opens."""
        return [self.agent] * self.tries + ([self.otherwise] if self.otherwise else [])


def prompt_chain(name: str, *links: Link[Any]) -> Callable[[Context, str], Coroutine[Any, Any, Any]]:
    """A workflow from text to the last agent's output. Raises GateClosed when a gate stays closed."""
    if not links:
        raise ValueError("a chain needs at least one link")
    uses: list[object] = [one for link in links for one in link.asked()]
    gates: list[Any] = [link.gate for link in links]
    uses += [gate for gate in gates if isinstance(gate, Agent)]

    @workflow(name=name, output=links[-1].agent.output, uses=uses)
    async def chain(ctx: Context, task: str) -> Any:
        result: Any = task
        for link in links:
            ctx.status(f"{link.agent.name} is at work")
            result = await _pass(ctx, link, result)
        return result

    if any(link.ask for link in links):
        return shapeless(chain, WHY)
    return shaped(chain, lambda: machine([(link.agent, link.gate, link.tries, link.otherwise) for link in links]))


async def _pass(ctx: Context, link: Link[T], task: Any) -> T:
    complaint: str | None = None
    result: Any = None
    for agent in link.asked():
        asked = task if complaint is None else f"{task}\n\nYour last answer was refused: {complaint}"
        result = await ctx.call(agent, asked)
        complaint = await _complaint(ctx, link, result)
        if complaint is None:
            return cast("T", result)
    if link.ask:
        ctx.status(f"{link.agent.name} waits for {link.ask}")
        await ctx.approve(f"let pass: {complaint}"[:200], data=result, role=link.ask, timeout=link.within)
        return cast("T", result)
    raise GateClosed(f"{link.agent.name} did not pass its gate in {len(link.asked())} tries: {complaint}")


async def _complaint(ctx: Context, link: Link[Any], result: Any) -> str | None:
    gate: Any = link.gate
    if isinstance(link.gate, Agent):
        objection: Objection = await ctx.call(gate, result)
        return objection.complaint
    return await ctx.step(gate, result, name=f"gate of {link.agent.name}") if gate else None
