"""The clock of the service, read from the ``Date`` of its answers, which comes with every one and costs nothing.

A date has whole seconds, so one answer says only between which two moments the service's clock must stand compared
with this machine's. What several answers say is cut together: what is left holds the truth as long as both clocks
run evenly. While this machine's own clock is within it, it is believed: machines in AWS are set by NTP and agree to
milliseconds, which no header could do. A clock that is proved wrong is corrected by the middle of what is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

KEEP = 600.0
"""Seconds after which what was learnt is forgotten: clocks drift."""
CLOSE = 100
"""Uncertainty in ms that is good enough for a corrected clock."""


def wall() -> float:
    """This machine's clock in ms."""
    return time.time() * 1000


class ServiceClock:
    """What is known of the service's clock. Safe to tell from any thread; at worst one answer goes unheard."""

    def __init__(self, machine: Callable[[], float] = wall) -> None:
        self.machine = machine
        self._bounds: tuple[float, float] | None = None
        self._since = 0.0

    def hear(self, date: str | None, sent: float, received: float) -> None:
        """An answer with this date came between the two moments of this machine's clock."""
        try:
            second = parsedate_to_datetime(date or "").timestamp() * 1000
        except ValueError:
            return
        low, high = second - received, second + 1000 - sent
        bounds = self._bounds
        if bounds is not None and received - self._since < KEEP * 1000:
            low, high = max(low, bounds[0]), min(high, bounds[1])
            if low <= high:
                self._bounds = low, high
                return
            low, high = second - received, second + 1000 - sent  # one of the clocks was set: begin again
        self._bounds, self._since = (low, high), received

    @property
    def ahead(self) -> int:
        """Milliseconds that the service's clock is ahead of this machine's, as far as it is proved."""
        if self._bounds is None or self._bounds[0] <= 0 <= self._bounds[1]:
            return 0
        return round(sum(self._bounds) / 2)

    @property
    def settled(self) -> bool:
        """Whether another answer would change little."""
        if self._bounds is None:
            return False
        low, high = self._bounds
        return low <= 0 <= high or high - low <= CLOSE

    def pause(self) -> float:
        """Seconds to wait so that the next answer halves what is uncertain: its date changes in the middle of it."""
        if self._bounds is None:
            return 0.0
        return (1000 - (self.machine() + sum(self._bounds) / 2) % 1000) / 1000
