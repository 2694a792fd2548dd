"""In time means in time: what was accepted by a deadline goes before the timer of that deadline, however late an
execution comes to look.

A timer that nothing from outside could precede fires when its time has come. Any other one only when the store was
asked for mail after the deadline, and all mail with ``at`` up to it was offered. The clock is the one that
all processes on the store agree on; what they may still disagree by is waited for (``margin``).
"""

from __future__ import annotations

from ..protocol.clock import SharedClock
from ..protocol.decider import Decision


class Deadlines:
    """Those of one execution. ``looked``: when the store was last asked for mail, in an answer that has come."""

    __slots__ = ("_clock", "began", "look", "looked", "outside", "searched", "wake", "warm")

    def __init__(self, clock: SharedClock) -> None:
        self._clock = clock
        self.wake: int | None = None  # the earliest deadline, as of the last decision
        self.outside = False  # whether it is one that mail could precede
        self.looked = 0
        self.look: int | None = None  # a look at the store is needed, after this
        self.began = 0  # when the lease was asked for that the execution has now
        self.warm = False  # whether it was in memory then
        self.searched = 0  # all mail up to this deadline has been looked for beyond what is in memory

    def note(self, decision: Decision) -> None:
        self.wake, self.outside = decision.wake, decision.outside

    def due(self, now: int) -> int | None:
        """The earliest deadline, when it has come."""
        return self.wake if self.wake is not None and self.wake <= now else None

    def pause(self, wake: int) -> float:
        """Seconds until it is to be looked at again what has come by ``wake``."""
        at = wake if self.look is None else max(wake, self.look + 1)
        return max(0, at - self._clock()) / 1000

    def told(self, deadline: int) -> bool:
        """Whether the store has told of all mail that can have come in time."""
        return not self.outside or self.looked > deadline + self._clock.margin

    def open(self, deadline: int) -> bool:
        """Whether mail may have come in time that this process has not been told of. Then ``look`` is set."""
        if self.told(deadline):
            return False
        self.look = deadline + self._clock.margin
        return True

    def ripe(self) -> bool:
        """Whether the look that is needed can be made by now."""
        return self.look is not None and self._clock() > self.look

    def leased(self, at: int, *, warm: bool) -> None:
        """A lease was granted that was asked for ``at`` that time."""
        self.began, self.warm = at, warm
        self.asked(at)

    def asked(self, at: int) -> None:
        """An answer has come that tells of all mail accepted before ``at``."""
        self.looked = max(self.looked, at)
        self.look = None
