"""The rows of a journal with what they say in words, and the sums over them: what ``show`` tells all at once and
``watch`` as it happens. The fold itself is ``orchestrator/timeline``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ...orchestrator.timeline.entry import Entry, verdict
from ...orchestrator.timeline.fold import Fold
from ...orchestrator.timeline.row import FAILED, WORK, Row
from .decisions import Decisions
from .listings import listed
from .text import counted
from .window import gone


class Totals:
    """Sums over a timeline."""

    __slots__ = (
        "cost", "failed", "models", "repairs", "replies", "retries", "steps", "tokens", "tools", "unpriced", "worked",
    )  # fmt: skip

    def __init__(self) -> None:
        self.steps = self.models = self.tools = self.replies = self.retries = self.failed = 0
        self.repairs = 0  # answers that a model was asked to correct
        self.worked = 0  # ms, of steps, models and tools; concurrent ones count each
        self.tokens = 0
        self.cost = Decimal(0)
        self.unpriced = 0  # answers of which nobody knows the whole price

    def count(self, row: Row) -> None:
        if row.kind == "step":
            self.steps += 1
        elif row.kind == "model":
            self.models += 1
        elif row.kind == "tool":
            self.tools += 1
        elif row.kind == "reply":
            self.replies += 1
        if row.kind in WORK:
            self.worked += row.ms or 0
            self.retries += row.attempts - 1
            self.failed += row.state == FAILED
        if row.usage is not None:
            self.tokens += row.usage.tokens
            self.cost += row.usage.cost
            self.unpriced += not row.usage.priced

    def json(self) -> dict[str, int | float]:
        return {
            "steps": self.steps,
            "model_calls": self.models,
            "tool_calls": self.tools,
            "replies": self.replies,
            "retries": self.retries,
            "repairs": self.repairs,
            "failed": self.failed,
            "worked_ms": self.worked,
            "tokens": self.tokens,
            "cost": float(self.cost),
            "unpriced": self.unpriced,
        }


class Timeline(Fold):
    """A fold that says things in words, and ``totals``, the sums over what it has settled."""

    def __init__(self) -> None:
        super().__init__(Decisions())
        self.totals = Totals()

    def add(self, number: int, entry: Entry) -> list[Row]:
        settled = super().add(number, entry)
        for row in settled:
            self.totals.count(row)
        if entry.get("type") == "observed" and entry.get("repair") is not None:
            self.totals.repairs += 1
        return settled

    def words(self, entry: Entry) -> Any:
        kind = entry.get("type")
        if kind == "resolved":
            return verdict(entry)
        if kind == "listed":
            return listed(entry.get("value"))
        if kind in ("compacted", "handoff"):
            return gone(entry)
        definition: Entry = entry.get("definition") or {}
        return f"goes by its definition of {counted(len(definition.get('States') or ()), 'state', 'states')}"
