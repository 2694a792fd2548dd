"""What was decided is done, however long the store or a broker is out of reach or full."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ...state.errors import BrokerUnavailable, StoreFull, StoreLost, StoreReadOnly, StoreSealed, StoreUnavailable
from ..errors import failures

log = logging.getLogger("overwinter")

T = TypeVar("T")
_LONGEST_ASKED = 300.0
"""Seconds that a broker may ask to wait."""
_AGAIN = 1.0


async def patiently(work: Callable[[], Awaitable[T]], execution: str) -> T:
    """Repeat it until it can be done."""
    tries = 0
    while True:
        try:
            return await work()
        except (BrokerUnavailable, StoreUnavailable, StoreFull, StoreReadOnly, StoreSealed, StoreLost) as error:
            asked = min(_LONGEST_ASKED, getattr(error, "retry_after", None) or 0.0)
            pause = max(asked, min(5.0, 0.05 * 2**tries))
            tries += 1
            log.log(failures.level(error), "execution %s: %s; again in %.2f s", execution, error, pause)
            await asyncio.sleep(pause)


async def lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Begin it again when a mistake ends it: without it nobody would renew leases, or take what is due, and nobody
    would see."""
    while True:
        try:
            return await work()
        except Exception:  # the edge of what goes on for as long as the process: a defect ends one round of it
            log.exception("what goes on beside the executions has failed; it begins again in %g s", _AGAIN)
        await asyncio.sleep(_AGAIN)
