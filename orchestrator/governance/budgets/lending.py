"""A workflow or a state machine that was ordered with a budget shares it among the children that it orders: what one
that is at work has counts as used, what it has not taken comes back when it ends. Of one that nobody waits for nothing
comes back. What goes on at the same time gets equal shares: the branches of a map, and what is ordered at once.

The share of a child stands in the entry that orders it, and what it took in the one that ends it; so a replay comes to
the same, whatever the code is then.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol

from ...protocol.decider import Fact, Spawn
from ..budget import remaining, shared
from .amount import NOTHING, Amount, amount_of

if TYPE_CHECKING:
    from decimal import Decimal


class Sharing(Protocol):
    """Branches that are under way together."""

    @property
    def op(self) -> str: ...

    @property
    def slots(self) -> int:
        """How many of them may be at work at once, of those that have not ended."""
        ...

    def done(self) -> bool: ...


class Lending:
    """Of one life. ``budget`` is what it was given, {} when nothing limits it; ``taken`` what its earlier
    lives have used of that."""

    __slots__ = ("_budget", "_groups", "_lent", "_together", "_used")

    def __init__(self, budget: Mapping[str, Any], taken: object = None) -> None:
        self._budget = budget
        self._groups: dict[str, Sharing] = {}  # by op, those that have begun
        self._lent: dict[str, Amount] = {}  # by op, of children at work
        self._used = amount_of(taken)
        self._together: list[str] = []  # ordered by the code since it last waited, beside all groups

    @property
    def limited(self) -> bool:
        return bool(self._budget)

    def begin(self, group: Sharing) -> None:
        """Its branches are about to be ordered."""
        if self._budget:
            self._groups[group.op] = group

    def order(self, op: str, recorded: Fact | None) -> dict[str, Any]:
        """What the child that is ordered under ``op`` may take; {}: nothing limits it."""
        if not self._budget:
            return {}
        if recorded is None and not any(_branch(group, op) for group in self._groups.values() if not group.done()):
            self._together.append(op)  # who else is ordered before the code waits gets as much
            return {}
        given: dict[str, Any] = recorded.get("budget", {}) if recorded is not None else self._share(op)
        self._lent[op] = amount_of(given)
        return given

    def settle(self, own: Mapping[str, Fact], *effects: MutableMapping[str, Any]) -> None:
        """Those that are ordered at once get equal shares. Their entries, and what begins them, say so."""
        while self._together:
            among = len(self._together)
            op = self._together.pop(0)
            if op not in own:  # it was taken back
                continue
            given = own[op]["budget"] = self._share(op, among)
            self.lend(op, given, *effects)

    def lend(self, op: str, given: dict[str, Any], *effects: MutableMapping[str, Any]) -> None:
        """The child of that operation has that much, and is told so by what begins it."""
        if not self._budget:
            return
        self._lent[op] = amount_of(given)
        for of in effects:
            spawn = of.get(op)
            if isinstance(spawn, Spawn):
                of[op] = spawn._replace(caller={**spawn.caller, "budget": given})

    def ended(self, op: str, fact: Fact) -> None:
        """It has ended, and says what it took; one that does not has taken all it had, unless it never began."""
        lent = self._lent.pop(op, NOTHING)
        unsaid = NOTHING if "op" in fact else lent  # by its operation it is told that it could not be started
        self._used = self._used.plus(amount_of(fact["used"]) if "used" in fact else unsaid)

    def record(self) -> dict[str, Any]:
        """For an entry behind which nothing is read again."""
        lent = {op: amount.record() for op, amount in self._lent.items()}
        return {"used": self._used.record(), "lent": lent} if self._budget else {}

    def restore(self, told: Mapping[str, Any]) -> None:
        """Become what such an entry says."""
        self._used = amount_of(told.get("used"))
        self._lent = {op: amount_of(amount) for op, amount in told.get("lent", {}).items()}

    def used(self) -> dict[str, Any]:
        """What was taken, or may be yet."""
        total = self._used
        for lent in self._lent.values():
            total = total.plus(lent)
        return total.record()

    def _share(self, op: str, among: int = 1) -> dict[str, Any]:
        budget = amount_of(self._budget)
        most: dict[str, int | Decimal] = {}
        if "tokens" in self._budget:
            most["tokens"] = budget.tokens
        if "cost" in self._budget:
            most["cost"] = budget.cost
        for group in self._groups.values():
            if not group.done() and (own := _branch(group, op)):
                others = {_branch(group, one) for one in self._lent} - {"", own}
                among *= max(1, group.slots - len(others))
        return shared(remaining(amount_of(self.used()), most), among)


def _branch(group: Sharing, op: str) -> str:
    """The branch of the group that the operation is in; "": none."""
    return op[len(group.op) + 1 :].partition(".")[0] if op.startswith(f"{group.op}.") else ""
