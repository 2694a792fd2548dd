"""Answers that were given, so that whoever asks again gets them: a delivery that is repeated after a crash, or because
its answer was lost, does not ask a provider again, and nothing is paid for twice.

They lie in the store of the function, in one place for each day. A day that is over for long is dropped; nobody repeats
a call after that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from ...state.errors import EtagMismatch, PayloadTooLarge
from ...state.store import Store

PLACE = " answers/"
DAY = 24 * 3600 * 1000
KEPT = 2
"""Days before this one that are looked through, and kept."""


def key_of(function: str, operation: str, body: bytes) -> str:
    """What names a call of a function: the operation that it is of, and all that it asks. Two callers that name their
    executions alike never get each other's answers, unless they ask the same."""
    mark = hashlib.sha256()
    for part in (function.encode(), operation.encode(errors="replace"), body):
        mark.update(len(part).to_bytes(8))
        mark.update(part)
    return mark.hexdigest()


class Memo:
    """The answers of one function's process. ``clock`` gives the time in ms."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._swept = -1

    async def find(self, key: str) -> str | None:
        """The answer to this call, if there is one. Raises StoreError."""
        today = self._clock() // DAY
        for day in range(today, today - KEPT - 1, -1):
            if (found := await self._store.get(_place(day), key)) is not None:
                return found.value
        return None

    async def keep(self, key: str, answer: str) -> str:
        """Keep the answer, unless another process was first: then it is theirs that counts, and that is returned. One
        that the store can't take is not kept. Raises StoreError."""
        today = self._clock() // DAY
        try:
            await self._store.put(_place(today), key, answer, etag="")
        except EtagMismatch:
            return await self.find(key) or answer
        except PayloadTooLarge:
            return answer
        if self._swept != today:
            self._swept = today
            await self._sweep(today)
        return answer

    async def _sweep(self, today: int) -> None:
        after = PLACE
        while scopes := [scope for scope in await self._store.scopes(after, 100) if scope.startswith(PLACE)]:
            for scope in scopes:
                if scope < _place(today - KEPT):
                    while keys := await self._store.keys(scope, limit=1000):
                        for key in keys:
                            await self._store.remove(scope, key)
            after = scopes[-1]


def _place(day: int) -> str:
    return f"{PLACE}{day:08d}"
