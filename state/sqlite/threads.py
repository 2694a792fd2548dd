"""The two threads of a SqliteStore. Both take jobs from the event loop and give the answers back to it:
the writer all that wait at that moment in one transaction, the reader one by one.

A job is a future, a method and its arguments. When a transaction is done, one callback on the loop settles
the futures of all its jobs; nothing is answered before the commit.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar, TypeVarTuple

from ..errors import OverwinterError, StoreUnavailable
from .commands import Commands
from .failures import translate
from .queries import Queries

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

Job = tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]
Outcome = tuple[asyncio.Future[Any], Any, BaseException | None]

_CHECKPOINT_AFTER = 1000
"""Jobs between two checkpoints: the log then has some megabytes, quickly read again after a crash."""


class Writer:
    """Changes the file, with group commit. ``catch_up`` is called on this thread when the log has grown."""

    def __init__(self, commands: Commands, catch_up: Callable[[], None]) -> None:
        self._commands = commands
        self._catch_up = catch_up
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._since_checkpoint = 0
        self._ended = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="overwinter-writer", daemon=True)

    async def start(self) -> None:
        """Open the file. Raises StoreError branches."""
        opened: asyncio.Future[None] = self._loop.create_future()
        self._jobs.put((opened, self._commands.connect, ()))
        self._thread.start()
        await opened

    def submit(
        self, method: Callable[[*Arguments], Result], *arguments: *Arguments
    ) -> asyncio.Future[Result]:
        future: asyncio.Future[Result] = self._loop.create_future()
        self._jobs.put((future, method, arguments))
        return future

    async def stop(self) -> None:
        """Do what was handed in, then close the file."""
        self._jobs.put(None)
        await self._ended
        self._thread.join()
