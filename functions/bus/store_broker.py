"""The broker that is there anyway: the store itself.

A published event goes into the mailbox of every subscriber right away, and is confirmed when all of them have it; there
is nothing in between that could get lost or be late. Whoever dies in the middle sends it again, and those who have it
already take it once. Other processes are reached because they serve from the same store.
"""

from __future__ import annotations

from ..events.event import CloudEvent
from .broker import Subscribers
from .distributing import distribute


class StoreBroker:
    """Carries events by the store that subscribers serve from."""

    no_calls = "it is the store itself, and that reaches nobody who serves from another one"

    def __init__(self) -> None:
        self._subscribers: Subscribers

    async def open(self, subscribers: Subscribers) -> None:
        self._subscribers = subscribers

    async def publish(self, event: CloudEvent) -> None:
        await distribute(self._subscribers, event)

    async def close(self) -> None:
        return
