"""What a model call cost, read out of the recorded answer."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, NamedTuple, cast

from ..governance.parts import PARTS


class Usage(NamedTuple):
    """``tokens`` of all parts together, ``cost`` in the model's currency; not ``priced``: some of it nobody knows."""

    tokens: int
    cost: Decimal
    priced: bool = True


def usage(answer: Any) -> Usage | None:
    """The usage recorded with a model's answer; None when there is none (a failed call)."""
    if not isinstance(answer, Mapping):
        return None
    fields = cast("Mapping[str, Any]", answer)
    return plus(_said(fields), usage(fields.get("billed")))


def plus(one: Usage | None, other: Usage | None) -> Usage | None:
    """Both together: an answer, and the failed attempts before it that were billed."""
    if one is None or other is None:
        return one or other
    return Usage(one.tokens + other.tokens, one.cost + other.cost, one.priced and other.priced)


def _said(fields: Mapping[str, Any]) -> Usage | None:
    used = fields.get("usage")
    counts: Mapping[str, Any] = cast("Mapping[str, Any]", used) if isinstance(used, Mapping) else {}
    total = sum(int(_number(counts.get(part))) for part in PARTS)
    cost = _amount(fields.get("cost"))
    return Usage(total, cost, fields.get("cost") is not None or not total) if counts or cost else None


def _amount(value: Any) -> Decimal:
    """Money as it was written: sums of floats are not what was spent."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return amount if amount.is_finite() else Decimal(0)


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return number if isfinite(number) else 0.0
