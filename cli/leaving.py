"""Who draws on a terminal leaves it as it was, also when it is told to go: SIGTERM and SIGHUP end the work inside,
whose contexts bring cursor and screen back, and then the process as they ever do.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Generator

_TOLD = ("SIGTERM", "SIGHUP")


@contextlib.contextmanager
def leaving() -> Generator[None]:
    """Around all that draws, in the task that does. A signal that somebody else takes or ignores stays theirs."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    heard: list[int] = []

    def end(number: int) -> None:
        heard.append(number)
        if task is not None:
            task.cancel()

    taken: list[int] = []
    for name in _TOLD:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with contextlib.suppress(NotImplementedError, RuntimeError):  # no loop of ours, or not the main thread
                loop.add_signal_handler(number, end, number)
                taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
        if heard:
            signal.raise_signal(heard[0])
