"""One budget as an agent declares it. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from ..approvals.rule import Approval
from .amount import Amount

INSIDE = ("call", "run", "session")
"""Budgets that one execution keeps by itself, in its own journal."""
ACCOUNTS = ("agent", "user", "tenant")
"""Those that executions share."""


class Bound(NamedTuple):
    """``per`` call, run (or message), session; or of an account: agent, user, tenant. ``most`` names units
    (``Amount``). ``window``: hour, day or month in the time zone ``zone``; "": for ever.

    ``then`` says what follows at the limit: stop, cheaper (from ``share`` of it on, the ``model`` is asked), or ask:
    who must approve it is asked for ``more`` (``ask``). From the share ``warn`` on it is said that it
    runs out. ``tell``: the model is told what is left."""

    per: str
    most: Mapping[str, int | Decimal]
    window: str = ""
    zone: str = "UTC"
    then: str = "stop"
    model: str = ""
    share: float = 1.0
    ask: Approval | None = None
    more: Amount = Amount()
    warn: float | None = None
    tell: bool = False

    @property
    def key(self) -> str:
        """Tells it from the agent's others."""
        return " ".join((self.per, *([self.window] if self.window else ()), *sorted(self.most)))

    def raised(self, more: Amount | None) -> Mapping[str, Any]:
        """``most``, with that much more."""
        if more is None:
            return self.most
        extra = more._asdict()
        return {unit: bound + extra[unit] for unit, bound in self.most.items()}
