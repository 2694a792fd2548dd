"""The time that running calls still get after a process was asked to stop: until nothing is active, until the grace
period is over, or until somebody is in a hurry."""

from __future__ import annotations

import asyncio
from collections.abc import Sized


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
