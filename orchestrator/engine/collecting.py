"""Python's garbage collector, while a runtime is open.

An execution at work makes some hundred objects and is freed without the collector, so a process with many of them has
nothing to be collected, yet by default is walked through after every 700 new ones. With a higher threshold a step takes
a tenth less processor time, and a turn of a thousand agents at once, with 170,000 objects in flight, a third. It holds
for the whole process, so it is put back when the last runtime is closed, and who has set a threshold of his own keeps
it.
"""

from __future__ import annotations

import gc
import threading

DEFAULTS = (700, 2000)
"""Python's own thresholds, by release; whoever has another one has chosen it."""

HEAVY = 32 * 1024 * 1024
"""Bytes of what was sent, after which new garbage is looked for whatever the thresholds say."""
_WHOLE = 4
"""… so often new garbage, and then all."""

_lock = threading.Lock()
_wanted: list[int] = []  # one for each open runtime
_sent = _looks = 0
_before = 0  # what was there when the first of them was opened


def begin(threshold: int) -> None:
    """Look for garbage after so many new objects; 0: leave it as it is. Each call is followed by one of ``end``."""
    global _before
    with _lock:
        now = max(_wanted, default=0) or gc.get_threshold()[0]
        _before = _before if _wanted else now
        _wanted.append(threshold)
        _change(now)


def end(threshold: int) -> None:
    """What ``begin`` was called with is no longer wanted."""
    with _lock:
        now = max(_wanted) or _before
        _wanted.remove(threshold)
        _change(now)


def weigh(size: int) -> None:
    """So many bytes were sent and answered. Clients of HTTP hold what they have sent in circles, which nothing but the
    collector frees; it counts objects, and few of them may hold everything that there is."""
    global _sent, _looks
    _sent += size
    if _sent >= HEAVY:
        _sent, _looks = 0, _looks + 1
        gc.collect(1 if _looks % _WHOLE else 2)


def _change(now: int) -> None:
    """To what is wanted, unless somebody else has changed it from what it should be."""
    first, *rest = gc.get_threshold()
    if first == now and _before in DEFAULTS:
        gc.set_threshold(max(_wanted, default=0) or _before, *rest)
