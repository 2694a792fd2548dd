"""Cutting calls off when the time of a process is up, so that it counts: a call that never fits into the time that
there is would else be begun again for ever.

A call that has had its fair share of the time counts as a failed attempt (``retrying`` with an error that says so, or
the outcome when it was the last). A call that began late, or that must not be repeated, is cut off without a word, as
everywhere else: it is begun again, or in doubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ...state.errors import TimedOut
from ..protocol.decider import Invoke

if TYPE_CHECKING:
    from .activation import Activation

SETTLE = 2.0
"""Seconds that calls get to be cut off and their ends to be recorded, at most."""


class Cut(NamedTuple):
    """``since``: calls that began no later (ms since the epoch) have had their share. ``told``: what was up."""

    since: int
    told: str

    def failure(self, call: Invoke, started: int, now: int) -> TimedOut | None:
        """The error of an attempt that is cut off; None when it does not count."""
        if call.policy.at_most_once or started > self.since:
            return None
        return TimedOut(f"{call.name!r} was cut off after {(now - started) / 1000:.0f} s: {self.told}")


async def cut_off(active: Sequence[Activation]) -> None:
    """Cancel all running calls and wait, not for long, until those that count are recorded; what does not end by that
    is left as it is."""
    loop = asyncio.get_running_loop()
    until = loop.time() + SETTLE
    tasks = [task for activation in active for task in activation.effects.cut()]
    if tasks:
        await asyncio.wait(tasks, timeout=max(0.0, until - loop.time()))
    while any(activation.unsettled() for activation in active) and loop.time() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.005)  # no event tells of it
