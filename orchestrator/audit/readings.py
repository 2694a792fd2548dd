"""Readings that are acts: who reads the audit, proves it, or takes data away, is in the store's chain before that.

Whoever asks again and again makes the chain no longer: the same reading (what, on what, by whom) is told once an hour,
and after MOST different ones in an hour one record says that there are more. What was told is remembered in one value,
written after the record, so that a crash between may tell a reading twice, and never not at all.

Who looks changes nothing else: a store that can't be written (a copy that only reads), that has moved, that is empty,
or whose chain is damaged or sealed with a lost key, is read without a record.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

from ...state.codec import cleaned, dumps, loads
from ...state.errors import EtagMismatch, StoreCorrupt, StoreReadOnly, StoreSealed
from ...state.ids import READINGS
from ...state.store import Store
from ..protocol.clock import present
from ..protocol.moved import read_mark
from . import store_chain

HOUR = 3_600_000
MOST = 500
"""Different readings that are told in an hour."""
KEY = "hour"
MORE = "more"
"""What is remembered when it was told that there are more."""


class _Told(NamedTuple):
    """What was told in an hour, and the etag of the value that says so."""

    seen: Collection[str]
    etag: str | None  # None: it can't be read, and is written over


async def reading(store: Store, what: str, on: str = "store", *, by: str = "", **more: Any) -> None:
    """Write down that somebody is about to read. Raises StoreError."""
    at = await present(store)
    with suppress(StoreReadOnly, StoreSealed, StoreCorrupt):
        if not await _recorded(store):
            return
        hour, told = at // HOUR, await _told(store, at // HOUR)
        mark = sha256(dumps(cleaned([what, on, by])).encode()).hexdigest()[:16]
        if mark in told.seen or MORE in told.seen:
            return
        if len(told.seen) < MOST:
            await store_chain.add(store, what, on, at=at, by=by, **more)
        else:
            mark = MORE
            await store_chain.add(store, "audit.more", "store", at=at, reason=f"more than {MOST} readings in an hour")
        with suppress(EtagMismatch):  # another one was told at this moment: this one may be once more
            await store.put(READINGS, KEY, dumps({"hour": hour, "seen": [*told.seen, mark]}), etag=told.etag)


async def _recorded(store: Store) -> bool:
    """Whether there is anything to read, and it is this store's to say so."""
    if await read_mark(store) is not None:
        return False
    return await store_chain.begun(store) or any((await store.counts()).values())


async def _told(store: Store, hour: int) -> _Told:
    try:
        found = await store.get(READINGS, KEY)
    except StoreSealed:  # with a key that was given up
        return _Told((), None)
    if found is None:
        return _Told((), "")
    try:
        told = loads(found.value)
        seen = [str(one) for one in told["seen"]] if told["hour"] == hour else []
    except (ValueError, TypeError, KeyError):
        seen = []
    return _Told(seen, found.etag)
