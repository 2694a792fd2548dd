"""The sweep: the platform's clock instead of a process that stays awake. Whoever calls takes what is due (timers,
retries, mail of other processes, what a dead process held) and the request stays open while this process works.

A sweep may come at any time, twice, or at several processes at once: each execution is taken by one of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from ..events.http import Mode, mode_of
from ..messages.answer import NO_CONTENT, Answer, json_answer

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime
    from .service import Call

PAUSE = 0.02  # seconds between two looks at what is still active


class Swept(NamedTuple):
    """What came of a sweep."""

    taken: int  # how often an execution was taken up here meanwhile, those included that were active already
    active: int  # those that still are, because the time was over
    next: int | None  # earliest wake time in the store, ms since the epoch; in the past: more is due


async def sweep_for(runtime: Runtime, wait: float | None) -> Swept:
    """Take what is due and work until nothing is active and nothing is due, at most ``wait`` seconds (None: no
    limit). Raises StoreError when the store can't be read; what was taken goes on then."""
    engine = runtime.engine
    clock = asyncio.get_running_loop().time
    until = None if wait is None else clock() + wait
    before = engine.taken - len(engine.active)
    quiet = 0
    # Twice, with a pause: the engine sweeps by itself too, and what it is just taking is neither due nor active yet.
    while quiet < 2:
        taken = await engine.sweep()
        await asyncio.sleep(PAUSE if quiet else 0)
        quiet = 0 if taken or not engine.idle() else quiet + 1
        # Nothing tells of the moment when the last one is at rest.
        while not engine.idle() and (until is None or clock() < until):  # noqa: ASYNC110
            await asyncio.sleep(PAUSE)
        if until is not None and clock() >= until:
            break
    return Swept(engine.taken - before, len(engine.active), await runtime.store.next_wake())


async def sweep(call: Call) -> Answer:
    """POST /sweep, by a scheduler. A plain call is answered with what came of it; a CloudEvent, of any type, without
    a body, because senders of events take a body for a reply event."""
    call.query()
    await call.body()
    swept = await call.patiently(sweep_for(call.runtime, call.wait(call.service.longest_wait)))
    if swept is None:
        return NO_CONTENT  # for a client that has gone
    return json_answer(swept._asdict()) if mode_of(call.headers) is Mode.NONE else NO_CONTENT
