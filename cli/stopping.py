"""Who draws on a terminal gives it back while the process is stopped (Ctrl-Z), and takes it again when it goes on
(``fg``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Generator
from typing import Protocol


class Stopped(Protocol):
    """What is done around it."""

    def before(self) -> None: ...
    def after(self) -> None: ...


@contextlib.contextmanager
def stopping(around: Stopped) -> Generator[None]:
    """Around all that draws. Where somebody else takes or ignores the signal, it stays theirs."""
    number = getattr(signal, "SIGTSTP", None)  # Windows has none
    if number is None or signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return
    loop = asyncio.get_running_loop()

    def stop() -> None:
        around.before()
        os.kill(os.getpid(), signal.SIGSTOP)  # it returns when somebody lets the process go on
        around.after()

    try:
        loop.add_signal_handler(number, stop)
    except (NotImplementedError, RuntimeError):  # no loop of ours, or not the main thread
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(number)
