"""Augmented LLM: a model with retrieval, tools and memory, the building block of all other patterns.

    helpdesk = augmented_llm("helpdesk", model="openai/gpt-5-mini", retrieve=search_manual, tools=[lookup_order])
    answer = await ctx.call(helpdesk, Question(text="How do I descale it?", memory="customer-42"))

What was retrieved stands before the question; what was said before under the same ``memory`` key is given to the
model again and survives the execution. With ``notes``, a long-term Memory, that key is a user of it: each exchange is
remembered for good, and of all there are, those that fit the question are given to the model, beside the latest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from pydantic import BaseModel

from .. import Agent, Context, Limits, Memory, workflow
from ..functions.model import Model
from .machines.augmented_llm import machine
from .machines.shape import shaped

REMEMBERED = 10  # exchanges
LONGEST = 10_000  # characters of one that is remembered for good


class Question(BaseModel):
    """What is asked. Questions with the same ``memory`` key remember each other."""

    text: str
    memory: str | None = None


class Exchange(BaseModel):
    """One question and its answer, as remembered."""

    question: str
    answer: str


def augmented_llm(
    name: str,
    model: str | Model,
    instructions: str = "Answer from what you are given.",
    *,
    retrieve: Callable[[str], Awaitable[list[str]]] | None = None,
    tools: Iterable[object] = (),
    limits: Limits | None = None,
    notes: Memory | None = None,
    recalled: int = 5,
) -> Callable[[Context, Question], Coroutine[Any, Any, str]]:
    """A workflow from a Question to text. ``retrieve`` finds passages for a question; of ``notes``, so many are
    ``recalled``."""
    mind = Agent(f"{name}-model", model, instructions, tools, limits=limits or Limits(iterations=10))

    @workflow(name=name, uses=[mind])
    async def ask(ctx: Context, question: Question) -> str:
        memory = ctx.kv(f"memory/{name}")
        past = await memory.get(question.memory, type=list[Exchange]) if question.memory else None
        passages = await ctx.step(retrieve, question.text) if retrieve else []
        about = notes.of(question.memory) if notes and question.memory and question.text.strip() else None
        known = [one.text for one in await ctx.step(about.recall, question.text, recalled)] if about else []
        answer = await ctx.call(mind, _prompt(question.text, passages, known, past or []))
        if question.memory:
            said = Exchange(question=question.text, answer=answer)
            if about:
                await ctx.step(about.remember, _told(said)[:LONGEST])
            await memory.put(question.memory, [*(past or []), said][-REMEMBERED:])
        return answer

    return shaped(ask, lambda: machine(mind, retrieve))


def _prompt(question: str, passages: list[str], known: list[str], past: list[Exchange]) -> str:
    """Passages first, then what is known of long ago, then the latest exchanges, each once."""
    latest = [_told(exchange) for exchange in past]
    parts = [f"Passage {number}: {passage}" for number, passage in enumerate(passages, 1)]
    parts += [f"Earlier: {exchange}" for exchange in [*(one for one in known if one not in latest), *latest]]
    return "\n\n".join([*parts, question])


def _told(exchange: Exchange) -> str:
    return f"{exchange.question}\nYou said: {exchange.answer}"
