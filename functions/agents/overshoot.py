"""By how much an agent may overdraw its budgets, in the worst case: computed, for people who set them.

What a call writes is bounded, so what is left is what it reads: where nobody counts tokens they are estimated by
characters, and a provider may find more. Told for a conversation that fills its window; of an account it may happen as
often as calls are under way at the same time.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from ...orchestrator.governance.budgets.hold import CHARACTERS, overshoot
from ..models.tokenizing import ESTIMATE
from .agent import Agent


class Overshoot(NamedTuple):
    """Of one budget of an agent and one of its models: tokens beyond it for ``ascii`` text and for ``any`` text; the
    dearest of these in ``cost``, None: it has no price that is known, so that one call is made whatever it costs."""

    agent: str
    budget: str
    model: str
    ascii: int
    any: int
    cost: Decimal | None

    def record(self) -> dict[str, Any]:
        cost = None if self.cost is None else format(self.cost, "f")
        return {**self._asdict(), "cost": cost}


def overshoots(agent: Agent[Any]) -> list[Overshoot]:
    """Of the budgets that count tokens or money; [] where none does."""
    limits = agent.limits
    most = {"tokens": limits.tokens, "cost": limits.cost}
    keys = ["limits"] if any(value is not None for value in most.values()) else []
    keys += [bound.key for bound in agent.budgets if {"tokens", "cost"} & bound.most.keys()]
    found: list[Overshoot] = []
    for model in agent.models if keys else ():
        window, terms = agent.window, agent.terms(model.name, "", None)
        counted = window.tokens is not None and window.counter is not None and window.counter.name != ESTIMATE
        room = window.characters or (window.tokens or 0) * CHARACTERS
        plain, every = (0, 0) if counted else overshoot(room + terms.beside)
        cost = None if terms.read is None else terms.read * every
        found += [Overshoot(agent.name, key, model.name, plain, every, cost) for key in keys]
    return found
