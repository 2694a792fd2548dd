"""The numbers that a Map goes by, with what AWS says when they are none."""

from __future__ import annotations

from typing import Any

from ..definition.states.map import Map
from ..definition.values import Number, Path
from ..language.numbers import json_text
from .failure import READER_FAILED, TOO_MANY, Failure
from .scope import Scope

BATCH = 256 * 1024
"""Bytes of the input of a batch where nothing else is said."""


class Unfit(Exception):
    """``failure``: what the state fails with."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(cause)
        self.failure = Failure(error, cause)


def numbers(scope: Scope, state: Map) -> dict[str, Any]:
    """Raises Unfit, and QueryError for expressions that fail."""
    count = _number(scope, state.tolerated_count, "ToleratedFailureCount", TOO_MANY)
    share = _number(scope, state.tolerated_percentage, "ToleratedFailurePercentage", TOO_MANY, whole=False)
    if count is not None and count < 0:
        raise Unfit(TOO_MANY, "ToleratedFailureCount cannot be negative.")
    if share is not None and not 0 <= share <= 100:
        raise Unfit(TOO_MANY, "ToleratedFailurePercentage must be between 0 and 100.")
    return {"most": scope.number(state.max_concurrency, "MaxConcurrency", 0), "count": count, "percentage": share}


def max_items(scope: Scope, given: Number | None) -> int | None:
    """None: all of them."""
    found = _number(scope, given, "MaxItems", READER_FAILED)
    if found is not None and found < 0:
        raise Unfit(READER_FAILED, "field MaxItems must be positive")
    return int(found) if found else None


def batches(scope: Scope, state: Map) -> dict[str, Any]:
    """``{"items": most or None, "bytes", "bound": whether bytes are said, "input"?}``"""
    batcher = state.batcher
    assert batcher is not None
    items, bytes_ = (
        _number(scope, given, field, READER_FAILED)
        for given, field in ((batcher.max_items, "MaxItemsPerBatch"), (batcher.max_bytes, "MaxInputBytesPerBatch"))
    )
    for found, field in ((items, "MaxItemsPerBatch"), (bytes_, "MaxInputBytesPerBatch")):
        if found is not None and found <= 0:
            raise Unfit(READER_FAILED, f"field {field} must be positive")
    told: dict[str, Any] = {"items": items, "bytes": bytes_ or BATCH, "bound": bytes_ is not None}
    if batcher.batch_input is not None:
        told["input"] = scope.template(batcher.batch_input, "BatchInput")
    return told


def _number(scope: Scope, given: Number | None, field: str, error: str, *, whole: bool = True) -> int | float | None:
    if not isinstance(given, Path):
        found = scope.share(given, field)
        if found is not None and whole and found != int(found):
            raise Unfit(error, f"The field '{field}' must be a whole number, not {json_text(found)}")
        return found
    value = scope.path(given)
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not fits or (whole and not isinstance(value, int)):
        kind = "integer" if whole else "float"
        cause = f"The {field}Path field refers to value '{json_text(value)}' which is not a valid {kind}: {given.text}"
        raise Unfit(error, cause)
    number: int | float = value
    return number
