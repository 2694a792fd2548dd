"""The broker that is there anyway: the store itself.

A published event goes into the mailbox of every subscriber right away, and is confirmed when all of them have it; there
is nothing in between that could get lost or be late. Whoever dies in the middle sends it again, and those who have it
already take it once. Other processes are reached because they serve from the same store.
"""

from __future__ import annotations

import asyncio

from ..events.event import CloudEvent
from .broker import Subscribers
from .filters import attributes_of


class StoreBroker:
    """Carries events by the store that subscribers serve from."""

    def __init__(self) -> None:
        self._subscribers: Subscribers

    async def open(self, subscribers: Subscribers) -> None:
        self._subscribers = subscribers

    async def publish(self, event: CloudEvent) -> None:
        take, attributes = self._subscribers.take, attributes_of(event)
        known = await self._subscribers.announced()
        meant = [subscription for subscription in known.values() if subscription.matches(attributes)]
        if len(meant) == 1:
            await take(meant[0], event)
            return
        outcomes = await asyncio.gather(*(take(one, event) for one in meant), return_exceptions=True)
        for outcome in outcomes:  # all have been tried: one that can't take it now holds none of the others up
            if isinstance(outcome, BaseException):
                raise outcome

    async def close(self) -> None:
        return
