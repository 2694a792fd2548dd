"""Cutting calls off when the time of a process is up, so that it counts: a call that never fits into the time that
there is would else be begun again for ever.

A call of a model that a budget counts may be billed although nobody hears its answer: it always counts.

A call that has had its fair share of the time counts as a failed attempt (``retrying`` with an error that says so, or
the outcome when it was the last). A call that began late, or that must not be repeated, is cut off without a word, as
everywhere else: it is begun again, or in doubt.
"""

from __future__ import annotations

from typing import NamedTuple

from ...state.errors import TimedOut
from ..protocol.decider import Invoke


def holds(call: object) -> bool:
    """Whether something is held for a call of a model, so that it counts when it is cut off."""
    return bool(getattr(getattr(call, "call", None), "held", False))


class Cut(NamedTuple):
    """``since``: calls that began no later (ms since the epoch) have had their share. ``told``: what was up."""

    since: int
    told: str

    def failure(self, call: Invoke, started: int, now: int) -> TimedOut | None:
        """The error of an attempt that is cut off; None when it does not count."""
        if call.policy.at_most_once or (started > self.since and not holds(call)):
            return None
        return TimedOut(f"{call.name!r} was cut off after {(now - started) / 1000:.0f} s: {self.told}")
