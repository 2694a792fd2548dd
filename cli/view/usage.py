"""What a model call cost, read out of the recorded answer."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, cast


class Usage(NamedTuple):
    """``tokens`` in and out together, ``cost`` in the model's currency."""

    tokens: int
    cost: Decimal


def usage(answer: Any) -> Usage | None:
    """The usage recorded with a model's answer; None when there is none (a failed call)."""
    if not isinstance(answer, Mapping):
        return None
    fields = cast("Mapping[str, Any]", answer)
    used = fields.get("usage")
    counts: Mapping[str, Any] = cast("Mapping[str, Any]", used) if isinstance(used, Mapping) else {}
    total = sum(int(_number(counts.get(key))) for key in ("input", "output"))
    cost = _amount(fields.get("cost"))
    return Usage(total, cost) if counts or cost else None


def _amount(value: Any) -> Decimal:
    """Money as it was written: sums of floats are not what was spent."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return amount if amount.is_finite() else Decimal(0)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
