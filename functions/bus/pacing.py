"""How fast a subscription goes, as people write it."""

from __future__ import annotations

import re

from ...orchestrator.queue.pace import Pace
from ...orchestrator.usercode.resilience import Retry
from ...state.errors import InvalidInput
from ...state.quantities import briefly, count, milliseconds
from .filters import checked

_RATE = re.compile(r"([0-9]{1,9})/([0-9]*)(ms|s|m|h|d)")


def pace_of(concurrency: int | None, rate: str | None, order: str | None, retry: Retry | None) -> Pace | None:
    """None when nothing bounds it. Raises InvalidInput."""
    if concurrency is None and rate is None and order is None and retry is None:
        return None
    pace = Pace(ordered=order is not None)
    if order is not None:
        checked({"exact": {order: "any"}})
    if concurrency is not None:
        try:
            pace = pace._replace(concurrency=count(concurrency, 1, "concurrency of @subscribe"))
        except ValueError as error:
            raise InvalidInput(str(error)) from None
    if rate is not None:
        number, per = _rate(rate)
        pace = pace._replace(rate=number, per=per)
    if retry is not None:
        if not isinstance(retry, Retry):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput(f"retry= of @subscribe is a Retry, like Retry(attempts=3), not {briefly(retry)}")
        if retry.final or retry.retry or retry.when is not None:
            raise InvalidInput(
                "retry= of @subscribe says how often and when (attempts, first, factor, most): which errors are tried "
                "again says the function itself, by Retryable and Final"
            )
        first, most = milliseconds(retry.first), milliseconds(retry.most)
        pace = pace._replace(attempts=retry.attempts, first=first, factor=float(retry.factor), most=most)
    return pace


def _rate(rate: str) -> tuple[int, int]:
    found = _RATE.fullmatch(rate) if isinstance(rate, str) else None  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
    number = 0 if found is None else int(found[1])
    try:
        per = 0 if found is None else milliseconds(f"{found[2] or 1}{found[3]}")
    except ValueError:  # longer than any time
        per = 0
    if number < 1 or per < 1:
        raise InvalidInput(f'rate of @subscribe is so many in a time, like "10/s" or "100/5m", not {rate!r:.40}')
    return number, per
