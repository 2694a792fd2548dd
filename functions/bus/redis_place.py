"""Where events lie in Redis: streams, one for each partition, and a consumer group on each for every subscription.

| key | what it is |
|---|---|
| ``PREFIX:events:N`` | the stream of partition N; an entry's field ``e`` is an event in its JSON form |
| ``PREFIX:LANE:N`` | the same of events that are meant for one subscription (``calls:FUNCTION``, ``answers:STORE``) |
| ``PREFIX:LANE:N:SUBSCRIPTION`` | which process reads it for that subscription: its name, until it expires |
| ``PREFIX:readers:SUBSCRIPTION`` | the processes that read for it, by when they were last heard of (ms) |
| ``PREFIX:stores:SUBSCRIPTION`` | the stores on which it is announced, also while nobody reads |

An event's partition is that of its ``partitionkey``, so events of one key lie in one stream; without one, of its source
and id. The number of partitions is the same in every process.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ...state.codec import dumps, loads
from ...state.errors import InvalidInput
from ..events.addressed import lane_of
from ..events.event import CloudEvent
from ..events.http import from_json, to_json

if TYPE_CHECKING:
    from redis.asyncio import Redis

PARTITIONS = 8
KEEP = 1_000_000
"""Entries that each stream keeps, about, whether they were read or not."""
SILENCE = 20.0
"""Seconds that a server may say nothing."""
FIELD = b"e"


class Place(NamedTuple):
    """A DSN, read."""

    host: str
    port: int
    tls: bool
    options: Mapping[str, Any]
    prefix: str
    partitions: int
    keep: int
    lane: str = "events"

    def stream(self, partition: int) -> str:
        return f"{self.prefix}:{self.lane}:{partition}"

    def within(self, lane: str) -> Place:
        """The same place for the events of a lane; "": for those that anybody may mean."""
        return self._replace(lane=lane) if lane else self

    def stream_of(self, event: CloudEvent) -> str:
        """The stream that an event lies in."""
        return self.within(lane_of(event)).stream(self.partition_of(event))

    def readers(self, subscription: str) -> str:
        return f"{self.prefix}:readers:{subscription}"

    def stores(self, subscription: str) -> str:
        return f"{self.prefix}:stores:{subscription}"

    def partition_of(self, event: CloudEvent) -> int:
        key = event.partitionkey or f"{event.source}\n{event.id}"
        return zlib.crc32(key.encode()) % self.partitions

    def client(self) -> Redis:
        """A client that is not connected yet."""
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        from ...state.redis.address import fixed

        once = Retry(NoBackoff(), 0)  # what is repeated is repeated here, where it is known what that means
        return Redis(host=self.host, port=self.port, ssl=self.tls, retry=once, **self.options, **fixed(SILENCE))


def read(dsn: str) -> Place:
    """``redis://host:6379/0?prefix=ow&partitions=8&keep=1000000``, or ``rediss://…``. Raises InvalidInput."""
    from ...state.redis.address import parse

    try:
        parts = urlsplit(dsn)
    except ValueError:  # its message may hold the password
        raise InvalidInput("the address of the broker can't be read; write redis://host:6379/0") from None
    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    keep = said.pop("keep", str(KEEP))
    if not keep.isdecimal() or int(keep) < 1:
        raise InvalidInput(f"keep={keep[:20]} of the broker is no number of events; write keep=1000000")
    address = parse(urlunsplit(parts._replace(query=urlencode(said))))
    if address.mode:
        raise InvalidInput(f"{address.name}: events are carried by one Redis server; write redis://host:6379/0")
    ((host, port),) = address.hosts[:1]
    return Place(host, port, address.tls, address.options, address.prefix, address.partitions or PARTITIONS, int(keep))


def event_of(fields: Mapping[Any, Any]) -> CloudEvent | None:
    """That of an entry; None when somebody has put something else there."""
    text = fields.get(FIELD, fields.get(FIELD.decode()))
    try:
        return None if text is None else from_json(loads(text))
    except (InvalidInput, ValueError):
        return None


def written(event: CloudEvent) -> str:
    return dumps(to_json(event))
