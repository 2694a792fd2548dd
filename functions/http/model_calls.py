"""Calls of model functions that are under way in one app: each is made once, however often it is asked for meanwhile,
and goes on although nobody listens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from ...state.codec import dumps
from ...state.errors import StoreError
from ..messages.problem import Settled, settle
from ..models.memo import Memo
from ..models.port import Delta, Request

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime
    from ..models.function import ModelFunction

log = logging.getLogger("overwinter.http")
ALIVE = 15.0
"""Seconds of silence after which a client is told that the call still goes on."""


class Running:
    """A call that is being made. ``outcome`` is what came of it, as JSON text or an error."""

    def __init__(self) -> None:
        self.pieces: list[Delta] = []
        self.outcome: asyncio.Task[Settled[str]] | None = None
        self._more = asyncio.Event()

    def say(self, piece: Delta) -> None:
        self.pieces.append(piece)
        self._more.set()

    async def told(self, task: asyncio.Task[Settled[str]]) -> AsyncIterator[Delta | None]:
        """All pieces from the first on, until there is an outcome; None in place of a long silence."""
        done = 0
        while True:
            while done < len(self.pieces):
                yield self.pieces[done]
                done += 1
            if task.done():
                return
            self._more.clear()
            more = asyncio.ensure_future(self._more.wait())
            await asyncio.wait([more, task], timeout=ALIVE, return_when=asyncio.FIRST_COMPLETED)
            more.cancel()
            if done == len(self.pieces) and not task.done():
                yield None


class Models:
    """The calls of one app that are under way, and the answers that are kept."""

    def __init__(self, runtime: Runtime) -> None:
        self.memo = Memo(runtime.store, runtime.clock)
        self._under_way: dict[str, Running] = {}
        self._tasks: set[asyncio.Task[Settled[str]]] = set()

    async def find(self, key: str) -> str | None:
        try:
            return await self.memo.find(key)
        except StoreError as error:
            log.warning("the answers that are kept can't be read (%s); the model is asked", error)
            return None

    def call(self, function: ModelFunction, request: Request, key: str) -> Running:
        """The call, which is begun unless it is under way. Without a ``key`` it is one of its own."""
        if key and (found := self._under_way.get(key)) is not None:
            return found
        running = Running()
        task = running.outcome = asyncio.create_task(settle(self._made(function, request, key, running)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if key:
            self._under_way[key] = running
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return running

    async def finish(self, seconds: float) -> None:
        """Wait for the calls that are under way, which are paid for: so long at the most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def _made(self, function: ModelFunction, request: Request, key: str, running: Running) -> str:
        record: str = dumps((await function.stream(request, running.say)).record())
        if key:
            try:
                return await self.memo.keep(key, record)
            except StoreError as error:
                log.warning("an answer of the model function %s could not be kept: %s", function.name, error)
        return record
