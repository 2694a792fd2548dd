"""A workflow that was ordered with a budget shares it among the children that it orders: what one has that is at work
counts as used, what it has not taken comes back when it ends. Operations that go on at the same time get equal shares.

The share of a child stands in the entry that orders it, and what it took in the one that ends it; so a replay comes to
the same, whatever the code is then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..governance.budget import remaining, shared
from ..governance.budgets.amount import NOTHING, Amount, amount_of
from ..protocol.decider import Fact

if TYPE_CHECKING:
    from decimal import Decimal


class Lending:
    """Of one life of a workflow. ``budget`` is what it was given, {} when nothing limits it; ``taken`` what its earlier
    lives have used of that."""

    __slots__ = ("_budget", "_lent", "_used")

    def __init__(self, budget: Mapping[str, Any], taken: object = None) -> None:
        self._budget = budget
        self._lent: dict[str, Amount] = {}  # by op, of children at work
        self._used = amount_of(taken)

    @property
    def limited(self) -> bool:
        return bool(self._budget)

    def order(self, op: str, recorded: Fact | None, open_: Mapping[str, Any]) -> dict[str, Any]:
        """What the child that is ordered under ``op`` may take; {}: nothing limits it."""
        if not self._budget:
            return {}
        given: dict[str, Any] = recorded.get("budget", {}) if recorded is not None else self._share(op, open_)
        self._lent[op] = amount_of(given)
        return given

    def ended(self, op: str, fact: Fact) -> None:
        """It has ended, and says what it took; one that does not has taken all it had."""
        lent = self._lent.pop(op, NOTHING)
        self._used = self._used.plus(amount_of(fact["used"]) if "used" in fact else lent)

    def used(self) -> dict[str, Any]:
        """What was taken, or may be yet."""
        total = self._used
        for lent in self._lent.values():
            total = total.plus(lent)
        return total.record()

    def _share(self, op: str, open_: Mapping[str, Any]) -> dict[str, Any]:
        budget = amount_of(self._budget)
        most: dict[str, int | Decimal] = {}
        if "tokens" in self._budget:
            most["tokens"] = budget.tokens
        if "cost" in self._budget:
            most["cost"] = budget.cost
        among = 1
        for group in open_.values():
            slots: int | None = getattr(group, "slots", None)
            if slots is not None and op.startswith(f"{group.op}."):
                own = op[len(group.op) + 1 :].partition(".")[0]
                others = {
                    one[len(group.op) + 1 :].partition(".")[0] for one in self._lent if one.startswith(f"{group.op}.")
                }
                among *= max(1, slots - len(others - {own}))
        return shared(remaining(amount_of(self.used()), most), among)
