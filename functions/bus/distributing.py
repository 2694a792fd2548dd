"""One event for all subscriptions of a store that mean it, whichever of its processes serve them."""

from __future__ import annotations

import asyncio

from ..events.event import CloudEvent
from .broker import Subscribers
from .filters import attributes_of


async def distribute(subscribers: Subscribers, event: CloudEvent) -> int:
    """Every subscription that matches has taken it, or keeps it as a dead letter, when this returns; how many do.
    Raises StoreError when one can't now: the others have tried too, and take it once when it comes again."""
    take, attributes = subscribers.take, attributes_of(event)
    known = await subscribers.announced()
    meant = [subscription for subscription in known.values() if subscription.matches(attributes)]
    if len(meant) == 1:
        await take(meant[0], event)
        return 1
    outcomes = await asyncio.gather(*(take(one, event) for one in meant), return_exceptions=True)
    for outcome in outcomes:  # all have been tried: one that can't take it now holds none of the others up
        if isinstance(outcome, BaseException):
            raise outcome
    return len(meant)
