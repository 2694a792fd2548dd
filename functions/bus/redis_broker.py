"""Redis Streams as the broker: events lie in streams, every subscription is a consumer group on each.

An event is published when it is in its stream; what is published at the same moment travels together. It is confirmed
for a subscription (XACK) when it is durable at the subscriber, so a reader that dies leaves it pending, and whoever
reads the partition next begins with what is pending. A partition is read for one subscription by one process at a time
(``redis_partitions``), in its order: events of one key are taken in the order in which they were published. A reader
that stood still for longer than its right to read may take an event once more, and then it is known as taken.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from ...state.errors import BrokerUnavailable
from ..events.event import CloudEvent
from .broker import Subscribers
from .redis_place import FIELD, Place, read, written
from .redis_reading import Reading
from .retiring import identity
from .subscription import Subscription

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger("overwinter")

TOGETHER = 500
"""Events that travel together at the most."""


class RedisBroker:
    """Carries events by one Redis server. Raises InvalidInput for a DSN that can't be."""

    no_calls = ""

    def __init__(self, dsn: str) -> None:
        self.place: Place = read(dsn)
        self._redis: Redis | None = None
        self._waiting: list[tuple[str, str, asyncio.Future[None]]] = []  # the stream, the event in its JSON form
        self._sending: asyncio.Task[None] | None = None
        self._readings: list[Reading] = []

    async def open(self, subscribers: Subscribers) -> None:
        self._redis = redis = self.place.client()
        own, take = subscribers.own.values(), subscribers.take
        store = await identity(subscribers.store) if own else ""
        self._readings = [Reading(self.place, redis, one, take, store) for one in own]
        await asyncio.gather(*(reading.subscribe() for reading in self._readings))
        for reading in self._readings:
            subscribers.spawn(reading.keep_on())

    async def publish(self, event: CloudEvent) -> None:
        stream, text = self.place.stream_of(event), written(event)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((stream, text, done))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        await done

    async def _send(self) -> None:
        await asyncio.sleep(0)  # whoever publishes in this turn of the loop comes along
        while self._waiting:
            batch, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
            told = await self._added([(stream, text) for stream, text, _ in batch])
            for (*_, done), error in zip(batch, told, strict=True):
                if not done.done():
                    if error is None:
                        done.set_result(None)
                    else:
                        done.set_exception(error)

    async def _added(self, events: list[tuple[str, str]]) -> list[BrokerUnavailable | None]:
        """What speaks against each being in its stream."""
        from redis.exceptions import RedisError

        if self._redis is None:
            return [BrokerUnavailable("the runtime is closed") for _ in events]
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for stream, text in events:
                fields: dict[Any, Any] = {FIELD: text}
                pipeline.xadd(stream, fields, maxlen=self.place.keep, approximate=True)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            return [_unavailable(error) for _ in events]
        return [_unavailable(answer) if isinstance(answer, Exception) else None for answer in answers]

    async def retire(self, subscription: Subscription, store: str, *, force: bool = False) -> str:
        """Take away what is kept for a subscription that a store has no more; why it is kept all the same, "" when
        nothing is. ``force``: also what it has not taken. Raises BrokerUnavailable."""
        from redis.exceptions import RedisError

        from .redis_retiring import retire

        redis = self._redis or self.place.client()
        try:
            return await retire(self.place, redis, subscription, store, force=force)
        except (RedisError, OSError) as error:
            raise BrokerUnavailable(f"Redis is out of reach: {error}") from None
        finally:
            if redis is not self._redis:
                await redis.aclose()

    async def close(self) -> None:
        redis, self._redis = self._redis, None
        if redis is None:
            return
        for reading in self._readings:
            await reading.leave()
        if self._sending is not None:
            await asyncio.wait([self._sending])
        await redis.aclose()


def _unavailable(error: Exception) -> BrokerUnavailable:
    return BrokerUnavailable(f"Redis can't take the event now: {error}")
