"""Events that somebody outside sends: to one subscription by its name, as a Trigger does, or to whoever wants them.

When one of these returns, the event is durable at every subscriber it is for, or lies with the dead letters.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from ...state.errors import UnknownFunction
from ..events.event import CloudEvent
from ..events.intake import ERROR, PING, PREFIX, RESULT
from .broker import Subscribers
from .filters import attributes_of
from .subscription import Subscription


class Process(Protocol):
    """A runtime."""

    @property
    def bus(self) -> Subscribers: ...


async def named(runtime: Process, name: str) -> Subscription:
    """The subscription of that name: of this process, or as another process on the store has announced it. Raises
    UnknownFunction, StoreError."""
    found = runtime.bus.own.get(name) or (await runtime.bus.announced()).get(name)
    if found is None:
        raise UnknownFunction(
            f"no subscription {name[:100]!r} is known here; overwinter subscriptions list shows what there is"
        )
    return found


async def arrive_for(runtime: Process, subscription: Subscription, event: CloudEvent) -> bool:
    """Take it for one subscription. False when that does not want it: what has brought it filters otherwise. Raises
    StoreError."""
    if not subscription.matches(attributes_of(event)):
        return False
    await runtime.bus.take(subscription, event)
    return True


async def arrive(runtime: Process, event: CloudEvent) -> bool:
    """Take it for every subscription of the functions served here that wants it; whether there was one. Raises
    StoreError."""
    if event.type == PING or (event.type.startswith(PREFIX) and not event.type.startswith((RESULT, ERROR))):
        return False  # it tells this process to do something
    attributes = attributes_of(event)
    meant = [one for one in runtime.bus.own.values() if one.matches(attributes)]
    outcomes = await asyncio.gather(*(runtime.bus.take(one, event) for one in meant), return_exceptions=True)
    for outcome in outcomes:  # all have been tried: one that can't take it now holds none of the others up
        if isinstance(outcome, BaseException):
            raise outcome
    return bool(meant)
