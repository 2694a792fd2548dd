"""Who listens from elsewhere: for each execution a mark in the store that says until when. Listeners renew theirs;
processes that are about to ask a model look at all of them together, every now and then.

A mark is one key-value entry of the scope ``overwinter.listening``, whose key says until when and to what, so that a
listing tells all. Who listens costs a write each ten seconds; a
process that asks models costs a read each ``Store.poll`` at the most, and none while it asks none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ...state.errors import InvalidInput, StoreError
from ...state.quantities import seconds
from ...state.store import Store

SCOPE = "overwinter.listening"
LASTS, RENEWED = 30_000, 10.0
"""Milliseconds that a mark is good for; seconds after which its listener writes it anew."""
_MOST, _OUTDATED = 10_000, 100
"""Marks that are looked at together, and of those that have run out, how many are removed at a look."""
_DIGITS = 15

log = logging.getLogger("overwinter")


class Mark:
    """One listener's."""

    def __init__(self, store: Store, execution: str, clock: Callable[[], int]) -> None:
        self._store = store
        self._execution = execution
        self._clock = clock
        self._key = ""
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Set it and renew it, until it is removed. A store that takes none is listened to without."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            await self._set(f"{self._clock() + LASTS:0{_DIGITS}d} {self._execution}")
            await asyncio.sleep(RENEWED)

    async def remove(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            await self._set("")

    async def _set(self, key: str) -> None:
        """In the place of the one before."""
        before, self._key = self._key, key
        try:
            if key:
                await self._store.put(SCOPE, key, "")
            if before:
                await self._store.remove(SCOPE, before)
        except (StoreError, InvalidInput) as error:
            log.debug("execution %s: nobody is told whether it is listened to (%s)", self._execution, error)


class Marks:
    """All of a store, as one process sees them."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._until: dict[str, int] = {}
        self._fresh = seconds(store.poll)
        self._looked = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._seen = asyncio.Event()  # by the look that is under way

    async def include(self, execution: str) -> bool:
        """Whether somebody listens elsewhere."""
        loop = asyncio.get_running_loop()
        if self._looking is None and loop.time() - self._looked > self._fresh:
            self._seen = asyncio.Event()
            self._looking = loop.create_task(self._look())
        if self._looking is not None:
            await self._seen.wait()  # not for the task: who stops waiting does not stop it, and a thousand may wait
        return bool(self._until) and self._until.get(execution, 0) > self._clock()

    async def close(self) -> None:
        if self._looking is not None:
            await asyncio.wait([self._looking])

    async def _look(self) -> None:
        try:
            names = list(await self._store.keys(SCOPE, limit=_MOST))
            now, known, outdated = self._clock(), dict[str, int](), list[str]()
            for name in names:
                until, _, execution = name.partition(" ")
                if until.isascii() and until.isdigit() and int(until) > now:
                    known[execution] = int(until)
                else:
                    outdated.append(name)
            self._until = known
            for name in outdated[:_OUTDATED]:
                await self._store.remove(SCOPE, name)
        except StoreError as error:
            log.debug("nobody knows who listens elsewhere (%s)", error)
        finally:
            self._looked = asyncio.get_running_loop().time()
            self._looking = None
            self._seen.set()
