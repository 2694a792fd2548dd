"""Whether a request's client is still there, where the server tells (``connection`` does). A wait for an outcome ends
with the client, so that requests which nobody waits for any more leave nothing behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from ..messages.answer import Scope

T = TypeVar("T")

PRESENCE = "overwinter.presence"
"""The Presence in a request's scope; it is missing where the server can't tell."""


class Presence:
    """One client's, for as long as its connection lasts."""

    def __init__(self) -> None:
        self._waits: set[asyncio.Timeout] = set()
        self._gone = False

    def end(self) -> None:
        """The client has gone away."""
        self._gone = True
        now = asyncio.get_running_loop().time()
        for wait in self._waits:
            wait.reschedule(now)

    async def during(self, work: Awaitable[T]) -> T:
        """Await ``work``. Raises TimeoutError, and cancels it, when the client goes."""
        async with asyncio.timeout(0 if self._gone else None) as wait:
            self._waits.add(wait)
            try:
                return await work
            finally:
                self._waits.discard(wait)


async def while_there(scope: Scope, work: Awaitable[T]) -> T:
    """Await ``work`` for the client of a request. Raises TimeoutError, and cancels it, when the client goes."""
    presence: Presence | None = scope.get(PRESENCE)
    return await (work if presence is None else presence.during(work))
