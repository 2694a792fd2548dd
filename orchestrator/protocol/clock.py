"""The time that an engine goes by. Where the store has a clock of its own, all processes on it follow that one,
so that leases and timers mean the same to machines whose clocks disagree by minutes."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...state.store import Store

MOST = 1_000
"""Milliseconds that a deadline may be held open for clocks that can't agree any better."""
AGREE_EVERY = 30.0
"""Seconds between two looks at the store's clock; ordinary clocks drift by less than a millisecond meanwhile."""

TRIES = 5
QUICK, SLOW = 20, 60_000
"""Milliseconds of uncertainty: below the one an answer is good enough, above the other it says nothing."""


def wall_clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class SharedClock:
    """Milliseconds since the epoch: this machine's, corrected by what ``agree`` has found."""

    def __init__(self, machine: Callable[[], int] = wall_clock) -> None:
        self._machine = machine
        self._count, self._unit = (time.time_ns, 1_000_000) if machine is wall_clock else (machine, 1)
        self._ahead = 0  # ms that the store's clock is ahead of this machine's
        self.margin = 0  # ms by which what two processes take for the same moment may differ

    def __call__(self) -> int:
        return self._count() // self._unit + self._ahead  # not by _machine: it is asked five times a step

    async def agree(self, store: Store) -> None:
        """Compare with the store's clock. A difference that the way there and back explains changes nothing."""
        ahead, error = 0, SLOW + 1
        for _ in range(TRIES):
            before = self._machine()
            shared = await store.time()
            if shared is None:
                return
            after = self._machine()
            if (after - before) // 2 + 1 < error:  # the quickest answer says most
                ahead, error = shared - (before + after) // 2, (after - before) // 2 + 1
            if error < QUICK:
                break
        if error > SLOW:
            return
        if abs(ahead - self._ahead) > error:
            self._ahead = ahead
        self.margin = min(2 * error, MOST)  # this one's error and as much of another's


async def present(store: Store) -> int:
    """The time of a store's processes, in ms: the one they agree on, or this machine's."""
    told = await store.time()
    return wall_clock() if told is None else told
