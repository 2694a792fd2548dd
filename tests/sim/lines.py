"""A broker in memory that outlives all processes: it keeps an event until it was taken, and gives it to one process at
a time of those that subscribe. In bad weather it loses, repeats, delays and reorders."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from overwinter.functions.bus.broker import Subscribers
from overwinter.functions.bus.filters import attributes_of
from overwinter.functions.bus.subscription import Subscription
from overwinter.functions.events.event import CloudEvent
from overwinter.state.errors import BrokerUnavailable, StoreError

Taken = Callable[[CloudEvent, "End"], None]


class Lines:
    """``bad`` says how likely each fault is now. ``taken`` is called when an event was confirmed."""

    def __init__(self, draw: random.Random, bad: Callable[[], float], taken: Taken = lambda event, end: None) -> None:
        self.kept: list[CloudEvent] = []
        self.sent = 0
        self.taken = taken
        self._draw, self._bad = draw, bad
        self.ends: list[End] = []

    def fails(self, part: float = 1.0) -> bool:
        return self._draw.random() < self._bad() * part

    def put(self, event: CloudEvent) -> None:
        self.kept.append(event)
        for end in self.ends:
            end.came.set()

    async def publish(self, event: CloudEvent) -> None:
        self.sent += 1
        if self.fails():
            raise BrokerUnavailable("lost on the way")
        if not self.fails(0.5):  # as a server that loses its last second when it dies
            self.put(event)
        if self.fails():
            raise BrokerUnavailable("the answer was lost")

    async def carry(self, end: End, subscribers: Subscribers) -> None:
        """Give what is kept to a process, until that dies."""
        while True:
            meant = [(event, one) for event in self.kept if (one := end.meant(event, subscribers)) is not None]
            if not meant:
                end.came.clear()
                await end.came.wait()
                continue
            event, subscription = self._draw.choice(meant)
            await asyncio.sleep(self._draw.uniform(0, 2.0) if self.fails(2.0) else 0)
            try:
                await subscribers.take(subscription, event)
            except StoreError:
                await asyncio.sleep(0.05)
                continue
            self.taken(event, end)
            if event in self.kept and not self.fails():
                self.kept.remove(event)


class End:
    """The broker as the processes of one store have it. ``calls``: whether they take calls."""

    no_calls = ""

    def __init__(self, lines: Lines, *, calls: bool = True) -> None:
        self.came = asyncio.Event()
        self.lines, self._calls = lines, calls
        lines.ends.append(self)

    def meant(self, event: CloudEvent, subscribers: Subscribers) -> Subscription | None:
        attributes = attributes_of(event)
        found = (one for one in subscribers.own.values() if one.matches(attributes))
        return next((one for one in found if self._calls or not one.lane.startswith("calls:")), None)

    async def open(self, subscribers: Subscribers) -> None:
        subscribers.spawn(self.lines.carry(self, subscribers))

    async def publish(self, event: CloudEvent) -> None:
        await self.lines.publish(event)

    async def close(self) -> None:
        return
