"""Which subscriptions there are on a store, of all processes that have served from it.

One key-value entry names them all, so who publishes reads one thing, and it is written with its etag, so nobody's are
lost. A process announces its own when it starts, and takes back those of the functions it serves that the code does not
have any more. What belongs to a function that nobody serves now stays: its events lie in the store until somebody does.
Two processes that say different things of one subscription, as while a release is rolled out, are both right: the last
one that started is believed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from ...state.codec import dumps, loads
from ...state.errors import EtagMismatch, InvalidInput
from ...state.store import Store
from .place import KEY, PLACE
from .retiring import note
from .subscription import Subscription, from_json

log = logging.getLogger("overwinter")

Known = Mapping[str, Subscription]


async def announce(
    store: Store, own: Mapping[str, Subscription], served: Collection[str], *, kept: bool = False
) -> None:
    """Write down ``own``, of the functions ``served`` here. ``kept``: the broker keeps something for each. Raises
    StoreError."""
    while True:
        found = await store.get(PLACE, KEY)
        before: dict[str, Any] = {} if found is None else loads(found.value)
        after = {name: told for name, told in before.items() if told.get("function") not in served or name in own}
        after |= {name: subscription.as_json() for name, subscription in own.items()}
        if kept and before.keys() - after.keys():
            await note(store, {name: before[name] for name in before.keys() - after.keys()})
        if after == before or await _put(store, after, "" if found is None else found.etag):
            return


async def forget(store: Store, name: str, *, kept: bool = False) -> bool:
    """Take back a subscription that no code has any more. Whether there was one. ``kept``: the broker keeps something
    for each."""
    while True:
        found = await store.get(PLACE, KEY)
        told: dict[str, Any] = {} if found is None else loads(found.value)
        if found is None or (taken := told.pop(name, None)) is None:
            return False
        if kept:
            await note(store, {name: taken})
        if await _put(store, told, found.etag):
            return True


async def _put(store: Store, told: Mapping[str, Any], etag: str) -> bool:
    try:
        await store.put(PLACE, KEY, dumps(told), etag=etag)
    except EtagMismatch:  # another process was faster
        return False
    return True


class Announced:
    """The subscriptions of a store as they are now. Those who ask at the same time share one look."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[asyncio.Future[Known]] = []
        self._looking: asyncio.Task[None] | None = None
        self._etag: str | None = None
        self._known: Known = {}

    async def now(self) -> Known:
        """All that were announced before this was asked. Raises StoreError."""
        waiter: asyncio.Future[Known] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await waiter

    async def _look(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            look = asyncio.ensure_future(self._read())
            await asyncio.wait([look])
            for waiter in waiting:
                if waiter.done():
                    continue
                error = look.exception()
                if error is None:
                    waiter.set_result(look.result())
                else:
                    waiter.set_exception(error)

    async def _read(self) -> Known:
        found = await self._store.get(PLACE, KEY)
        if found is None:
            return {}
        if found.etag != self._etag:
            told = cast("dict[str, dict[str, Any]]", loads(found.value))
            self._known, self._etag = {one.name: one for one in _understood(told.items())}, found.etag
        return self._known


def _understood(told: Iterable[tuple[str, dict[str, Any]]]) -> Iterable[Subscription]:
    for name, one in told:
        try:
            yield from_json(name, one)
        except InvalidInput as error:  # what a newer release has announced harms nobody else's
            log.warning("no event goes to the subscription %r from here: %s", name, error)
