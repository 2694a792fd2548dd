"""What somebody has left of its limits goes along with what it orders: ``{"tokens"?, "cost"?}``, the cost as decimal
text. Whoever works for it takes no more than that, and no more than its own limits allow.

What comes of it is not counted here: an agent that lets several others work at the same time lends each of them all
that is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from .usage import ZERO, Allowance, Usage


class Bounded(NamedTuple):
    """Limits of which some are smaller than an agent's own: those that are ``lent``."""

    iterations: int | None
    tokens: int | None
    cost: Decimal | None
    repairs: int | None
    repeats: int | None
    handoffs: int | None
    time: int | None
    lent: tuple[str, ...]


def within(allowed: Allowance, budget: Mapping[str, Any]) -> Allowance:
    """The smaller of an agent's own limits and what whoever has ordered its work has left."""
    tokens, cost = budget.get("tokens"), budget.get("cost")
    cost = None if cost is None else Decimal(cost)
    lent: tuple[str, ...] = (
        ("tokens",) if tokens is not None and (allowed.tokens is None or tokens < allowed.tokens) else ()
    )
    lent += ("cost",) if cost is not None and (allowed.cost is None or cost < allowed.cost) else ()
    if not lent:
        return allowed
    return Bounded(
        allowed.iterations,
        tokens if "tokens" in lent else allowed.tokens,
        cost if "cost" in lent else allowed.cost,
        allowed.repairs,
        allowed.repeats,
        allowed.handoffs,
        allowed.time,
        lent,
    )


def lesser(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What is left where both hold."""
    return {**one, **{name: min(most, one.get(name, most), key=Decimal) for name, most in other.items()}}


def left(used: Usage, allowed: Allowance) -> dict[str, Any]:
    """What is left of tokens and cost. {}: neither is limited."""
    found: dict[str, Any] = {}
    if allowed.tokens is not None:
        found["tokens"] = max(0, allowed.tokens - used.tokens)
    if allowed.cost is not None:
        found["cost"] = format(max(ZERO, allowed.cost - used.cost), "f")
    return found
