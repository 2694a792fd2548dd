"""A process that is asked to stop ends: within its grace period and a little, whatever its threads and its loop do.

The first SIGTERM or SIGINT asks for an orderly end, a second one for a quick one. Both are heard while the event loop
stands in somebody's Python code, and a thread of its own watches the time: then the process ends without a further word
to anybody, as if it had been killed. (Native code that never lets the interpreter run again is for SIGKILL.)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from queue import Empty, SimpleQueue
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING

from ..orchestrator.engine.standing import standing
from ..state.quantities import span
from .exits import INTERRUPTED, Exit

if TYPE_CHECKING:
    from ..orchestrator.runtime import Runtime

EXTRA = 3.0
"""Seconds beyond the grace period for what is left then: cancelling, telling the store, the interpreter's own end."""


class Ending:
    """The end of one process. ``asked`` is called on the event loop with the number of the signal: 1, 2 …"""

    def __init__(self, grace: float, asked: Callable[[int], None], code: int) -> None:
        self.signals = 0
        self._code = code
        self._over = False
        self._grace = grace
        self._asked = asked
        self._loop = asyncio.get_running_loop()
        self._main = threading.main_thread().ident
        self._deadlines: SimpleQueue[float | None] = SimpleQueue()  # its put may be interrupted by another

    def over(self, code: int) -> None:
        """Everything is handed over; what still keeps the process is nobody's loss. ``code`` is the exit code then."""
        self._over, self._code = True, code

    def heard(self, number: int, frame: FrameType | None) -> None:
        """A signal. Runs between any two instructions of the main thread, so it waits for nothing."""
        self.signals += 1
        self._deadlines.put(monotonic() + (self._grace if self.signals == 1 else 0.0) + EXTRA)
        with contextlib.suppress(RuntimeError):  # the loop was closed: nothing is left to ask
            self._loop.call_soon_threadsafe(self._asked, self.signals)

    def watch(self) -> None:
        """In a thread: wait for the first signal, then for the end of the time."""
        until = self._deadlines.get()
        while until is not None:
            try:
                sooner = self._deadlines.get(timeout=max(0.0, until - monotonic()))
            except Empty:
                self._end()
            else:
                until = None if sooner is None else min(until, sooner)

    def forget(self) -> None:
        self._deadlines.put(None)

    def _end(self) -> None:
        if not self._over:
            where = standing(self._main)
            told = f"error: the process did not stop within {span((self._grace + EXTRA) * 1000)} and ends at once"
            told += f"; its event loop stands in {where}" if where.where else ""
            os.write(2, f"{told}\nWhat it held goes on in another process, as after a crash.\n".encode())
        os._exit(self._code)


@contextlib.contextmanager
def ending_in_time(grace: float, asked: Callable[[int], None], *, code: int) -> Generator[Ending]:
    """Take SIGTERM and SIGINT while inside, and after them until the process has ended. ``code``: the exit code of an
    end by force, until ``over`` says another."""
    ending = Ending(grace, asked, code)
    if threading.current_thread() is not threading.main_thread():
        yield ending  # signals are the main thread's
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, ending.heard) for number in numbers}
    threading.Thread(target=ending.watch, name="overwinter-ending", daemon=True).start()
    try:
        yield ending
    finally:
        if not ending.signals:
            ending.forget()
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.asynccontextmanager
async def stoppable(runtime: Runtime, grace: float, told: str) -> AsyncGenerator[None]:
    """What this task does with the runtime ends at the first signal, as the error that is ``told``, and the runtime is
    closed: in order, or at once at the second."""
    task = asyncio.current_task()

    def stop(number: int) -> None:
        if number > 1:
            runtime.engine.ending.hurry()
        elif task is not None and runtime.ready:  # else it is being closed already
            task.cancel()

    with ending_in_time(grace, stop, code=INTERRUPTED) as ending:
        try:
            yield
        except asyncio.CancelledError:
            if not ending.signals:
                raise
            raise Exit(told, code=INTERRUPTED) from None
        finally:
            await runtime.close()
            ending.over(INTERRUPTED)
