"""The two threads of a SqliteStore. Both take jobs from the event loop and give the answers back to it:
the writer all that wait at that moment in one transaction, the reader one by one.

A job is a future, a method and its arguments. One callback on the loop settles the futures of all jobs of a
transaction; nothing is answered before the commit. A job that fails harms no other.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar, TypeVarTuple

from ..errors import OverwinterError
from .commands import Commands
from .failures import translate
from .queries import Queries

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

Job = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]
Outcome = tuple["asyncio.Future[Any]", Any, "OverwinterError | None"]

_BATCH = 512
_CHECKPOINT_AFTER = 1000
"""Jobs between two checkpoints: the log then has some megabytes, quickly read again after a crash."""


class Worker(ABC):
    """A thread that does jobs for the event loop it was made on."""

    def __init__(self, name: str, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        # A daemon, so that a program which forgets to close its store still ends.
        self._thread = threading.Thread(target=self._run, name=f"overwinter-{name}", daemon=True)

    async def start(self) -> None:
        """Raises what ``_open`` raised; the thread has ended then."""
        self._thread.start()
        await self._opened

    def submit(self, method: Callable[[*Arguments], Result], *arguments: *Arguments) -> asyncio.Future[Result]:
        future: asyncio.Future[Result] = self._loop.create_future()
        self._jobs.put((future, method, arguments))
        return future

    async def stop(self) -> None:
        """Do what was handed in, then end."""
        self._jobs.put(None)
        await self._ended
        self._thread.join()

    def _run(self) -> None:
        try:
            self._open()
        except Exception as error:  # noqa: BLE001 - the thread's edge: whoever waits must get an answer
            self._answer([(self._opened, None, translate(error, self._path))])
            return
        self._answer([(self._opened, None, None)])
        get, empty = self._jobs.get, self._jobs.empty
        job: Job | None = get()
        while job is not None:
            batch = [job]
            while len(batch) < _BATCH and not empty() and (job := get()) is not None:
                batch.append(job)
            self._answer(self._perform(batch))
            if job is not None:
                self._rest()
                job = get()
        self._answer([(self._ended, None, self._failure(self._close))])

    def _failure(self, work: Callable[[], object]) -> OverwinterError | None:
        try:
            work()
        except (sqlite3.Error, OSError) as error:
            return translate(error, self._path)
        return None

    def _answer(self, outcomes: list[Outcome]) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._loop.call_soon_threadsafe(_settle, outcomes)

    @abstractmethod
    def _open(self) -> None: ...

    @abstractmethod
    def _perform(self, batch: list[Job]) -> list[Outcome]:
        """Do all jobs of the batch. Never raises."""

    @abstractmethod
    def _rest(self) -> None:
        """What is to be done when nobody waits for an answer."""

    @abstractmethod
    def _close(self) -> None: ...


class Writer(Worker):
    """Changes the file, all waiting jobs in one transaction."""

    def __init__(self, commands: Commands) -> None:
        super().__init__("writer", commands.path)
        self._commands = commands
        self._logged = 0

    def _open(self) -> None:
        self._commands.connect()

    def _perform(self, batch: list[Job]) -> list[Outcome]:
        commands = self._commands
        try:
            commands.begin()
            try:
                outcomes = [_outcome(job) for job in batch]
            except Exception:  # whichever it was, only the culprit is to fail
                if len(batch) == 1:
                    raise
                commands.rollback()
                return [outcome for job in batch for outcome in self._perform([job])]
            commands.commit()
        except Exception as error:  # noqa: BLE001 - the thread's edge: whoever waits must get an answer
            self._failure(commands.rollback)
            failure = translate(error, self._path)
            return [(future, None, failure) for future, _, _ in batch]
        self._logged += len(batch)
        return outcomes

    def _rest(self) -> None:
        # Here and not by SQLite itself, which would do it before it lets the commit return.
        if self._logged >= _CHECKPOINT_AFTER:
            self._logged = 0
            self._failure(self._commands.checkpoint)

    def _close(self) -> None:
        self._commands.close()


class Reader(Worker):
    """Answers questions about the file."""

    def __init__(self, queries: Queries, path: Path) -> None:
        super().__init__("reader", path)
        self._queries = queries

    def _open(self) -> None:
        pass

    def _perform(self, batch: list[Job]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for job in batch:
            try:
                outcomes.append(_outcome(job))
            except Exception as error:  # noqa: BLE001 - the thread's edge: whoever waits must get an answer
                outcomes.append((job[0], None, translate(error, self._path)))
        return outcomes

    def _rest(self) -> None:
        pass

    def _close(self) -> None:
        self._queries.close()


def _outcome(job: Job) -> Outcome:
    future, method, arguments = job
    try:
        return future, method(*arguments), None
    except OverwinterError as refusal:  # by its contract it has changed nothing
        return future, None, refusal


def _settle(outcomes: list[Outcome]) -> None:
    for future, value, error in outcomes:
        if future.done():  # cancelled by whoever waited
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
