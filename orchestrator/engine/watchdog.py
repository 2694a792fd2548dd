"""A thread that looks whether the event loop still turns. When something holds it longer than ``bound`` (code of a
workflow or an ``async`` step that does not await), it says what and where, once, and again when the loop goes on.

While the loop stands nothing else happens in the process: no lease is renewed, no request is answered, ``/readyz``
neither. Afterwards ``/readyz`` stays at 503 for as long as it stood, at most a minute, so that who only looks now and
then sees it too.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from time import monotonic

from ...state.quantities import span
from .standing import Standing, standing

log = logging.getLogger("overwinter")

AFTERWARDS = 60.0
"""For at most so many seconds after a stand the process is not ready."""


class Watchdog:
    """Of one event loop, that on which it is started. ``bound`` in seconds."""

    def __init__(self, bound: float) -> None:
        self.bound = bound
        self._pause = min(0.5, bound / 8)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watched: int | None = None  # ident of the loop's thread
        self._asked: float | None = None  # since when the loop has not answered
        self._ticks = 0  # how often this thread has run meanwhile: a process that is stopped as a whole has none
        self._held: Standing | None = None  # what was named as holding the loop
        self._last: Standing | None = None
        self._last_seconds = 0.0
        self._last_end = 0.0
        self._times = 0

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        threading.Thread(target=self._watch, name="overwinter-watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def reason(self) -> str:
        """Why no work should come here: the loop stood a short while ago."""
        if self._last is None or monotonic() - self._last_end >= min(AFTERWARDS, self._last_seconds):
            return ""
        return f"the event loop stood for {span(self._last_seconds * 1000)}: {self._last}"

    def numbers(self) -> dict[str, object]:
        """Asked on the loop, so it turns; the answer is about before."""
        last = None
        if self._last is not None:
            last = {
                "where": self._last.where,
                "execution": self._last.execution,
                "call": self._last.call,
                "seconds": round(self._last_seconds, 1),
                "ago": round(monotonic() - self._last_end, 1),
            }
        return {"watchdog": self.bound, "stood": self._times, "last": last}

    # -- in the thread -------------------------------------------------------------------------------

    def _watch(self) -> None:
        loop = self._loop
        while loop is not None and not self._stopped.wait(self._pause):
            with self._lock:
                if not loop.is_running():
                    self._asked = None  # between two runs nothing has to turn
                    continue
                if self._asked is not None:
                    self._look(self._asked)
                    continue
                self._asked, self._ticks = monotonic(), 0
            try:
                loop.call_soon_threadsafe(self._answer)
            except RuntimeError:  # the loop was closed
                return

    def _look(self, since: float) -> None:
        self._ticks += 1
        if self._held is None and self._ticks * self._pause >= self.bound:
            found = standing(self._watched)
            if found.where:  # else it waits, and is only slow to hear
                self._held = found
                log.error(
                    "the event loop has stood for %s, and everything in this process with it: %s",
                    span((monotonic() - since) * 1000),
                    found,
                )

    # -- on the loop ---------------------------------------------------------------------------------

    def _answer(self) -> None:
        with self._lock:
            since, held = self._asked, self._held
            self._asked = self._held = None
            if since is None or held is None:
                return
            self._last, self._last_end, self._last_seconds = held, monotonic(), monotonic() - since
            self._times += 1
        log.warning("the event loop goes on after %s: %s", span(self._last_seconds * 1000), held)
