"""One model call of an agent, attempt after attempt: what is asked, what is recorded, what it cost.

A failed attempt may have been paid for. Its error says so (``ModelError.billed``), and the sum over all attempts of
this process goes into whatever is recorded next, an error or an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ...orchestrator.engine.performing import current_call
from ...orchestrator.governance.usage import Usage, reported
from ...state.errors import ModelError
from ..models.port import Answer, Model
from ..models.prices import Prices, written


class Asking:
    """A function without arguments that asks the model and gives the answer's JSON. ``request`` makes what is asked."""

    def __init__(self, model: Model, request: Any, prices: Mapping[str, Prices]) -> None:
        self._model = model
        self._request = request
        self._prices = prices
        self._first = 0  # the attempt that the sum begins with
        self._billed: Usage | None = None

    async def __call__(self) -> dict[str, Any]:
        self._first = self._first or _attempt()
        try:
            answer = await self._model.complete(self._request())
        except ModelError as error:
            self._failed(error)
            raise
        record = answer._replace(cost=self._cost(answer)).record(self._model.name)
        if self._billed is not None:
            record["billed"] = self._sum(self._billed)
        return record

    def _failed(self, error: ModelError) -> None:
        """Add up what the attempt was billed for, and let the error tell of all."""
        if error.billed:
            used = reported(error.billed)
            prices = self._known(error.model)
            if prices is not None:
                cost = prices.of(used.parts)
                used = used._replace(cost=Decimal(cost or 0), unpriced=int(cost is None))
            self._billed = used if self._billed is None else self._billed.plus(used)
        if self._billed is not None:
            error.billed = self._sum(self._billed)

    def _sum(self, billed: Usage) -> dict[str, Any]:
        cost = None if billed.unpriced else written(billed.cost)
        return {"first": self._first, "usage": billed.parts.record(), "cost": cost}

    def _cost(self, answer: Answer) -> str | None:
        """By the agent's own prices, where it has some for who answered; else what the model says."""
        prices = self._known(answer.model)
        return answer.cost if prices is None or not answer.usage.total else prices.of(answer.usage)

    def _known(self, model: str) -> Prices | None:
        return self._prices.get(model or self._model.name) or self._prices.get("")


def _attempt() -> int:
    try:
        return current_call().attempt
    except LookupError:
        return 1
