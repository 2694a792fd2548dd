"""The end of one server, as its requests see it. Who waits for the outcome of what is durable is told so (202) when the
time for open requests is over; who comes to nothing before that is told to come again (503). Nobody is cut off without
a word, and no trace of it in the log looks like a defect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from ..messages.problem import Refused, Whose
from .presence import Presence

T = TypeVar("T")


class Closing:
    """One app's."""

    def __init__(self) -> None:
        self._waits = Presence()
        self.begun = False

    def begin(self) -> None:
        """The server takes no new requests; from now on a request that is cancelled is cancelled by it."""
        self.begun = True

    def cut(self) -> None:
        """The time for open requests is over."""
        self.begun = True
        self._waits.end()

    async def during(self, work: Awaitable[T]) -> T:
        """Await ``work`` for an outcome. Raises TimeoutError, and cancels it, when the server can't wait any more."""
        try:
            return await self._waits.during(work)
        except asyncio.CancelledError:
            if not self.cancelled():
                raise
            raise TimeoutError from None

    def cancelled(self) -> bool:
        """Whether a cancellation was the server's: it counts as answered then, and the request may still be."""
        task = asyncio.current_task()
        if not self.begun or task is None:
            return False
        task.uncancel()
        return True


def cut_off() -> Refused:
    """What is said to a request that the server's end has cut off before anything was known to be durable."""
    refused = Refused(503, "the server stops and could not finish this; send it again")
    refused.whose = Whose.FAULT
    return refused
