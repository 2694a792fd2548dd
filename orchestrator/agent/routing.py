"""Which model is asked, where an agent has several: what is chosen by, and what the journal says of a choice.

A choice is a ``routed`` entry, in the same transition as what it follows from and before the call it is for. So it is
made once: a replay, or another process, reads it and asks nobody again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from ...state.codec import copied
from ..governance.usage import Allowance, Usage
from ..protocol.decider import Fact
from .conversation import Message, size_of


class Question(NamedTuple):
    """What is known when a model is to be chosen for a call.

    ``content`` is what the turn is about (the input of a run, the content of a message), ``step`` 1 for its first
    model call, ``characters`` the length of the conversation without instructions, ``tools`` the names of those that
    the model may call. What is left of the turn's limits: None where there is no limit; ``cost_left`` in US dollars.
    """

    content: Any
    step: int
    characters: int
    tools: tuple[str, ...]
    iterations_left: int | None
    tokens_left: int | None
    cost_left: Decimal | None


class Choice(NamedTuple):
    """The model to ask, the name of the route that it was taken from ("": the only one), and why, for people.
    ``shorter``: with a shorter past."""

    model: str
    route: str
    why: str
    shorter: bool = False

    def entry(self, op: str, kept: int | None = None) -> Fact:
        fact: Fact = {"type": "routed", "op": op, "name": self.model, "why": self.why}
        if self.route:
            fact["route"] = self.route
        if kept is not None:
            fact["kept"] = kept
        return fact


def question(
    content: Any, step: int, messages: tuple[Message, ...], tools: tuple[str, ...], used: Usage, limits: Allowance
) -> Question:
    """The question for one call; ``used`` is what the turn has used of its ``limits``."""
    return Question(
        copied(content),
        step,
        sum(map(size_of, messages)),
        tools,
        None if limits.iterations is None else max(0, limits.iterations - used.iterations),
        None if limits.tokens is None else max(0, limits.tokens - used.tokens),
        None if limits.cost is None else max(Decimal(0), limits.cost - used.cost),
    )
