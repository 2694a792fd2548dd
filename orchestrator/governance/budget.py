"""What somebody has left of its limits goes along with what it orders: ``{"tokens"?, "cost"?}``, the cost as decimal
text. Whoever works for it takes no more than that, and no more than its own limits allow, and says in the end how much
it took.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any, NamedTuple

from .budgets.amount import Amount
from .usage import ZERO, Allowance, Usage

_SMALLEST = Decimal("1e-9")


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
    return remaining(used.amount, {"tokens": allowed.tokens, "cost": allowed.cost})


def remaining(used: Amount, most: Mapping[str, Any]) -> dict[str, Any]:
    """The same of an amount."""
    found: dict[str, Any] = {}
    if most.get("tokens") is not None:
        found["tokens"] = max(0, most["tokens"] - used.tokens)
    if most.get("cost") is not None:
        found["cost"] = format(max(ZERO, most["cost"] - used.cost), "f")
    return found


def shared(left: Mapping[str, Any], among: int) -> dict[str, Any]:
    """The share of one of so many that go to work at the same time."""
    share: dict[str, Any] = {}
    if "tokens" in left:
        share["tokens"] = left["tokens"] // among
    if "cost" in left:
        share["cost"] = format((Decimal(left["cost"]) / among).quantize(_SMALLEST, ROUND_DOWN).normalize(), "f")
    return share
