"""Who listens from elsewhere: for each execution a mark in the store that says until when. Listeners renew theirs;
processes that are about to ask a model look at all of them together, every now and then.

A mark is one key-value entry of the scope ``overwinter.listening``. Who listens costs a write each ten seconds; a
process that asks models costs a read each ``Store.poll`` at the most, and none while it asks none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ...state.errors import InvalidInput, StoreError
from ...state.quantities import seconds
from ...state.records import Value
from ...state.store import Store

SCOPE = "overwinter.listening"
LASTS, RENEWED = 30_000, 10.0
"""Milliseconds that a mark is good for; seconds after which its listener writes it anew."""
_MOST, _CHECKED = 1000, 50

log = logging.getLogger("overwinter")


class Mark:
    """One listener's."""

    def __init__(self, store: Store, execution: str, clock: Callable[[], int]) -> None:
        self._store = store
        self._execution = execution
        self._clock = clock
        self._etag = ""
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Set it and renew it, until it is removed. A store that takes none is listened to without."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            try:
                self._etag = await self._store.put(SCOPE, self._execution, str(self._clock() + LASTS))
            except (StoreError, InvalidInput) as error:
                log.debug("execution %s: nobody is told that it is listened to (%s)", self._execution, error)
            await asyncio.sleep(RENEWED)

    async def remove(self) -> None:
        """Unless somebody else has renewed it since."""
        if self._task is not None:
            self._task.cancel()
        try:
            if self._etag:
                await self._store.remove(SCOPE, self._execution, etag=self._etag)
        except (StoreError, InvalidInput) as error:
            log.debug("execution %s: its mark runs out by itself (%s)", self._execution, error)


class Marks:
    """All of a store, as one process sees them."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._until: dict[str, int] = {}
        self._fresh = seconds(store.poll)
        self._looked = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def include(self, execution: str) -> bool:
        """Whether somebody listens elsewhere."""
        loop = asyncio.get_running_loop()
        if self._looking is None and loop.time() - self._looked > self._fresh:
            self._looking = loop.create_task(self._look())
        if self._looking is not None:
            await asyncio.shield(self._looking)
        return bool(self._until) and self._until.get(execution, 0) > self._clock()

    async def close(self) -> None:
        if self._looking is not None:
            await asyncio.wait([self._looking])

    async def _look(self) -> None:
        try:
            names = list(await self._store.keys(SCOPE, limit=_MOST))
            now = self._clock()
            known = {name: until for name in names if (until := self._until.get(name, 0)) > now}
            for name in [name for name in names if name not in known][:_CHECKED]:
                value = await self._store.get(SCOPE, name)
                if value is not None and (until := _until(value)) > now:
                    known[name] = until
                elif value is not None:
                    await self._store.remove(SCOPE, name, etag=value.etag)
            self._until = known
        except StoreError as error:
            log.debug("nobody knows who listens elsewhere (%s)", error)
        finally:
            self._looked = asyncio.get_running_loop().time()
            self._looking = None


def _until(value: Value) -> int:
    return int(value.value) if value.value.isascii() and value.value.isdigit() else 0
