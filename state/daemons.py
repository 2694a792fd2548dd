"""A pool of threads that never keep a process from ending: at the interpreter's exit nobody waits for them, while
those of ``ThreadPoolExecutor`` are joined there, however long what runs in them may take.

It is an executor for ``loop.run_in_executor`` and ``loop.set_default_executor`` (which takes a ``ThreadPoolExecutor``
and nothing else). Jobs begin in the order in which they came; there are never more than ``limit`` threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, NamedTuple, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class _Job(NamedTuple):
    future: Future[Any]
    call: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


STALLED = 10.0
"""Seconds for which a queue may not move before that is a reason to give the process no more work."""
DEFAULT = 32
"""As many threads as asyncio's own executor has at the most."""


class Daemons(ThreadPoolExecutor):
    """At most ``limit`` daemon threads, made as they are needed.

    A thread is idle until it has taken a job. While there are no more jobs than idle threads, each finds its thread,
    and one that is just done takes the next without having slept.
    """

    def __init__(self, limit: int, name: str) -> None:
        super().__init__(limit, thread_name_prefix=name)
        self._limit = limit
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()  # None sends an idle thread home
        self._lock = threading.Lock()
        self._count = 0
        self._idle = 0
        self._pending = 0  # jobs that no thread has taken
        self._moved = 0.0  # when the queue did so for the last time, while jobs wait for threads that are busy
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("this pool of threads is closed")
            self._pending += 1
            number = 0
            if self._pending > self._idle:
                if self._count < self._limit:
                    self._count += 1
                    self._idle += 1
                    number = self._count
                elif not self._moved:
                    self._moved = monotonic()
            self._jobs.put(_Job(future, fn, args, kwargs))
        if number:
            threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True).start()
        return future

    def numbers(self) -> dict[str, object]:
        """How many threads there are, at most and idle; how many jobs wait for one, and for how many seconds none of
        them has begun."""
        with self._lock:
            return {
                "threads": self._count,
                "idle": max(0, self._idle - self._pending),
                "limit": self._limit,
                "waiting": max(0, self._pending - self._idle),
                "waited": round(monotonic() - self._moved, 1) if self._moved else 0.0,
            }

    def exhausted(self) -> str:
        """Why jobs stand still, when they have done so for a while."""
        with self._lock:
            if not self._moved or monotonic() - self._moved < STALLED:
                return ""
            waiting = self._pending - self._idle
            return f"all {self._limit} threads of the pool {self._name} are taken, {waiting} jobs wait for one"

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more; idle threads end now, busy ones when there is no job left. ``wait`` is not listened to:
        whoever wants to be sure of an outcome waits for its future."""
        dropped: list[_Job] = []
        with self._lock:
            self._closed = True
            while cancel_futures:
                try:
                    job = self._jobs.get_nowait()
                except Empty:
                    break
                if job is not None:
                    self._pending -= 1
                    dropped.append(job)
            for _ in range(self._idle):
                self._jobs.put(None)
        for job in dropped:
            job.future.cancel()

    def _work(self) -> None:
        while (job := self._take()) is not None:
            if not job.future.set_running_or_notify_cancel():
                self._rest()
                continue
            try:
                value = job.call(*job.args, **job.kwargs)
            except BaseException as error:  # noqa: BLE001  # the thread's edge: whoever waits must get an answer
                self._rest()
                job.future.set_exception(error)
            else:
                self._rest()
                job.future.set_result(value)
            del job  # a thread that sleeps keeps nothing of what it has done

    def _take(self) -> _Job | None:
        """The next job for this thread, which is idle; None when it is to end."""
        with self._lock:
            over = self._closed and self._pending < self._idle
        job = None if over else self._jobs.get()
        with self._lock:
            self._idle -= 1
            if job is None:
                self._count -= 1
            else:
                self._pending -= 1
                self._moved = monotonic() if self._pending > self._idle else 0.0
        return job

    def _rest(self) -> None:
        with self._lock:
            self._idle += 1
            if self._pending <= self._idle:
                self._moved = 0.0


def let_go(loop: asyncio.AbstractEventLoop) -> Daemons:
    """Let what ``asyncio.to_thread`` runs on this loop keep no process, and no end of the loop. The pool it runs in."""
    pool = Daemons(DEFAULT, "overwinter-loop")
    loop.set_default_executor(pool)
    return pool
