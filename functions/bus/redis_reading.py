"""Reads the events of one subscription: what is pending in a partition first, then what is new, each until it is
durable at the subscriber. Nothing is confirmed before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...state.codec import loads
from ...state.errors import BrokerUnavailable, InvalidInput, StoreError
from ..events.event import CloudEvent
from ..events.http import from_json
from .filters import attributes_of
from .redis_partitions import LOOK, Partitions
from .redis_place import FIELD, Place
from .subscription import Subscription

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger("overwinter")

BATCH = 200
"""Entries that are read together from each partition."""
WAIT = int(LOOK * 500)
"""Milliseconds that a read waits for something new."""
Take = Callable[[Subscription, CloudEvent], Awaitable[None]]
Entries = Sequence[tuple[Any, dict[Any, Any] | None]]


class Reading:
    """One subscription's reader in this process."""

    def __init__(self, place: Place, redis: Redis, subscription: Subscription, take: Take, store: str) -> None:
        self._place = place = place.within(subscription.lane)
        self._redis = redis
        self._subscription = subscription
        self._take = take
        self._store = store
        self._partitions = Partitions(place, redis, subscription.name)
        self._gone = False
        self._looking: asyncio.Future[list[int]] | None = None

    async def subscribe(self, since: str = "$") -> None:
        """From now on its events wait for it; those of a lane of its own have waited. Raises BrokerUnavailable."""
        from redis.exceptions import RedisError, ResponseError

        since = "0" if self._subscription.lane else since
        try:
            others = await self._partitions.come(self._store)
        except (RedisError, OSError) as error:
            raise BrokerUnavailable(f"Redis is out of reach: {error}") from None
        if others and self._subscription.lane:
            log.error(
                "%s: processes of another store take the same calls. What is sent again may be begun there a second "
                "time; serve the function from one store, or give one of them another prefix=",
                self._subscription.name,
            )
        for partition in range(self._place.partitions):
            try:
                await self._redis.xgroup_create(
                    self._place.stream(partition), self._subscription.name, id=since, mkstream=True
                )
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise BrokerUnavailable(f"Redis refuses a consumer group: {error}") from None
            except (RedisError, OSError) as error:
                raise BrokerUnavailable(f"Redis is out of reach: {error}") from None

    async def keep_on(self) -> None:
        """Read until it is cancelled, whatever becomes of the connection."""
        from redis.exceptions import RedisError

        failed, lost = 0, False
        while not self._gone:
            try:
                if lost:  # the server has forgotten all: what is there has come since
                    await self.subscribe("0")
                    lost = False
                self._looking = asyncio.ensure_future(self._partitions.look())
                for partition in await asyncio.shield(self._looking):  # what it has taken is given back in ``leave``
                    await self._pending(partition)
                await self._new()
                failed = 0
            except (RedisError, OSError, BrokerUnavailable) as error:
                self._partitions.forget()
                lost = lost or "NOGROUP" in str(error)
                pause = min(5.0, 0.05 * 2**failed)
                failed += 1
                name = self._subscription.name
                log.warning("the events of the subscription %s can't be read: %s; again in %.2f s", name, error, pause)
                await asyncio.sleep(pause)

    async def leave(self) -> None:
        """Let others read on."""
        from redis.exceptions import RedisError

        self._gone = True
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)
        try:
            await self._partitions.leave()
        except (RedisError, OSError) as error:
            log.debug("the partitions of %s are free by themselves soon: %s", self._subscription.name, error)

    async def _pending(self, partition: int) -> None:
        """What was read before, by whoever had the partition, and not confirmed."""
        stream, group, start = self._place.stream(partition), self._subscription.name, "0-0"
        gone = 0
        while True:
            answer: Any = await self._redis.xautoclaim(stream, group, self._partitions.name, 0, start, count=BATCH)
            start = answer[0]
            there = [entry for entry in answer[1] if entry[0] is not None]
            await self._taken([(stream, there)])
            gone += len(answer[1]) - len(there)  # Redis 6 leaves those pending that are not in the stream any more
            if len(answer) > 2 and answer[2]:  # later ones have let go of them themselves
                self._lost(len(answer[2]))
            if start in (b"0-0", "0-0"):
                break
        if gone:
            await self._let_go(stream)

    async def _let_go(self, stream: str) -> None:
        """Confirm what is pending here and was trimmed away meanwhile: nobody can take it any more."""
        group, start = self._subscription.name, "0-0"
        while True:
            found: Any = await self._redis.xreadgroup(group, self._partitions.name, {stream: start}, count=BATCH)
            entries: Entries = found[0][1] if found else ()
            if not entries:
                return
            start = entries[-1][0]
            if gone := [id for id, fields in entries if not fields]:
                await self._redis.xack(stream, group, *gone)
                self._lost(len(gone))

    def _lost(self, count: int) -> None:
        log.error(
            "events of the subscription %s are lost: %d that had been read and not taken yet were trimmed away while "
            "nobody read on; give the broker a larger keep=, and publish them again",
            self._subscription.name,
            count,
        )

    async def _new(self) -> None:
        if not self._partitions.mine:
            await asyncio.sleep(WAIT / 1000)
            return
        streams: Any = {self._place.stream(partition): ">" for partition in self._partitions.mine}
        found: Any = await self._redis.xreadgroup(
            self._subscription.name, self._partitions.name, streams, count=BATCH, block=WAIT
        )
        await self._taken(found or [])

    async def _taken(self, found: Sequence[tuple[Any, Entries]]) -> None:
        """Take what was read, the events of one key in their order, the others side by side; then confirm it."""
        lanes: dict[str, list[CloudEvent]] = {}
        for _, entries in found:
            for id, fields in entries:
                event = _event(id, fields)
                if event is not None and self._subscription.matches(attributes_of(event)):
                    key = event.partitionkey
                    lanes.setdefault(f"\0{id!r}" if key is None else key, []).append(event)
        if len(lanes) == 1:
            await self._lane(next(iter(lanes.values())))
        elif lanes:
            await asyncio.gather(*map(self._lane, lanes.values()))
        pipeline = self._redis.pipeline(transaction=False)
        for stream, entries in found:
            if entries:
                pipeline.xack(stream, self._subscription.name, *(id for id, _ in entries))
                if self._subscription.lane:  # nobody else will ever read them
                    pipeline.xdel(stream, *(id for id, _ in entries))
        if len(pipeline):
            await pipeline.execute()

    async def _lane(self, events: list[CloudEvent]) -> None:
        for event in events:
            tries = 0
            while True:
                try:
                    await self._take(self._subscription, event)
                    break
                except StoreError as error:
                    pause = min(5.0, 0.05 * 2**tries)
                    tries += 1
                    log.warning("the event %s can't be taken now: %s; again in %.2f s", event.id, error, pause)
                    await asyncio.sleep(pause)


def _event(id: Any, fields: dict[Any, Any] | None) -> CloudEvent | None:
    """The event of an entry. None when there is none: it was trimmed away, or somebody has put something else there."""
    text = None if fields is None else fields.get(FIELD, fields.get(FIELD.decode()))
    if text is None:
        return None
    try:
        return from_json(loads(text))
    except (InvalidInput, ValueError) as error:
        log.warning("the entry %s of a stream of events is no event: %s", id, error)
        return None
