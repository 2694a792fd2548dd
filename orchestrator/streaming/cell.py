"""What is being said, in the store: one key-value entry under the execution's id, which holds all of it until now and
is written again as more is said. So who reads it never finds a gap, and one answer never a piece of another.

It costs one small write each ``Store.saying`` while somebody listens, less often the longer the answer is, and one when
it is removed. Whoever writes it writes over what it wrote itself; when somebody else has, that one makes the call now.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ...state.errors import EtagMismatch, InvalidInput, StoreError
from ...state.store import Store
from .live import Live, Spoken, read

KEY = " saying"
"""Begins with a space, as no key of a program does that reads like one."""
LARGEST = 200 * 1024
"""Characters that the entry may have; what is said after them comes with the record."""
_ENOUGH = 4 * 1024
"""Characters that are written at once, whenever the last ones were."""
_DOUBLED = 16 * 1024
"""With so many characters it is written half as often."""

log = logging.getLogger("overwinter")


class Cell:
    """The entry of one execution, as this process writes it."""

    def __init__(self, store: Store, execution: str, pause: float, gone: Callable[[str], None]) -> None:
        self._store = store
        self._execution = execution
        self._gone = gone
        self._etag = ""
        self._live: Live | None = None
        self._written = 0  # characters
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._pause = pause
        self.op = ""  # of the call that it holds something of
        self.silent = False  # somebody else writes it now, or it can't be written

    def begin(self, live: Live) -> None:
        """Another answer is being said."""
        self.end()
        self._live, self._written, self.silent = live, 0, False
        self.op = live.op

    def more(self) -> None:
        """Something was said."""
        live = self._live
        if live is None or self.silent or self._task is not None:
            return
        size = live.text + live.reasoning
        if self._timer is None:
            pause = self._pause * (1 + size / _DOUBLED)
            self._timer = asyncio.get_running_loop().call_later(pause, self._write)
        elif self._etag and size - self._written >= _ENOUGH * (1 + size / _DOUBLED):
            self._write()

    def end(self) -> None:
        """Nothing more is said. What was written stays until it is dropped."""
        self._live = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def empty(self) -> bool:
        """Whether nothing of it is in the store, or on its way there."""
        return not self._etag and self._task is None

    def drop(self) -> None:
        """The answer is recorded: the entry goes."""
        before = self._task
        self._task = asyncio.get_running_loop().create_task(self._removed(before))

    async def close(self) -> None:
        """What is on its way arrives."""
        self.end()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        live = self._live
        if live is None or self._task is not None:
            return
        if live.text + live.reasoning > LARGEST:
            self.silent = True
            return
        self._written = live.text + live.reasoning
        self._task = asyncio.get_running_loop().create_task(self._put(live))

    async def _put(self, live: Live) -> None:
        try:
            await self._stored(live)
        except EtagMismatch:
            self.silent = True
        except (StoreError, InvalidInput) as error:  # the answer itself is recorded all the same
            log.debug("execution %s: what is said can't be shown to others (%s)", self._execution, error)
        finally:
            if self._task is asyncio.current_task():
                self._task = None
        if live is self._live and live.text + live.reasoning > self._written:
            self.more()

    async def _stored(self, live: Live) -> None:
        try:
            self._etag = await self._store.put(self._execution, KEY, live.written(), etag=self._etag)
        except EtagMismatch:
            if self._etag:
                raise
            found = await self._store.get(self._execution, KEY)
            before = None if found is None else read(found.value)
            if before is not None and before.op == live.op:
                live.attempt = max(live.attempt, before.attempt + 1)
            etag = "" if found is None else found.etag
            self._etag = await self._store.put(self._execution, KEY, live.written(), etag=etag)

    async def _removed(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        etag, self._etag = self._etag, ""
        try:
            if etag:
                await self._store.remove(self._execution, KEY, etag=etag)
        except StoreError as error:
            log.debug("execution %s: what was said stays until the next answer (%s)", self._execution, error)
        finally:
            if self._task is asyncio.current_task():
                self._task = None
            if self._live is None:
                self._gone(self._execution)
            else:
                self.more()


async def found(store: Store, execution: str) -> Spoken | None:
    """What is being said by whoever makes the call, as far as it was written. Raises StoreError."""
    value = await store.get(execution, KEY)
    return None if value is None else read(value.value)
