"""Retention: while an engine runs, what has ended longer ago than that is removed.

It is done once an hour among all processes: the last time stands in the store, so that many processes, or
short-lived ones, don't do it again and again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ...state.errors import EtagMismatch, StoreError
from ...state.quantities import milliseconds
from ...state.records import FINAL
from .retention import prune

if TYPE_CHECKING:
    from ..engine.engine import Engine

log = logging.getLogger("overwinter")
SCOPE, KEY = "overwinter.store", "pruned"
HOUR = 3_600_000
LOOK_EVERY = 60.0


async def keep_tidy(engine: Engine) -> None:
    """Look every minute whether it is time, and never end. Does nothing without ``Settings.retention``."""
    while engine.settings.retention is not None:
        await asyncio.sleep(LOOK_EVERY)
        try:
            await tidy(engine)
        except StoreError as error:
            log.warning("what is over could not be removed: %s", error)


async def tidy(engine: Engine) -> int:
    """Remove what has ended longer ago than the retention, if nobody did so within the hour. Returns how many."""
    if engine.settings.retention is None:
        return 0
    store, now = engine.store, engine.clock()
    last = await store.get(SCOPE, KEY)
    if last is not None and now - int(last.value) < HOUR:
        return 0
    try:
        await store.put(SCOPE, KEY, str(now), etag="" if last is None else last.etag)
    except EtagMismatch:
        return 0  # another process was quicker
    gone = 0
    while taken := await prune(store, milliseconds(engine.settings.retention), FINAL, now):
        gone += taken
    return gone
