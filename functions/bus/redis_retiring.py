"""A subscription that no code has any more leaves its consumer groups in Redis: they are taken away, but only when no
process reads for it, no other store has it, and nothing lies there that it would have taken. Who begins to read says so
before it looks for its groups, and all of them go in one step that looks at that, so no reader finds itself without
them.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .filters import attributes_of
from .redis_partitions import RIGHT
from .redis_place import Place, event_of
from .subscription import Subscription

if TYPE_CHECKING:
    from redis.asyncio import Redis

PAGE = 500
MOST = 100_000
"""Entries that are looked through to find what is unhandled."""
TRIES = 5
_SCRIPT = Path(__file__).with_name("retire.lua").read_text("utf-8")


_SAID = {1: "", -1: "a process reads for it", -2: "processes on another store have it"}


class _Group(NamedTuple):
    stream: str
    pending: int
    delivered: str


class _Looked(NamedTuple):
    """``unhandled`` events, of a group whose stream ends with the entry ``last``; ``more``: there are others behind."""

    unhandled: int
    last: str
    more: bool = False


async def retire(place: Place, redis: Redis, subscription: Subscription, store: str, *, force: bool = False) -> str:
    """Take its groups away, which ``store`` needs no more; why they are kept, "" when there are none any more.
    ``force``: also with what is unhandled. Raises RedisError, OSError."""
    for _ in range(TRIES):
        groups = [one for one in [await _group(place, redis, subscription, n) for n in range(place.partitions)] if one]
        if not groups:
            return ""
        looked = [await _look(redis, group, subscription, force=force) for group in groups]
        unhandled = sum(group.pending for group in groups) + sum(one.unhandled for one in looked)
        if not force and any(one.more for one in looked):
            return f"more than {MOST:,} events have come since somebody read for it"
        if not force and unhandled:
            return f"{unhandled} of its events {'was' if unhandled == 1 else 'were'} not taken"
        said = await _destroy(place, redis, subscription, store, groups, looked)
        if said:
            return _SAID[said]
    return "events come all the time"


async def _group(place: Place, redis: Redis, subscription: Subscription, partition: int) -> _Group | None:
    stream = place.stream(partition)
    if not await redis.exists(stream):
        return None
    groups: Any = await redis.xinfo_groups(stream)
    for one in groups:
        if _text(one["name"]) == subscription.name:
            return _Group(stream, int(one["pending"]), _text(one["last-delivered-id"]))
    return None


async def _look(redis: Redis, group: _Group, subscription: Subscription, *, force: bool) -> _Looked:
    """What has come after what was delivered last."""
    newest: Any = await redis.xrevrange(group.stream, count=1)
    last = _text(newest[0][0]) if newest else ""
    if force or not last:
        return _Looked(0, last)
    unhandled, seen, start = 0, 0, f"({group.delivered}"
    while True:
        entries: Any = await redis.xrange(group.stream, start, last, count=PAGE)
        for id, fields in entries:
            event = event_of(fields)
            unhandled += event is not None and subscription.matches(attributes_of(event))
            start = f"({_text(id)}"
        seen += len(entries)
        if len(entries) < PAGE:
            return _Looked(unhandled, last)
        if seen >= MOST:
            return _Looked(unhandled, last, more=True)


async def _destroy(
    place: Place,
    redis: Redis,
    subscription: Subscription,
    store: str,
    groups: list[_Group],
    looked: list[_Looked],
) -> int:
    heard = int(time.time() * 1000) - int(RIGHT * 2000)
    keys = [place.readers(subscription.name), place.stores(subscription.name), *(group.stream for group in groups)]
    pairs = [each for group, one in zip(groups, looked, strict=True) for each in (group.delivered, one.last)]
    script: Any = redis.register_script(_SCRIPT)
    return int(await script(keys=keys, args=[subscription.name, heard, store, *pairs]))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
