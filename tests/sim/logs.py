"""A broker in memory that keeps what it has confirmed, as one of consumer groups does: every subscription has what it
has not taken yet, and the processes that serve it share that. It outlives all of them.

What it promises is what a real one does, and no more: nothing that it confirmed is lost, the events of one key are
given one after another, and everything comes again that was not confirmed to it. In bad weather a publication fails
before or after it was taken, comes twice, and events come late, in another order and again, also at the same time, and
from a reader that stood still when another has gone on in its place.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from overwinter.functions.bus.broker import Subscribers
from overwinter.functions.bus.filters import attributes_of
from overwinter.functions.bus.subscription import Subscription
from overwinter.functions.events.event import CloudEvent
from overwinter.state.errors import BrokerUnavailable, StoreError
from overwinter.testing.clock import gate
from overwinter.testing.process import Process

READERS = 3
"""Of each subscription in each process."""
LOOK = 1.0
"""Seconds after which a reader looks whether another one has died."""


class Entry(NamedTuple):
    """An event as it lies there for one subscription. ``lane``: those of one are given one after another."""

    event: CloudEvent
    lane: str
    again: bool = False


class Hold:
    """A lane that a process has in hand, for as long as it is awake."""

    def __init__(self, process: Process, asleep: Callable[[Process], bool]) -> None:
        self._process, self._asleep = process, asleep

    @property
    def counts(self) -> bool:
        return self._process.alive and not self._asleep(self._process)


class Group:
    """What one subscription has not taken yet. ``held``: who has which lane in hand."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.pending: list[Entry] = []
        self.held: dict[str, Hold] = {}
        self.came = asyncio.Event()

    def put(self, entry: Entry) -> None:
        self.pending.append(entry)
        self.came.set()

    def ready(self) -> list[Entry]:
        """The first of each lane that nobody alive has in hand."""
        first: dict[str, Entry] = {}
        for entry in self.pending:
            first.setdefault(entry.lane, entry)
        return [one for lane, one in first.items() if lane not in self.held or not self.held[lane].counts]


class Log:
    """``bad`` says how likely each fault is now, ``asleep`` which processes stand still."""

    def __init__(
        self, draw: random.Random, bad: Callable[[], float], asleep: Callable[[Process], bool] = lambda process: False
    ) -> None:
        self.kept: list[CloudEvent] = []
        self.groups: dict[str, Group] = {}
        self.ends = 0
        self._draw, self._bad, self._asleep = draw, bad, asleep

    def fails(self, part: float = 1.0) -> bool:
        return self._draw.random() < self._bad() * part

    async def publish(self, event: CloudEvent) -> None:
        if self.fails():
            raise BrokerUnavailable("lost on the way")
        await asyncio.sleep(self._draw.uniform(0, 0.05))
        for _ in range(2 if self.fails() else 1):
            self._keep(event)
        await asyncio.sleep(self._draw.uniform(0, 0.05))
        if self.fails():
            raise BrokerUnavailable("the answer was lost")

    def _keep(self, event: CloudEvent) -> None:
        self.kept.append(event)
        attributes = attributes_of(event)
        for group in self.groups.values():
            if group.subscription.matches(attributes):
                group.put(self._entry(event))

    def _entry(self, event: CloudEvent) -> Entry:
        return Entry(event, self._alone() if event.partitionkey is None else event.partitionkey)

    def _alone(self) -> str:
        self.ends += 1
        return f"\0{self.ends}"

    # -- who reads -----------------------------------------------------------------------------------

    def open(self, subscribers: Subscribers) -> None:
        for subscription in subscribers.own.values():
            group = self.groups.setdefault(subscription.name, Group(subscription))
            for _ in range(READERS):
                subscribers.spawn(self._read(group, subscribers))

    async def _read(self, group: Group, subscribers: Subscribers) -> None:
        """Give what is pending to a process, until that dies."""
        process = here()
        while True:
            ready = group.ready()
            if not ready:
                group.came.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(group.came.wait(), LOOK)
                continue
            entry = self._draw.choice(ready)
            group.held[entry.lane] = hold = Hold(process, self._asleep)
            taken = await self._given(group, entry, subscribers)
            if group.held.get(entry.lane) is hold:
                del group.held[entry.lane]
            if taken and entry in group.pending and not self.fails():
                group.pending.remove(entry)
            if taken and not entry.again and self.fails():  # as from a reader that stood still
                group.put(Entry(entry.event, self._alone(), again=True))
            group.came.set()

    async def _given(self, group: Group, entry: Entry, subscribers: Subscribers) -> bool:
        await asyncio.sleep(self._draw.uniform(0, 20.0 if entry.again else 2.0) if self.fails(2.0) else 0)
        times = 2 if self.fails() else 1
        takes = (subscribers.take(group.subscription, entry.event) for _ in range(times))
        outcomes = await asyncio.gather(*takes, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, StoreError):
                await asyncio.sleep(0.2)
                return False
            if outcome is not None:
                raise outcome
        return True


class End:
    """The broker as the processes of one store have it."""

    no_calls = "it carries events alone"

    def __init__(self, log: Log) -> None:
        self._log = log

    async def open(self, subscribers: Subscribers) -> None:
        self._log.open(subscribers)

    async def publish(self, event: CloudEvent) -> None:
        await self._log.publish(event)

    async def close(self) -> None:
        return


def here() -> Process:
    """The simulated process that runs this."""
    found: Any = gate.get()
    process = found.__self__
    assert isinstance(process, Process)
    return process
