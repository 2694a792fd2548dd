"""Events that a broker still has: read once more, by when they were published.

Redis Streams keep what was published until it is trimmed, whether it was taken or not. The store as a broker keeps
none: an event is in the mailboxes of its subscribers, and in their journals.
"""

from __future__ import annotations

import heapq
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

from ...state.codec import loads
from ...state.errors import BrokerUnavailable, InvalidInput
from ..events.event import CloudEvent
from ..events.http import from_json
from .opening import open_broker
from .redis_place import FIELD, Place, read

_PAGE = 500
_WAIT = 1000
_LAST = 2**64 - 1
"""The last number that an entry of a millisecond can have."""
Reached = dict[Any, Any]
"""By stream, the id of the last entry that was read."""


class Kept(NamedTuple):
    """An event, and when it was published (milliseconds since 1970)."""

    at: int
    event: CloudEvent


def retaining(dsn: str) -> Place:
    """Where the broker of ``dsn`` keeps its events. Raises InvalidInput when it keeps none."""
    if dsn.strip().partition("://")[0] not in ("redis", "rediss"):
        open_broker(dsn)  # which says so when there is no such broker at all
        raise InvalidInput("this broker keeps no events; those that do are redis://… (--broker or OVERWINTER_BROKER)")
    return read(dsn.strip())


async def kept(place: Place, first: int, last: int, reached: Reached | None = None) -> AsyncGenerator[Kept]:
    """Those published from ``first`` to ``last``, in the order of their times. Where it has come to in each stream it
    writes into ``reached``. Raises BrokerUnavailable."""
    from redis.exceptions import RedisError

    redis = place.client()
    try:
        streams = [place.stream(partition) for partition in range(place.partitions)]
        pages = [_pages(redis, stream, first, last, {} if reached is None else reached) for stream in streams]
        heads: list[tuple[tuple[int, int], int, Kept]] = []
        for number, page in enumerate(pages):
            async for id, one in page:
                heads.append((id, number, one))
                break
        heapq.heapify(heads)
        while heads:
            _, number, one = heapq.heappop(heads)
            yield one
            async for id, following in pages[number]:
                heapq.heappush(heads, (id, number, following))
                break
    except (RedisError, OSError) as error:
        raise BrokerUnavailable(f"Redis is out of reach: {error}") from None
    finally:
        await redis.aclose()


async def following(place: Place, reached: Reached | None = None) -> AsyncGenerator[Kept]:
    """Those that are published from now on, or after what was ``reached``. Raises BrokerUnavailable."""
    from redis.exceptions import RedisError

    redis = place.client()
    streams: dict[Any, Any] = dict(reached or {})
    try:
        for stream in (place.stream(partition) for partition in range(place.partitions)):
            if stream in streams:
                continue
            # "$" would mean another moment with each read
            last: Any = await redis.xrevrange(stream, count=1)
            streams[stream] = last[0][0] if last else "0-0"
        while True:
            found: Any = await redis.xread(streams, count=_PAGE, block=_WAIT)
            for stream, entries in found or ():
                for id, fields in entries:
                    streams[stream.decode()] = id
                    one = _kept(id, fields)
                    if one is not None:
                        yield one
    except (RedisError, OSError) as error:
        raise BrokerUnavailable(f"Redis is out of reach: {error}") from None
    finally:
        await redis.aclose()


async def _pages(
    redis: Any, stream: str, first: int, last: int, reached: Reached
) -> AsyncGenerator[tuple[tuple[int, int], Kept]]:
    start, reached[stream] = str(first), f"{max(first - 1, 0)}-{_LAST}"
    while True:
        entries: Any = await redis.xrange(stream, start, last, count=_PAGE)
        if entries:
            reached[stream] = entries[-1][0]
        for id, fields in entries:
            one = _kept(id, fields)
            if one is not None:
                yield _number(id), one
        if len(entries) < _PAGE:
            return
        start = "(" + entries[-1][0].decode()


def _number(id: bytes) -> tuple[int, int]:
    at, _, sequence = id.decode().partition("-")
    return int(at), int(sequence)


def _kept(id: bytes, fields: dict[bytes, bytes]) -> Kept | None:
    try:
        return Kept(_number(id)[0], from_json(loads(fields[FIELD])))
    except (KeyError, ValueError, InvalidInput):
        return None  # somebody has put something else there
