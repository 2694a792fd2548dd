"""Plain functions in threads: at most ``limit`` at once, begun in the order in which they came, and none of them keeps
the process from ending.

A thread can't be stopped. A call that is given up (its time is over, or nobody wants its outcome any more) leaves its
thread *abandoned*: what it still answers is dropped. It takes no place of the others as long as no more than
``spare`` are abandoned; beyond that each takes a place, until it ends. So there are never more than ``limit + spare``
threads, and when all places are taken by what doesn't end, the log, ``/readyz`` and ``/stats`` say so.

The time of a call counts from its beginning; waiting for a thread is no part of it. A call that was cut off in the
middle (not one whose time was over) is not begun again beside itself: the next attempt waits until the earlier one
has ended.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

from ...state.daemons import Daemons
from ...state.errors import TimedOut
from ...state.quantities import Duration, seconds, span
from .calling import carried

log = logging.getLogger("overwinter")

STALLED = 10.0
"""Seconds that a call may wait for a thread before that is said."""
LOOK = 0.05  # seconds between two looks whether an earlier attempt has ended


class _Outcome(NamedTuple):
    """As a value, because a future takes not every error."""

    value: Any
    error: BaseException | None


class _Job:
    """One call in its thread."""

    __slots__ = ("abandoned", "began", "call", "context", "cut", "ended", "key", "leave", "name", "waiter")

    def __init__(self, name: str, key: str, call: Callable[[], Any], leave: Callable[[_Job], None]) -> None:
        self.leave = leave  # what is to be told of the end, on the event loop
        self.waiter: asyncio.Future[None] | None = None
        self.name = name
        self.key = key
        self.call = call
        self.context = contextvars.copy_context()
        self.began = monotonic()
        self.abandoned = False
        self.cut = False  # abandoned, and its time was not over
        self.ended = False  # written by the thread

    def __call__(self) -> _Outcome:
        try:
            return _Outcome(self.context.run(self.call), None)
        except BaseException as error:  # noqa: BLE001  # the edge to user code: all it raises is an outcome
            return _Outcome(None, error)
        finally:
            self.ended = True

    def tell(self, _: object) -> None:
        self.leave(self)  # also when nobody listens any more
        self.wake()

    def wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class Threads:
    """The threads of one process. One event loop after the other may use them."""

    def __init__(self, limit: int, spare: int) -> None:
        self.limit = limit
        self.spare = spare
        self._jobs: dict[_Job, None] = {}  # whose threads have not ended, oldest first
        self._busy = 0  # places taken by calls that somebody waits for
        self._abandoned = 0
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()  # with the time since when
        self._daemons: Daemons | None = None
        self._look: asyncio.TimerHandle | None = None
        self._told = False  # that the queue stands

    async def run(
        self,
        name: str,
        call: Callable[[], Any],
        *,
        key: str = "",
        timeout: Duration | None = None,
        late: Callable[[str], Exception] = TimedOut,
    ) -> Any:
        """What ``call`` returns or raises. Attempts with the same ``key`` are attempts of one call. Raises what
        ``late`` makes when one takes longer than ``timeout``; TimedOut when it can't begin."""
        limit = None if timeout is None else seconds(timeout)
        if key and self._abandoned:
            await self._outlast(name, key, limit)
        await self._place()
        job = _Job(name, key, call, self._ended)
        try:
            if self._daemons is None:
                self._daemons = Daemons(self.limit + self.spare, "overwinter-call")
            done = asyncio.get_running_loop().run_in_executor(self._daemons, job)
        except BaseException:
            self._busy -= 1
            raise
        self._jobs[job] = None
        done.add_done_callback(job.tell)
        try:
            if not done.done():
                await self._over(job, limit)
        except asyncio.CancelledError:
            self._abandon(job, cut=True)
            raise
        if not done.done():
            self._abandon(job, cut=False)
            raise late(f"{name!r} took longer than {timeout}")
        outcome = done.result()
        if outcome.error is not None:
            raise carried(outcome.error)
        return outcome.value

    async def _over(self, job: _Job, limit: float | None) -> None:
        """Wait until the job has ended, or its time is over. The future itself is not awaited: a cancellation would
        reach it, and then nobody would hear of the end of the thread."""
        loop = asyncio.get_running_loop()
        job.waiter = loop.create_future()
        timer = None if limit is None else loop.call_later(limit, job.wake)
        try:
            await job.waiter
        finally:
            job.waiter = None
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Idle threads end; what runs is left alone. May be used again."""
        if self._daemons is not None:
            self._daemons.shutdown(wait=False)
            self._daemons = None
        if self._look is not None:
            self._look.cancel()
            self._look = None

    # -- what is seen of it --------------------------------------------------------------------------

    def numbers(self) -> dict[str, object]:
        """How many threads there are, and of what."""
        self._purge()
        oldest = next(iter(self._jobs), None)
        longest = None if oldest is None else {"name": oldest.name, "seconds": round(monotonic() - oldest.began, 1)}
        return {
            "busy": self._busy,
            "limit": self.limit,
            "abandoned": self._abandoned,
            "spare": self.spare,
            "waiting": self._queued(),
            "waited": round(self._waited(), 1),
            "longest": longest,
        }

    def exhausted(self) -> str:
        """Why no plain function can begin here; "" while one can, or could soon."""
        self._purge()
        if self._room() or (self._waited() < STALLED and self._busy):
            return ""
        told = f"all {self.limit} threads for plain functions are taken, {self._queued()} calls wait for one"
        if self._abandoned:
            told += f", {self._abandoned} that were given up still run"
        oldest = next(iter(self._jobs), None)
        if oldest is not None:
            told += f"; {oldest.name!r} has run for {span((monotonic() - oldest.began) * 1000)}"
        return told

    # -- places --------------------------------------------------------------------------------------

    def _room(self) -> bool:
        return self._busy + max(0, self._abandoned - self.spare) < self.limit

    async def _place(self) -> None:
        """Wait for a place, in order, and take it."""
        if not self._waiting and self._room():
            self._busy += 1
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append((turn, monotonic()))
        if self._look is None:
            self._look = loop.call_later(STALLED, self._tell)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # given in the same turn of the loop
                self._busy -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and (self._waiting[0][0].done() or self._room()):
            turn, _ = self._waiting.popleft()
            if not turn.done():
                self._busy += 1
                turn.set_result(None)

    def _queued(self) -> int:
        return sum(not turn.done() for turn, _ in self._waiting)

    def _waited(self) -> float:
        """Seconds that the first in the queue has waited."""
        while self._waiting and self._waiting[0][0].done():
            self._waiting.popleft()
        return monotonic() - self._waiting[0][1] if self._waiting else 0.0

    def _tell(self) -> None:
        """While there is a queue, look whether it stands, and say so once."""
        self._look = None
        reason = self.exhausted()
        if self._waiting:
            if reason and not self._told:
                log.error("%s; functions that may hang need a timeout, `threads` and `spare_threads` give more", reason)
            self._told = bool(reason)
            self._look = asyncio.get_running_loop().call_later(max(1.0, STALLED - self._waited()), self._tell)
        else:
            self._told = False

    # -- calls that are given up ---------------------------------------------------------------------

    def _abandon(self, job: _Job, *, cut: bool) -> None:
        job.abandoned, job.cut = True, cut
        self._busy -= 1
        self._abandoned += 1
        if self._abandoned == self.spare + 1:
            log.error(
                "%d calls of plain functions were given up and still run, %r among them; from now on each takes the "
                "place of another call until it ends. What hangs there needs a time limit of its own",
                self._abandoned,
                job.name,
            )
        self._admit()

    def _ended(self, job: _Job) -> None:
        if self._jobs.pop(job, job) is job:
            return  # seen before
        if job.abandoned:
            self._abandoned -= 1
        else:
            self._busy -= 1
        self._admit()

    def _purge(self) -> None:
        """Forget what has ended after its event loop, which could not hear of it."""
        if self._abandoned:
            for job in [job for job in self._jobs if job.abandoned and job.ended]:
                self._ended(job)

    async def _outlast(self, name: str, key: str, limit: float | None) -> None:
        """Wait until no attempt of this call that was cut off still runs."""
        self._purge()
        if not self._still_runs(key):
            return
        log.warning("%r of %s was cut off and still runs; its next attempt waits for that", name, key)
        try:
            async with asyncio.timeout(limit):
                while self._still_runs(key):  # noqa: ASYNC110  # it may have begun under another event loop
                    await asyncio.sleep(LOOK)
        except TimeoutError:
            told = f"an attempt of {name!r} that was cut off still runs, and it is not begun again beside it"
            raise TimedOut(told) from None

    def _still_runs(self, key: str) -> bool:
        return any(job.cut and job.key == key and not job.ended for job in self._jobs)
