"""Tokens and money of model calls, as their entries tell them, each counted once.

An answer has what it used; failed attempts that were billed stand beside it or with an error, as the sum of what one
process has made since attempt ``first``. A later sum with the same ``first`` has the earlier one in it, so only what it
adds is counted. What was ``lost`` with a process counts with its worst, as budgets count it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from .entry import MOST, Fact, mapping, parts, whole

OPEN = 4096
"""Model calls that are remembered while they are tried again. What is forgotten may be counted once more."""


class Used(NamedTuple):
    """Tokens by part, and dollars; ``priced`` is False when nobody knows them."""

    tokens: Mapping[str, int]
    cost: Decimal
    priced: bool = True


class Bills:
    """Those of the calls that this process makes."""

    def __init__(self) -> None:
        self._sums: OrderedDict[tuple[str, str, int], Used] = OrderedDict()

    def added(self, id: str, entry: Fact) -> list[Used]:
        """What an entry about a model call of execution ``id`` adds: the answer's own, and failed attempts'."""
        value = mapping(entry.get("value"))
        told = value if "error" not in entry else mapping(mapping(entry.get("error")).get("data"))
        found = [used(value)] if "usage" in value else []
        billed = mapping(told.get("billed"))
        if billed:
            found.append(self._more(id, str(entry.get("op", "")), billed))
        return found

    def _more(self, id: str, op: str, billed: Mapping[str, Any]) -> Used:
        key, now = (id, op, whole(billed.get("first"))), used(billed)
        before = self._sums.pop(key, Used({}, Decimal(0)))
        self._sums[key] = now
        if len(self._sums) > OPEN:
            self._sums.popitem(last=False)
        tokens = {name: more for name, all in now.tokens.items() if (more := all - before.tokens.get(name, 0)) > 0}
        return Used(tokens, max(Decimal(0), now.cost - before.cost), now.priced)


def used(told: Mapping[str, Any]) -> Used:
    """Of something with ``usage`` and ``cost``."""
    return Used(parts(mapping(told.get("usage"))), _money(told.get("cost")), told.get("cost") is not None)


def lost(told: Mapping[str, Any]) -> Used:
    """Of something that was lost with a process: ``tokens`` and ``cost``."""
    tokens = whole(told.get("tokens"))
    return Used({"lost": tokens} if tokens else {}, _money(told.get("cost")))


def _money(told: object) -> Decimal:
    try:
        amount = Decimal(str(told)) if isinstance(told, (str, int, float)) else Decimal(0)
    except InvalidOperation:
        return Decimal(0)
    return min(amount, Decimal(MOST)) if amount.is_finite() and amount > 0 else Decimal(0)
