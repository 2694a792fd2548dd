"""The due index, looked at as long as a process lives: what is due is taken, as far as there is room for it.

What is due and can't be taken for now (its function is not served here, it must wait for its turn) is left alone
for a while, so that it does not stand in the way of others. Nothing here is needed for anything to happen at all:
another process, or the next one, finds the same in the store.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import NamedTuple

from ...state.errors import StoreError, StoreLost
from ...state.store import Store
from ..protocol.clock import AGREE_EVERY, SharedClock

log = logging.getLogger("overwinter")

FOREIGN = 30_000
"""For so long (ms) an execution whose function is not served here is left alone."""

MOST = 200
"""How many executions one look takes."""


class Place(NamedTuple):
    """What a sweeper asks of the process that it sweeps for."""

    room: Callable[[], int]  # how many more executions it may take
    busy: Callable[[], Collection[str]]  # those that it holds already, or is about to
    wants: Callable[[str], bool]  # whether it would take this one at all
    take: Callable[[str], Awaitable[bool]]  # take one; whether it was granted
    look: Callable[[], Awaitable[None]]  # whether the store is still the one that was opened
    reclaim: Callable[[str], None]  # look after a lease that may have been granted unawares


class Sweeper:
    """Sweeps ``store`` every ``poll`` seconds, and when it is told that there is something."""

    def __init__(self, store: Store, clock: SharedClock, poll: float, place: Place) -> None:
        self.running = asyncio.Lock()
        self._store = store
        self._clock = clock
        self._poll = poll
        self._place = place
        self._left: dict[str, int] = {}  # executions that are left alone, until when
        self._doubtful: set[str] = set()  # executions whose lease may have been granted in an answer that got lost
        self._told = asyncio.Event()
        self._next = 0  # the earliest wake time that is known of

    def tell(self) -> None:
        """Something may be due."""
        self._told.set()

    def doubt(self, id: str) -> None:
        """A lease of this execution may have been granted in an answer that got lost."""
        self._doubtful.add(id)

    def leave(self, id: str, ms: int) -> None:
        """Leave it alone for so long, whatever the index says."""
        until = self._left[id] = self._clock() + ms
        self.wake_at(until)

    def again(self, ids: Iterable[str]) -> None:
        """These need not be left alone any longer."""
        for id in ids:
            self._left.pop(id, None)
        self._told.set()

    def wake_at(self, wake: int) -> None:
        """This process knows of something due then."""
        if not self._next or wake < self._next:
            self._next = wake
            if wake <= self._clock() + self._poll * 1000:
                loop = asyncio.get_running_loop()
                loop.call_later(max(0, wake - self._clock()) / 1000, self._told.set)

    async def keep_on(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        agreed = loop.time()
        while True:
            self._told.clear()
            try:
                await self._place.look()
                await self.sweep()
                if loop.time() - agreed > AGREE_EVERY:
                    await self._clock.agree(self._store)
                    agreed = loop.time()
            except StoreLost:
                pass  # it was said
            except StoreError as error:
                log.warning("the due index can't be read: %s", error)
            try:
                async with asyncio.timeout(self._poll):
                    await self._told.wait()
            except TimeoutError:
                continue

    async def sweep(self) -> int:
        """Take what is due, as far as there is room. Returns how many executions were taken."""
        async with self.running:  # two at once would take each other's grants for leases that nobody knows of
            return await self._sweep()

    async def _sweep(self) -> int:
        now = self._clock()
        self._next = 0
        self._left = {id: until for id, until in self._left.items() if until > now}
        room = self._place.room()
        if room <= 0:
            return 0
        due = await self._store.due(now, limit=min(room, MOST) + len(self._left))
        doubtful, self._doubtful = self._doubtful, set()
        busy = self._place.busy()
        for id in doubtful.difference(busy):
            self._place.reclaim(id)
        wants = self._place.wants
        mine = [id for id in due if id not in busy and id not in self._left and wants(id)]
        taken = await asyncio.gather(*(self._place.take(id) for id in mine))
        if len(mine) >= min(room, MOST):
            self._told.set()
        wake = await self._store.next_wake()
        if wake is not None and wake > now:
            self.wake_at(wake)
        return sum(taken)
