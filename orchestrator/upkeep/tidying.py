"""Retention: while an engine runs, what has ended longer ago than that is removed.

It is done once an hour among all processes: the last time stands in the store, so that many processes, or
short-lived ones, don't do it again and again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ...state.errors import EtagMismatch, StoreError
from ...state.quantities import Duration, milliseconds
from ...state.records import FINAL
from ...state.store import Store
from ..governance.budgets.recovery import recover_all
from .retention import prune

log = logging.getLogger("overwinter")
SCOPE, KEY = "overwinter.store", "pruned"
HOUR = 3_600_000
LOOK_EVERY = 60.0


async def keep_tidy(store: Store, retention: Duration | None, clock: Callable[[], int]) -> None:
    """Look every minute whether it is time, and never end. Does nothing without a retention."""
    while retention is not None:
        await asyncio.sleep(LOOK_EVERY)
        try:
            await tidy(store, retention, clock())
        except StoreError as error:
            log.warning("what is over could not be removed: %s", error)


async def tidy(store: Store, retention: Duration, now: int) -> int:
    """Remove what has ended longer ago than the retention, if nobody did so within the hour. Returns how many."""
    last = await store.get(SCOPE, KEY)
    if last is not None and now - int(last.value) < HOUR:
        return 0
    try:
        await store.put(SCOPE, KEY, str(now), etag="" if last is None else last.etag)
    except EtagMismatch:
        return 0  # another process was quicker
    await recover_all(store, now)  # what dead processes have used of shared budgets stands in journals alone
    gone = 0
    while taken := await prune(store, milliseconds(retention), FINAL, now):
        gone += taken
    return gone
