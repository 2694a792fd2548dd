"""Whose turn it is: everything that has been scheduled in one turn of the event loop runs in one callback of it,
in order. A callback for each would cost each of them a handle and a context of its own.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Turning(Protocol):
    """What has turns, as an activation does."""

    def turn(self) -> None: ...


class Turns:
    """The queue of one event loop. A turn that raises does not cost the others theirs."""

    __slots__ = ("_loop", "_next")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._next: list[Turning] = []

    def add(self, one: Turning) -> None:
        """Soon, after those that were added before, in a plain callback of the loop."""
        if not self._next:
            self._loop.call_soon(self._run)
        self._next.append(one)

    def _run(self) -> None:
        mine, self._next = self._next, []
        done = 0
        try:
            for one in mine:
                done += 1
                one.turn()
        finally:
            if done < len(mine):
                self._next = mine[done:] + self._next
                self._loop.call_soon(self._run)
