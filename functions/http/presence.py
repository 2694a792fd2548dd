"""Whether a request's client is still there. ``connection`` tells it as soon as it is known; any other ASGI server does
when the request is received from once more, after its body. A wait for an outcome ends with the client, so that what
nobody waits for any more leaves nothing behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from ..messages.answer import Receive, Scope

T = TypeVar("T")

PRESENCE = "overwinter.presence"
"""The Presence in a request's scope; it is missing under servers that are not ours."""

WHOLE = "overwinter.whole"
"""Set in the scope of a request where an answer goes out when it is whole, so that none may go on without an end."""


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


async def while_there(scope: Scope, receive: Receive, work: Awaitable[T]) -> T:
    """Await ``work`` for the client of a request, whose body has been read or means nothing. Raises TimeoutError, and
    cancels it, when the client goes."""
    told: Presence | None = scope.get(PRESENCE)
    if told is not None:
        return await told.during(work)
    presence = Presence()
    listening = asyncio.ensure_future(_listen(receive, presence))
    try:
        return await presence.during(work)
    finally:
        listening.cancel()
        await asyncio.wait([listening])


async def _listen(receive: Receive, presence: Presence) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    presence.end()
