"""What carries events from those who publish them to those who have subscribed: a port, with one file for each kind.

A broker that has taken an event keeps it until every subscription that matches it has taken it; the same event may come
again, and the subscriber's side takes it once. ``tests/bus/test_contract.py`` holds each to that.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, Protocol, runtime_checkable

from ...state.store import Store
from ..events.event import CloudEvent
from .subscription import Subscription


class Subscribers(Protocol):
    """The subscriber's side of one process."""

    store: Store

    @property
    def own(self) -> Mapping[str, Subscription]:
        """The subscriptions of the functions served here."""
        ...

    async def announced(self) -> Mapping[str, Subscription]:
        """Those of all processes on this store, and ``own``. Raises StoreError."""
        ...

    async def take(self, subscription: Subscription, event: CloudEvent) -> None:
        """It is durable at the subscriber when this returns, or kept as a dead letter. Raises StoreError."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run until the runtime closes."""
        ...


class Broker(Protocol):
    """Carries events. ``no_calls``: why it carries no calls of functions that live elsewhere; "" when it does."""

    @property
    def no_calls(self) -> str: ...
    async def open(self, subscribers: Subscribers) -> None:
        """Begin to carry events to the subscriptions of this process. Raises BrokerUnavailable, StoreError."""
        ...

    async def publish(self, event: CloudEvent) -> None:
        """The event is durable when this returns. Raises InvalidInput when it never can be, BrokerUnavailable or
        StoreError when it can't be now."""
        ...

    async def close(self) -> None:
        """Take no more events. What is not confirmed comes again."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """A broker that keeps something for each subscription, whether it is there or not."""

    async def retire(self, subscription: Subscription, store: str, *, force: bool = False) -> str:
        """Take it away, for a subscription that the store of that name has no more; why it is kept all the same, ""
        when nothing is. ``force``: also what it has not taken. Raises BrokerUnavailable."""
        ...
