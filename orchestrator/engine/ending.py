"""The time that running calls still get after a process was asked to stop: until nothing is active, until the grace
period is over, or until somebody is in a hurry."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Sized
from typing import Protocol

from .cutting import Cut
from .effects import Effects

SETTLE = 2.0
"""Seconds that calls get to be cut off and their ends to be recorded, at most."""


class Running(Protocol):
    """An execution that has calls under way: an activation."""

    effects: Effects

    def unsettled(self) -> bool:
        """Whether something that was told is still to be recorded."""
        ...


class Cutting(Protocol):
    """Who makes the calls."""

    cut: Cut | None


class Ending:
    """Of one engine. ``empty`` is told each time when nothing is active any more."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._hurried = False

    def empty(self) -> None:
        self._changed.set()

    def hurry(self) -> None:
        """Wait no longer; what still runs is handed over as it is."""
        self._hurried = True
        self._changed.set()

    async def wait(self, active: Sized, deadline: float) -> None:
        """Until nothing is in ``active``, at most until ``deadline`` on the loop's clock."""
        loop = asyncio.get_running_loop()
        while active and not self._hurried and loop.time() < deadline:
            self._changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                return


async def cut_off(performer: Cutting, active: Sequence[Running], cut: Cut | None) -> None:
    """Cancel all running calls and wait, not for long, until those that count are recorded; what does not end by that
    is left as it is. Without a ``cut`` only those count for which something is held: they may be billed."""
    active = active if cut is not None else [one for one in active if one.effects.hold()]
    if not active:
        return
    performer.cut = cut or Cut(-1, "the process was stopped")
    loop = asyncio.get_running_loop()
    until = loop.time() + SETTLE
    tasks = [task for activation in active for task in activation.effects.cut()]
    if tasks:
        await asyncio.wait(tasks, timeout=max(0.0, until - loop.time()))
    while any(activation.unsettled() for activation in active) and loop.time() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.005)  # no event tells of it
