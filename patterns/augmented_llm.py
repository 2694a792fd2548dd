"""Augmented LLM: a model with retrieval, tools and memory, the building block of all other patterns.

    helpdesk = augmented_llm("helpdesk", model="openai/gpt-5-mini", retrieve=search_manual, tools=[lookup_order])
    answer = await ctx.call(helpdesk, Question(text="How do I descale it?", memory="customer-42"))

What was retrieved stands before the question; what was said before under the same ``memory`` key is given to the
model again and survives the execution.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from pydantic import BaseModel

from .. import Agent, Context, Limits, workflow
from ..functions.model import Model
from .machines.augmented_llm import machine
from .machines.shape import shaped

REMEMBERED = 10  # exchanges


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
) -> Callable[[Context, Question], Coroutine[Any, Any, str]]:
    """A workflow from a Question to text. ``retrieve`` finds passages for a question."""
    mind = Agent(f"{name}-model", model, instructions, tools, limits=limits or Limits(iterations=10))

    @workflow(name=name, uses=[mind])
    async def ask(ctx: Context, question: Question) -> str:
        memory = ctx.kv(f"memory/{name}")
        past = await memory.get(question.memory, type=list[Exchange]) if question.memory else None
        passages = await ctx.step(retrieve, question.text) if retrieve else []
        answer = await ctx.call(mind, _prompt(question.text, passages, past or []))
        if question.memory:
            kept = [*(past or []), Exchange(question=question.text, answer=answer)][-REMEMBERED:]
            await memory.put(question.memory, kept)
        return answer

    return shaped(ask, lambda: machine(mind, retrieve))


def _prompt(question: str, passages: list[str], past: list[Exchange]) -> str:
    parts = [f"Passage {number}: {passage}" for number, passage in enumerate(passages, 1)]
    parts += [f"Earlier: {exchange.question}\nYou said: {exchange.answer}" for exchange in past]
    return "\n\n".join([*parts, question])
