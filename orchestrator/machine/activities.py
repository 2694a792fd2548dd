"""Tasks of activities: what a state machine wants done by a worker that asks for it.

A task lies in the store, in the place of its activity, until one worker has taken it; nobody else gets it then. What
came of it is told with its token, as of any callback. A worker that is lost with a task is noticed by the state's
``HeartbeatSeconds`` or ``TimeoutSeconds``, as on AWS.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from ...state.codec import dumps, loads
from ...state.errors import EtagMismatch
from ...state.ids import check_name
from ...state.records import FINAL
from ...state.store import Store
from ..governance import tokens
from .running.activity import taken_place, waiting_place

_FIRST, _MOST = 0.05, 1.0
"""Seconds between two looks, at first and at last."""


class ActivityTask(NamedTuple):
    """``token`` completes it, fails it, or shows that it is being worked on."""

    token: str
    input: Any


async def take(store: Store, name: str, wait: float = 0) -> ActivityTask | None:
    """The oldest task of an activity, which is the caller's then; None when there is none within ``wait`` seconds.
    Raises InvalidInput for what can be no name, StoreError."""
    check_name(name, "activity", for_models=False)
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + wait, _FIRST
    while True:
        for key in sorted(await store.keys(waiting_place(name))):
            found = await _whole(store, name, key)
            if found is not None:
                return found
        left = until - loop.time()
        if left <= 0:
            return None
        await asyncio.sleep(min(pause, left))
        pause = min(_MOST, pause * 1.5)


async def _whole(store: Store, name: str, key: str) -> ActivityTask | None:
    """As ``_taken``, but that who goes away meanwhile leaves the task to others."""
    taking = asyncio.ensure_future(_taken(store, name, key))
    try:
        return await asyncio.shield(taking)
    except asyncio.CancelledError:
        found = await taking
        if found is not None:
            told = {"token": found.token, "input": found.input}
            await store.put(waiting_place(name), key, dumps(told))
            await store.remove(taken_place(name), key)
        raise


async def _taken(store: Store, name: str, key: str) -> ActivityTask | None:
    """The task of that key; None when another worker has it, or nobody waits for it any more."""
    value = await store.get(waiting_place(name), key)
    if value is None:
        return None
    told = loads(value.value)
    head = await store.head(tokens.parse(told["token"]).execution)
    mine = head is not None and head.status not in FINAL
    try:
        if mine:
            await store.put(taken_place(name), key, "true", etag="")
    except EtagMismatch:
        mine = False
    await store.remove(waiting_place(name), key)
    return ActivityTask(told["token"], told["input"]) if mine else None
