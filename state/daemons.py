"""A pool of threads that never keep a process from ending: at the interpreter's exit nobody waits for them, while
those of ``ThreadPoolExecutor`` are joined there, however long what runs in them may take.

It is an executor for ``loop.run_in_executor`` and ``loop.set_default_executor`` (which takes a ``ThreadPoolExecutor``
and nothing else). Jobs begin in the order in which they came; there are never more than ``limit`` threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from time import monotonic
from typing import Any, NamedTuple, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class _Job(NamedTuple):
    future: Future[Any]
    call: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    queued: float  # on the monotonic clock


STALLED = 10.0
"""Seconds that a job may wait for a thread before that is a reason to give the process no more work."""
DEFAULT = 32
"""As many threads as asyncio's own executor has at the most."""
_Desk = SimpleQueue["_Job | None"]
"""Where a thread that has nothing to do gets its next job; None sends it home."""


class Daemons(ThreadPoolExecutor):
    """At most ``limit`` daemon threads, made as they are needed."""

    def __init__(self, limit: int, name: str) -> None:
        super().__init__(limit, thread_name_prefix=name)
        self._limit = limit
        self._name = name
        self._count = 0
        self._idle: list[_Desk] = []
        self._waiting: deque[_Job] = deque()
        self._closed = False
        self._lock = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        job = _Job(future, fn, args, kwargs, monotonic())
        with self._lock:
            if self._closed:
                raise RuntimeError("this pool of threads is closed")
            if self._idle:
                self._idle.pop().put(job)
                return future
            if self._count >= self._limit:
                self._waiting.append(job)
                return future
            self._count += 1
            number = self._count
        threading.Thread(target=self._work, args=(job,), name=f"{self._name}-{number}", daemon=True).start()
        return future

    def numbers(self) -> dict[str, object]:
        """How many threads there are, at most and idle, and how many jobs wait for one, the first since when."""
        with self._lock:
            waited = monotonic() - self._waiting[0].queued if self._waiting else 0.0
            return {
                "threads": self._count,
                "idle": len(self._idle),
                "limit": self._limit,
                "waiting": len(self._waiting),
                "waited": round(waited, 1),
            }

    def exhausted(self) -> str:
        """Why jobs stand still, when they have done so for a while."""
        with self._lock:
            if not self._waiting or monotonic() - self._waiting[0].queued < STALLED:
                return ""
            waiting = len(self._waiting)
            return f"all {self._limit} threads of the pool {self._name} are taken, {waiting} jobs wait for one"

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more; idle threads end now, busy ones when their job does. ``wait`` is not listened to:
        whoever wants to be sure of an outcome waits for its future."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            waiting = list(self._waiting) if cancel_futures else []
            if cancel_futures:
                self._waiting.clear()
        for desk in idle:
            desk.put(None)
        for job in waiting:
            job.future.cancel()

    def _work(self, first: _Job) -> None:
        desk: _Desk = SimpleQueue()
        job: _Job | None = first
        while job is not None:
            job = self._do(job, desk) or desk.get()

    def _do(self, job: _Job, desk: _Desk) -> _Job | None:
        """Do a job; the next one if there is one, else this thread is idle when the outcome is known."""
        future = job.future
        if not future.set_running_or_notify_cancel():
            return self._next(desk)
        try:
            value = job.call(*job.args, **job.kwargs)
        except BaseException as error:  # noqa: BLE001  # the thread's edge: whoever waits must get an answer
            following = self._next(desk)
            future.set_exception(error)
        else:
            following = self._next(desk)
            future.set_result(value)
        return following

    def _next(self, desk: _Desk) -> _Job | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            if self._closed:
                desk.put(None)
            else:
                self._idle.append(desk)
            return None


def let_go(loop: asyncio.AbstractEventLoop) -> Daemons:
    """Let what ``asyncio.to_thread`` runs on this loop keep no process, and no end of the loop. The pool it runs in."""
    pool = Daemons(DEFAULT, "overwinter-loop")
    loop.set_default_executor(pool)
    return pool
