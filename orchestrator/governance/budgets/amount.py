"""How much is used, or may be, of all that budgets count. Exact sums."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Any, NamedTuple

EXACT = Context(prec=100)  # not the thread's: a program may have set another, and sums must not round
ZERO = Decimal(0)


class Amount(NamedTuple):
    """``cost`` is in US dollars, ``time`` in milliseconds of work. ``model_calls`` counts attempts that an answer, or a
    bill, came of; ``iterations`` the answers that the loop has taken; ``tool_calls`` what tools were called."""

    tokens: int = 0
    cost: Decimal = ZERO
    model_calls: int = 0
    tool_calls: int = 0
    iterations: int = 0
    time: int = 0

    def plus(self, other: Amount) -> Amount:
        if other is NOTHING or self is NOTHING:
            return self if other is NOTHING else other
        return Amount(
            self[0] + other[0],
            EXACT.add(self[1], other[1]),
            *(a + b for a, b in zip(self[2:], other[2:], strict=True)),
        )

    def minus(self, other: Amount) -> Amount:
        return Amount(
            self[0] - other[0],
            EXACT.subtract(self[1], other[1]),
            *(a - b for a, b in zip(self[2:], other[2:], strict=True)),
        )

    def times(self, factor: int) -> Amount:
        return Amount(self[0] * factor, EXACT.multiply(self[1], Decimal(factor)), *(a * factor for a in self[2:]))

    def widest(self, other: Amount) -> Amount:
        """Of each unit the more of the two."""
        return self.plus(other.minus(self).positive())

    def positive(self) -> Amount:
        """Of each unit what is more than nothing."""
        return Amount(max(self[0], 0), max(self[1], ZERO), *(max(a, 0) for a in self[2:]))

    def record(self) -> dict[str, Any]:
        """``{"tokens"?, "cost"?, …}``: what is not zero, the cost as decimal text."""
        return {
            name: format(value, "f") if isinstance(value, Decimal) else value
            for name, value in zip(UNITS, self, strict=True)
            if value
        }

    def over(self, most: Mapping[str, Any]) -> str:
        """The first unit of which it is more than ``most`` allows (units that are not named, or None: no bound)."""
        for name, value in zip(UNITS, self, strict=True):
            bound = most.get(name)
            if bound is not None and Decimal(str(value)) > Decimal(bound):
                return name
        return ""


UNITS = Amount._fields
NOTHING = Amount()


def amount_of(record: object) -> Amount:
    """The amount of a record, read without trust: what is no number is zero."""
    if not isinstance(record, Mapping):
        return NOTHING
    told: Mapping[str, Any] = record  # pyright: ignore[reportUnknownVariableType]  # JSON
    values: dict[str, Any] = {}
    for name in UNITS:
        value = told.get(name)
        if name == "cost":
            values[name] = _cost(value)
        else:
            values[name] = value if isinstance(value, int) and not isinstance(value, bool) else 0
    return Amount(**values)


def _cost(value: object) -> Decimal:
    try:
        cost = Decimal(value) if isinstance(value, str) else ZERO
    except InvalidOperation:
        return ZERO
    return cost if cost.is_finite() else ZERO
