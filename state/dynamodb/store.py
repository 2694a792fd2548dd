"""The DynamoStore: the Store contract on one DynamoDB table, for any number of processes and machines.

What is acknowledged is on several disks in three zones. A transition under a held lease is one request, a wake two
(``accept`` and reading the journal). Heads, mail and keys lie in one item, so that the state of an execution changes
at one place; see layout.py. Values that are too big for an item go to S3.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from time import monotonic
from typing import Any, TypeVar

from ...security.address import shown
from ..errors import StoreError, StoreLost
from ..quantities import Duration, seconds
from ..records import (
    DEDUPLICATION_WINDOW_MS,
    EVERYTHING,
    MAIL_BATCH,
    PAYLOAD_LIMIT,
    Accepted,
    Appended,
    Change,
    Dump,
    Filter,
    Head,
    Mail,
    NewExecution,
    NewMail,
    Page,
    Remark,
    Value,
)
from ..store import Store
from .accepting import Accepting
from .appending import Appending
from .checking import Checking
from .layout import ITEM_BYTES, SHARDS, blob_sort, execution, key
from .leases import Leases
from .listing import Listing
from .moving import Moving
from .parts import assemble
from .place import parse
from .setup import Setup
from .values import Values

Result = TypeVar("Result")

_EXPIRE_EVERY = 60.0  # seconds between two looks for what retention has ended
_CLOCK_TRIES = 6


class DynamoStore(Store):
    """``dynamodb://table?region=eu-central-1&endpoint=…&bucket=name/folder&retention=30d``.

    Region, endpoint and credentials that are not given are those of the AWS environment. ``bucket`` keeps values
    above 350 KB; ``retention`` deletes executions that have been finished for so long. ``window`` is the
    deduplication window in ms, ``patience`` how long a request that fails is tried again.
    """

    lease: Duration = "5s"
    poll: Duration = "1s"
    saying: Duration = "1s"
    vigilance: Duration = "5s"
    counting: Duration = "60s"  # all of the listing's index is read for it

    def __init__(self, dsn: str, *, window: int = DEDUPLICATION_WINDOW_MS, patience: Duration = "5s") -> None:
        self.dsn = dsn
        self.place = parse(dsn)
        self.payload_limit = PAYLOAD_LIMIT if self.place.bucket else ITEM_BYTES
        parts = assemble(self.place, seconds(patience))
        self._wire, self._table, self._parcels = parts.wire, parts.table, parts.parcels
        self._leases = Leases(parts)
        self._accepting = Accepting(parts, self._leases, window)
        self._appending = Appending(parts, window)
        self._listing = Listing(parts)
        self._values = Values(parts)
        self._moving = Moving(parts, self._leases, self._values, window)
        self._checking = Checking(parts, self._listing, self._moving)
        self._setup = Setup(parts)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._expired = 0.0
        self._opened = False
        self._lost = ""

    @property
    def requests(self) -> Counter[str]:
        """How many requests were sent, by operation of botocore's client."""
        return self._wire.requests

    def numbers(self) -> dict[str, object]:
        """Of the threads in which requests wait, of what was sent, and how many items commits have written."""
        return self._wire.numbers()

    async def create(self) -> None:
        self._wire.start()
        try:
            await self._setup.create()
        finally:
            if not self._opened:
                await self._wire.stop()

    async def open(self) -> None:
        if self._opened:
            return
        self._wire.start()
        try:
            await self._setup.open()
        except BaseException:
            await self._wire.stop()
            raise
        self._opened = True

    async def close(self) -> None:
        self._opened = False
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._wire.stop()

    def _begin(self, work: Coroutine[Any, Any, Result]) -> asyncio.Future[Result]:
        """It goes on, whether or not somebody waits for it."""
        if not self._opened:
            work.close()
            raise StoreError(f"{shown(self.dsn)} is not open; await store.open() first")
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return asyncio.shield(task)

    async def look(self) -> None:
        try:
            await self._begin(self._setup.look())
        except StoreLost as error:
            self._lost = str(error)
            raise
        self._lost = ""

    def _change(self, work: Coroutine[Any, Any, Result]) -> asyncio.Future[Result]:
        """As ``_begin``, unless the table is not the one that was opened."""
        if not self._lost:
            return self._begin(work)
        work.close()
        refused: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        refused.set_exception(StoreLost(self._lost))
        return refused

    # -- the three primitives ------------------------------------------------------------------------

    def accept(
        self,
        id: str,
        mail: NewMail | None,
        *,
        now: int,
        owner: str | None = None,
        create: NewExecution | None = None,
        known: int | None = None,
        reopen: bool = False,
        served: frozenset[str] | None = None,
    ) -> Awaitable[Accepted]:
        return self._change(self._accepting.accept(id, mail, now, owner, create, known, reopen, served))

    def append(self, change: Change) -> Awaitable[Appended]:
        return self._change(self._appending.append(change))

    async def due(self, now: int, limit: int = 100) -> Sequence[str]:
        found = await self._begin(self._leases.due(now, limit))
        if self.place.retention is not None and monotonic() - self._expired > _EXPIRE_EVERY:
            self._expired = monotonic()
            await self._begin(self._moving.expire(now, SHARDS))
        return found

    async def next_wake(self) -> int | None:
        return await self._begin(self._leases.next_wake())

    # -- leases --------------------------------------------------------------------------------------

    async def beat(self, owner: str, now: int, ttl: int) -> Sequence[tuple[str, int]]:
        return await self._change(self._leases.beat(owner, now, ttl))

    async def retire(self, owner: str) -> None:
        await self._begin(self._leases.retire(owner))

    async def owners(self, now: int) -> Mapping[str, int]:
        return await self._begin(self._leases.owners(now))

    async def time(self) -> int | None:
        """From the ``Date`` of the service's answers: clock.py says how. This machine's clock is right when none of
        them contradicts it; one that is wrong is corrected to about 50 ms, for which a few answers are waited for."""
        clock = self._wire.clock
        for _ in range(_CLOCK_TRIES):
            await self._begin(self._setup.open())
            if clock.settled:
                break
            await asyncio.sleep(clock.pause())
        return round(clock.machine()) + clock.ahead

    async def mail(self, id: str, lane: int, after: int = 0, limit: int = MAIL_BATCH) -> Sequence[Mail]:
        return await self._begin(self._listing.mail(id, lane, after, limit))

    # -- for people ----------------------------------------------------------------------------------

    async def head(self, id: str) -> Head | None:
        picture = await self._begin(self._listing.picture(id))
        return None if picture is None else picture.head

    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        return await self._begin(self._listing.executions(where, cursor, limit))

    async def history(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[str]:
        return await self._begin(self._listing.history(id, after, limit))

    async def mailbox(self, id: str, limit: int = 100) -> tuple[int, list[str]]:
        return await self._begin(self._listing.mailbox(id, limit))

    async def counts(self) -> dict[str, int]:
        return await self._begin(self._listing.counts())

    async def delete(self, id: str, *, now: int) -> bool:
        return await self._change(self._moving.delete(id, now))

    # -- for whole stores ----------------------------------------------------------------------------

    async def dump(self, id: str) -> Dump | None:
        return await self._begin(self._moving.dump(id))

    async def restore(self, dump: Dump) -> bool:
        return await self._change(self._moving.restore(dump))

    async def scopes(self, after: str = "", limit: int = 1000) -> Sequence[str]:
        return await self._begin(self._values.scopes(after, limit))

    async def verify(self) -> Sequence[str]:
        return await self._begin(self._checking.verify())

    async def survey(self) -> Sequence[Remark]:
        return await self._begin(self._setup.survey())

    # -- key-value and blobs -------------------------------------------------------------------------

    async def get(self, scope: str, key: str) -> Value | None:
        return await self._begin(self._values.get(scope, key))

    async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
        return await self._change(self._values.put(scope, key, value, etag))

    async def remove(self, scope: str, key: str, *, etag: str | None = None) -> bool:
        return await self._change(self._values.remove(scope, key, etag))

    async def keys(self, scope: str, prefix: str = "", limit: int = 1000) -> Sequence[str]:
        return await self._begin(self._values.keys(scope, prefix, limit))

    async def values(
        self, scope: str, prefix: str = "", after: str = "", limit: int = 1000
    ) -> Sequence[tuple[str, Value]]:
        return await self._begin(self._values.values(scope, prefix, after, limit))

    async def blob(self, id: str, digest: str) -> bytes | None:
        return await self._begin(self._blob(id, digest))

    async def _blob(self, id: str, digest: str) -> bytes | None:
        picture = await self._listing.picture(id)
        if picture is None:
            return None
        return await self._parcels.unpack(await self._table.get(key(execution(id), blob_sort(picture.life, digest))))
