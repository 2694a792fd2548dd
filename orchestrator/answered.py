"""How models have answered the executions of this process since it began: calls, failures, how long they took, tokens
and money, by model. Taken from what was stored, when it was, and lost with the process; ``spending`` sums the journals.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any, cast

from ..state.errors import StoreCorrupt
from ..state.records import Appended, Change
from .agent.billing import billed
from .governance.usage import NOTHING, Usage, reported
from .protocol.decider import Fact
from .protocol.entries import decode

MODELS = 200
"""Models that are told apart; the others count as ``OTHERS``."""
OTHERS = "…"
TIMES = 1000
"""Calls of a model of which is known how long they took: the last ones."""
_ANSWERS = ('"type":"model"', '"type":"summary"')
_HOOK = "hook/"


class Answered:
    """Of one process."""

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}

    def committed(self, change: Change, _: Appended) -> None:
        """A commit that is stored."""
        for text in change.entries:
            if not any(kind in text for kind in _ANSWERS):
                continue
            try:
                self.take(decode(text))
            except StoreCorrupt:
                continue  # it says so elsewhere

    def take(self, entry: Fact) -> None:
        """An entry of a journal."""
        name = str(entry.get("name", ""))
        if entry["type"] not in ("model", "summary") or name.startswith(_HOOK):
            return
        if entry["type"] == "summary" and not isinstance(entry.get("value", {}), dict):
            return  # made by a function, no model was asked
        if name not in self._models and len(self._models) >= MODELS:
            name = OTHERS
        self._models.setdefault(name, _Model()).take(entry)

    def record(self) -> list[dict[str, Any]]:
        """``[{"model", "calls", "failures", "retries", "p50", "p95", "tokens", "cost", "unpriced"}]``, the most asked
        first. Times are ms, the cost is dollars as decimal text."""
        found = [{"model": name, **model.record()} for name, model in self._models.items()]
        return sorted(found, key=lambda one: (-int(one["calls"]), str(one["model"])))


class _Model:
    def __init__(self) -> None:
        self.calls = self.failures = self.retries = 0
        self.used: Usage = NOTHING
        self.times: deque[int] = deque(maxlen=TIMES)

    def take(self, entry: Fact) -> None:
        self.calls += 1
        attempts = entry.get("n")
        self.retries += attempts - 1 if isinstance(attempts, int) and attempts > 1 else 0
        failed = "error" in entry
        self.failures += failed
        if isinstance(entry.get("ms"), int) and not failed:
            self.times.append(entry["ms"])
        value = entry.get("value")
        if not failed and isinstance(value, dict):
            self.used = self.used.plus(reported(cast("dict[str, Any]", value), 1))
        if (before := billed(entry)) is not None:
            self.used = self.used.plus(reported(before))

    def record(self) -> dict[str, Any]:
        times = sorted(self.times)
        return {
            "calls": self.calls,
            "failures": self.failures,
            "retries": self.retries,
            "p50": _rank(times, 50),
            "p95": _rank(times, 95),
            "tokens": self.used.tokens,
            "cost": format(self.used.cost, "f"),
            "unpriced": self.used.unpriced,
        }


def _rank(ordered: Sequence[int], share: int) -> int | None:
    """The smallest value that so many percent don't exceed; None when there is none."""
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)] if ordered else None
