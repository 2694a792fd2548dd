"""The RedisStore: the Store contract on Redis 6.2 to 8 or Valkey, one server, Sentinel or a cluster, for any number
of processes on any number of machines.

Every change is one Lua script in one partition, so it is there whole or not at all, also after a server that lost
its last second. All calls that are pending in a process at the same moment travel together. What the server or the
network does wrong is waited for, for a few seconds; a call whose answer was lost is repeated and answered as the
first time. How much an acknowledged change has survived is the server's own promise: with ``appendfsync always``
everything, with ``everysec`` all but the last second before it lost its power, without AOF much less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

from ..errors import InvalidInput, StoreError, StoreLost
from ..quantities import Duration, seconds
from ..records import (
    DEDUPLICATION_WINDOW_MS,
    EVERYTHING,
    MAIL_BATCH,
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
from .address import parse
from .commands import Commands
from .exchange import Exchange
from .guarding import Guard
from .keys import Partitions
from .layout import open_layout
from .moving import Moving
from .queries import Queries
from .servers import servers
from .survey import Survey
from .verifying import Verifying
from .watching import Watching


class RedisStore(Store):
    """``redis://user:password@host:6379/0``, ``rediss://…``, ``redis+cluster://h1,h2``,
    ``redis+sentinel://h1,h2/service/0``; address.py says the rest.

    ``window`` is the deduplication window in ms, ``patience`` for how long a call is tried before it raises
    StoreUnavailable, ``timeout`` how long a server may say nothing before its connection is given up.
    """

    def __init__(
        self,
        dsn: str = "redis://localhost:6379/0",
        *,
        window: int = DEDUPLICATION_WINDOW_MS,
        patience: Duration = "5s",
        timeout: Duration = "3s",
    ) -> None:
        self.dsn = dsn
        self.address = parse(dsn)
        self._window = window
        self._patience = seconds(patience)
        self._timeout = seconds(timeout)
        self._parts: _Parts | None = None

    async def open(self) -> None:
        if self._parts is not None:
            return
        address = self.address
        exchange = Exchange(servers(address, self._timeout), address.name, self._patience)
        try:
            layout = await open_layout(exchange, address)
        except BaseException:
            await exchange.close()
            raise
        channels = f"{address.prefix}:tell:{address.options.get('db', 0)}:"
        partitions = layout.partitions
        queries = Queries(exchange, partitions)
        self._parts = _Parts(
            exchange,
            partitions,
            Commands(exchange, partitions, self._window, channels, address.above),
            queries,
            Moving(exchange, partitions, queries, address.above),
            Watching(exchange.servers.dial, channels),
            Verifying(exchange, partitions, address.prefix),
            Survey(exchange, partitions, queries, address.prefix),
            Guard(exchange, layout),
        )

    async def close(self) -> None:
        parts, self._parts = self._parts, None
        if parts is not None:
            await parts.watching.close()
            await parts.exchange.close()

    def numbers(self) -> dict[str, object]:
        """What was sent, by kind, and how many of that travelled together in one write."""
        if self._parts is None:
            return {}
        exchange = self._parts.exchange
        return {**exchange.servers.sizes.numbers(), "requests": dict(exchange.requests)}

    @property
    def _open(self) -> _Parts:
        if self._parts is None:
            raise StoreError(f"{self.address.name} is not open; await store.open() first")
        return self._parts

    @property
    def _changing(self) -> Commands:
        """What makes changes; raises StoreLost while they are refused."""
        self._check()
        return self._open.commands

    def _check(self) -> None:
        if self._open.guard.lost is not None:
            raise StoreLost(str(self._open.guard.lost))

    async def look(self) -> None:
        await self._open.guard.look()

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
    ) -> asyncio.Future[Accepted]:
        try:
            return self._open.guard.refusal() or self._open.commands.accept(
                id, mail, now, owner, create, known, reopen, served
            )
        except (ValueError, TypeError) as error:
            return _failed(InvalidInput(f"this can't be stored: {error}"))

    def append(self, change: Change) -> asyncio.Future[Appended]:
        try:
            return self._open.guard.refusal() or self._open.commands.append(change)
        except (ValueError, TypeError) as error:
            return _failed(InvalidInput(f"this can't be stored: {error}"))

    async def due(self, now: int, limit: int = 100) -> Sequence[str]:
        return await self._open.queries.due(now, limit)

    async def next_wake(self) -> int | None:
        return await self._open.queries.next_wake()

    # -- leases --------------------------------------------------------------------------------------

    async def beat(self, owner: str, now: int, ttl: int) -> Sequence[tuple[str, int]]:
        return await self._changing.beat(owner, now, ttl)

    async def retire(self, owner: str) -> None:
        await self._open.commands.retire(owner)

    async def owners(self, now: int) -> Mapping[str, int]:
        return await self._open.queries.owners(now)

    async def time(self) -> int | None:
        return await self._open.queries.time()

    def watch(self, id: str) -> AbstractAsyncContextManager[asyncio.Event | None]:
        return self._open.watching.watch(id)

    async def mail(self, id: str, lane: int, after: int = 0, limit: int = MAIL_BATCH) -> Sequence[Mail]:
        return await self._open.queries.mail(id, lane, after, limit)

    # -- for people ----------------------------------------------------------------------------------

    async def head(self, id: str) -> Head | None:
        return await self._open.queries.head(id)

    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        return await self._open.queries.executions(where, cursor, limit)

    async def history(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[str]:
        return await self._open.queries.history(id, after, limit)

    async def mailbox(self, id: str, limit: int = 100) -> tuple[int, list[str]]:
        return await self._open.queries.mailbox(id, limit)

    async def counts(self) -> dict[str, int]:
        return await self._open.queries.counts()

    async def delete(self, id: str, *, now: int) -> bool:
        return await self._changing.delete(id, now)

    # -- for whole stores ----------------------------------------------------------------------------

    async def dump(self, id: str) -> Dump | None:
        return await self._open.moving.dump(id)

    async def restore(self, dump: Dump) -> bool:
        self._check()
        return await self._open.moving.restore(dump)

    async def scopes(self, after: str = "", limit: int = 1000) -> Sequence[str]:
        return await self._open.queries.scopes(after, limit)

    async def verify(self) -> Sequence[str]:
        return await self._open.verifying.verify()

    async def survey(self) -> Sequence[Remark]:
        return await self._open.survey.survey()

    # -- key-value and blobs -------------------------------------------------------------------------

    async def get(self, scope: str, key: str) -> Value | None:
        return await self._open.queries.get(scope, key)

    async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
        return await self._changing.put(scope, key, value, etag)

    async def remove(self, scope: str, key: str, *, etag: str | None = None) -> bool:
        return await self._changing.remove(scope, key, etag)

    async def keys(self, scope: str, prefix: str = "", limit: int = 1000) -> Sequence[str]:
        return await self._open.queries.keys(scope, prefix, limit)

    async def values(
        self, scope: str, prefix: str = "", after: str = "", limit: int = 1000
    ) -> Sequence[tuple[str, Value]]:
        return await self._open.queries.values(scope, prefix, after, limit)

    async def blob(self, id: str, digest: str) -> bytes | None:
        return await self._open.queries.blob(id, digest)


class _Parts(NamedTuple):
    """What an open store is made of."""

    exchange: Exchange
    partitions: Partitions
    commands: Commands
    queries: Queries
    moving: Moving
    watching: Watching
    verifying: Verifying
    survey: Survey
    guard: Guard


def _failed(error: Exception) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future
