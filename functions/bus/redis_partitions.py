"""Which partitions a process reads for a subscription: each is read by one process at a time, and all processes that
read for it share them about equally. The right to read one ends by itself when its process is not heard of for a while.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .redis_place import Place

if TYPE_CHECKING:
    from redis.asyncio import Redis

RIGHT = 10.0
"""Seconds that the right to read a partition lasts without being prolonged."""
LOOK = 2.0
"""Seconds between two looks at who reads what."""
_SCRIPT = (Path(__file__).with_name("partition.lua")).read_text("utf-8")


class Partitions:
    """Those of one subscription that this process reads."""

    def __init__(self, place: Place, redis: Redis, subscription: str) -> None:
        self.mine: list[int] = []
        self.name = uuid.uuid4().hex
        self._place = place
        self._redis = redis
        self._subscription = subscription
        self._readers = place.readers(subscription)
        self._script: Any = redis.register_script(_SCRIPT)
        self._looked = float("-inf")

    async def come(self, store: str) -> bool:
        """Say that this process is to read into that store, before it does: nobody takes the groups away from now on,
        nor later while that store has the subscription. Whether processes of other stores read for it too."""
        now = int(time.time() * 1000)
        self.name = f"{store}:{self.name.rpartition(':')[2]}"
        pipeline: Any = self._redis.pipeline(transaction=True)
        pipeline.zadd(self._readers, {self.name: now})
        pipeline.pexpire(self._readers, int(RIGHT * 10_000))
        pipeline.sadd(self._place.stores(self._subscription), store)
        pipeline.zrangebyscore(self._readers, now - int(RIGHT * 1000), "+inf")
        names: list[bytes | str] = (await pipeline.execute())[3]
        stores = [(name.decode() if isinstance(name, bytes) else name).rpartition(":")[0] for name in names]
        return any(one not in ("", store) for one in stores)

    async def look(self) -> list[int]:
        """Prolong, take and give back what there is to; the partitions that are new here. Raises RedisError,
        OSError."""
        now = asyncio.get_running_loop().time()
        if now < self._looked + LOOK:
            return []
        share = await self._share()
        before, kept = set(self.mine), [one for one in self.mine if await self._claim(one)]
        for one in kept[share:]:
            await self._give_back(one)
        kept = kept[:share]
        others = [one for one in range(self._place.partitions) if one not in before]
        random.shuffle(others)  # so that two that start together do not ask for the same
        for one in others:
            if len(kept) >= share:
                break
            if await self._claim(one):
                kept.append(one)
        self.mine, self._looked = kept, now
        return [one for one in kept if one not in before]

    def forget(self) -> None:
        """What is read here is not known any more: the connection broke."""
        self.mine, self._looked = [], float("-inf")

    async def leave(self) -> None:
        """Give all of it back, so that others go on at once."""
        for one in range(self._place.partitions):
            await self._give_back(one)
        await self._redis.zrem(self._readers, self.name)

    async def _share(self) -> int:
        """How many partitions are this process's part."""
        now = int(time.time() * 1000)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zadd(self._readers, {self.name: now})
        pipeline.zremrangebyscore(self._readers, 0, now - int(RIGHT * 2000))
        pipeline.zcard(self._readers)
        pipeline.pexpire(self._readers, int(RIGHT * 10_000))
        readers = int((await pipeline.execute())[2])
        return -(-self._place.partitions // max(1, readers))

    def _key(self, partition: int) -> str:
        return f"{self._place.stream(partition)}:{self._subscription}"

    async def _claim(self, partition: int) -> bool:
        return bool(await self._script(keys=[self._key(partition)], args=[self.name, int(RIGHT * 1000)]))

    async def _give_back(self, partition: int) -> None:
        await self._script(keys=[self._key(partition)], args=[self.name, 0])
