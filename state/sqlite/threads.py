"""The two threads of a SqliteStore. Both take jobs from the event loop and give the answers back to it:
the writer all that wait at that moment in one transaction, the reader one by one.

A change that comes alone, while nothing else is under way and the disk is quick, is committed where it stands,
on the loop: handing it to the thread and back would take half as long again as the commit itself.

A job is a future, a method and its arguments. One callback on the loop settles the futures of all jobs of a
transaction; nothing is answered before the commit. A job that fails harms no other.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
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
_BITS = 11
"""Transactions of 1, 2 to 3, 4 to 7 … 512 to 1023 and more jobs are counted apart."""
_QUICK = 0.001
"""Seconds that a commit may take on the loop. On a slower disk every change goes to the thread."""
_PROBE = 256
"""After so many jobs that a slow disk has sent to the thread, the disk gets another chance."""
_CHECKPOINT_AFTER = 1000, 250
"""Jobs or transactions between two checkpoints. The log then has some megabytes, quickly read again after a crash.
As long as its file grows, a commit takes twice as long (the file system notes the growth), so under a light load
it begins anew early."""


class Worker(ABC):
    """A thread that does jobs for the event loop it was made on."""

    def __init__(self, name: str, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._jobs: SimpleQueue[list[Job] | None] = SimpleQueue()  # those of one turn of the loop together
        # A daemon, so that a program which forgets to close its store still ends.
        self._thread = threading.Thread(target=self._run, name=f"overwinter-{name}", daemon=True)

    async def start(self) -> None:
        """Raises what ``_open`` raised; the thread has ended then."""
        self._thread.start()
        await self._opened

    def submit(self, method: Callable[[*Arguments], Result], *arguments: *Arguments) -> asyncio.Future[Result]:
        future: asyncio.Future[Result] = self._loop.create_future()
        self._jobs.put([(future, method, arguments)])
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
        jobs = get()
        while jobs is not None:
            batch = jobs
            while len(batch) < _BATCH and not empty() and (jobs := get()) is not None:
                batch += jobs
            self._answer(self._perform(batch))
            if jobs is not None:
                self._rest()
                jobs = get()
        self._answer([(self._ended, None, self._failure(self._close))])

    def _failure(self, work: Callable[[], object]) -> OverwinterError | None:
        try:
            work()
        except (sqlite3.Error, OSError) as error:
            return translate(error, self._path)
        return None

    def _answer(self, outcomes: list[Outcome]) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._answered, outcomes)

    def _answered(self, outcomes: list[Outcome]) -> None:
        """Back on the loop."""
        _settle(outcomes)

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
        self._logged = (0, 0)  # jobs and transactions since the last checkpoint
        self._waiting: list[Job] = []  # of this turn of the loop
        self._under_way = 0  # jobs handed to the thread and not yet answered
        self.jobs = 0  # all that were done
        self.batches = [0] * (_BITS + 1)  # transactions by the bits of how many jobs they had; the last: more
        self._slow = 0  # jobs that still go to the thread because the disk was slow
        self._connection_free = threading.Lock()  # not while the thread checkpoints

    def submit(self, method: Callable[[*Arguments], Result], *arguments: *Arguments) -> asyncio.Future[Result]:
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting.append((future, method, arguments))
        if len(self._waiting) == 1:
            self._loop.call_soon(self._hand_over)
        return future

    async def stop(self) -> None:
        self._hand_over()
        await super().stop()

    def _hand_over(self) -> None:
        jobs, self._waiting = self._waiting, []
        if len(jobs) == 1 and not self._under_way and self._do_promptly(jobs):
            return
        if jobs:
            self._under_way += len(jobs)
            self._jobs.put(jobs)

    def _do_promptly(self, jobs: list[Job]) -> bool:
        """Commit on the loop. False when another process has the file, or waiting for the disk takes too long."""
        if self._slow:
            self._slow -= 1
            return False
        if not self._connection_free.acquire(blocking=False):
            return False
        try:
            started = time.perf_counter()
            if not self._commands.begin_at_once():
                return False
            outcomes = self._finish(jobs)
        finally:
            self._connection_free.release()
        if time.perf_counter() - started > _QUICK:
            self._slow = _PROBE
        _settle(outcomes)
        if self._is_long():
            self._under_way += 1
            self._jobs.put([(self._loop.create_future(), _nothing, ())])  # the thread rests after it
        return True

    def _answered(self, outcomes: list[Outcome]) -> None:
        self._under_way -= len(outcomes)
        _settle(outcomes)

    def _open(self) -> None:
        self._commands.connect()
        self._under_way += 1  # the answer to the opening, like any other

    def _perform(self, batch: list[Job]) -> list[Outcome]:
        try:
            self._commands.begin()
        except Exception as error:  # noqa: BLE001 - the thread's edge: whoever waits must get an answer
            return self._refused(batch, error)
        return self._finish(batch)

    def _finish(self, batch: list[Job]) -> list[Outcome]:
        """Do the jobs of a transaction that has begun, and commit it."""
        commands = self._commands
        try:
            try:
                outcomes = self._outcomes(batch)
            except Exception:  # whichever it was, only the culprit is to fail
                if len(batch) == 1:
                    raise
                commands.rollback()
                return [outcome for job in batch for outcome in self._perform([job])]
            commands.commit()
        except Exception as error:  # noqa: BLE001 - the thread's edge: whoever waits must get an answer
            return self._refused(batch, error)
        jobs, transactions = self._logged
        self._logged = (jobs + len(batch), transactions + 1)
        self.jobs += len(batch)
        self.batches[min(len(batch).bit_length(), _BITS)] += 1
        return outcomes

    def _outcomes(self, batch: list[Job]) -> list[Outcome]:
        """Appends that stand together and are of different executions are made together."""
        outcomes: list[Outcome] = []
        append, place = self._commands.append, 0
        while place < len(batch):
            ids: set[str] = set()
            end = place
            while end < len(batch) and batch[end][1] == append and (id := batch[end][2][0].id) not in ids:
                ids.add(id)
                end += 1
            if end - place < 2:
                outcomes.append(_outcome(batch[place]))
                place += 1
                continue
            together = batch[place:end]
            for job, made in zip(together, self._commands.append_all([job[2][0] for job in together]), strict=True):
                outcomes.append((job[0], None, made) if isinstance(made, OverwinterError) else (job[0], made, None))
            place = end
        return outcomes

    def _refused(self, batch: list[Job], error: Exception) -> list[Outcome]:
        self._failure(self._commands.rollback)
        failure = translate(error, self._path)
        return [(future, None, failure) for future, _, _ in batch]

    def _rest(self) -> None:
        # Here and not by SQLite itself, which would do it before it lets the commit return.
        if self._is_long():
            with self._connection_free:
                self._logged = (0, 0)
                self._failure(self._commands.checkpoint)

    def _is_long(self) -> bool:
        return self._logged[0] >= _CHECKPOINT_AFTER[0] or self._logged[1] >= _CHECKPOINT_AFTER[1]

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


def _nothing() -> None:
    """A job that changes nothing."""


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
