"""The SqliteStore: the Store contract on one SQLite file, for any number of processes on one machine.

Every acknowledged change is on the disk (WAL, ``synchronous=FULL``). Changes that wait at the same moment
share one transaction on a writer's thread (one that comes alone is committed at once), queries have a thread
and a connection of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, TypeVarTuple
from urllib.parse import parse_qsl

from ...security.address import shown
from ..compression import OPTION, said
from ..errors import InvalidInput, StoreError, StoreUnavailable
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
    Scan,
    Value,
)
from ..store import Store
from .commands import Commands
from .failures import translate
from .leases import Leases
from .queries import Queries
from .threads import Reader, Writer

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

_SCHEME = "sqlite:///"
MODE, READ_ONLY = "mode", "ro"
_PROBE = 2.0
"""Seconds that a probe waits for its change."""


class SqliteStore(Store):
    """``sqlite:///relative.db`` or ``sqlite:////absolute.db``; ``?compress=1KB`` behind it compresses what is stored,
    ``?mode=ro`` opens a file that nobody writes, and changes nothing.

    ``window`` is the deduplication window in ms (an event is taken for a new one at the latest a day after
    it). ``patience`` is how long to wait for another process that has the file locked.
    """

    def __init__(
        self,
        dsn: str = "sqlite:///overwinter.db",
        *,
        window: int = DEDUPLICATION_WINDOW_MS,
        patience: Duration = "5s",
    ) -> None:
        self.dsn = dsn
        self.path, frozen = _path(dsn)
        self._leases = Leases(self.path)
        self._commands = Commands(self.path, self._leases, window, seconds(patience), said(dsn), frozen=frozen)
        self._queries = Queries(self.path, self._commands.place, self._leases, seconds(patience), frozen=frozen)
        self._writer: Writer | None = None
        self._reader: Reader | None = None

    async def open(self) -> None:
        if self._writer is not None:
            return
        writer = Writer(self._commands)
        reader = Reader(self._queries, self.path)
        await writer.start()
        await reader.start()
        self._writer, self._reader = writer, reader

    async def close(self) -> None:
        writer, reader = self._writer, self._reader
        self._writer = self._reader = None
        if writer is None or reader is None:
            return
        try:
            await reader.stop()
        finally:
            try:
                await writer.stop()  # last: the connection that closes last folds the log into the file
            finally:
                self._leases.close()

    def numbers(self) -> dict[str, object]:
        """Changes, and the transactions they were made in, by the bits of how many they had: 1, 2 to 3, 4 to 7 …"""
        writer = self._writer
        return {} if writer is None else {"changes": writer.jobs, "transactions": writer.batches[1:]}

    async def look(self) -> None:
        try:
            self._commands.place.look()
        except OSError as error:
            raise translate(error, self.path) from error

    async def probe(self) -> None:
        try:
            async with asyncio.timeout(_PROBE):
                await super().probe()
        except TimeoutError:
            raise StoreUnavailable(
                f"{self.path}: no change could be made within {_PROBE:g} s: another process has it locked, or the disk "
                f"hangs. Find who has it open (lsof {self.path}); one that was stopped in the middle of a change needs "
                "SIGCONT or SIGKILL"
            ) from None

    def _change(self, method: Callable[[*Arguments], Result], *arguments: *Arguments) -> asyncio.Future[Result]:
        if self._writer is None:
            raise StoreError(f"{shown(self.dsn)} is not open; await store.open() first")
        return self._writer.submit(method, *arguments)

    def _ask(self, method: Callable[[*Arguments], Result], *arguments: *Arguments) -> asyncio.Future[Result]:
        if self._reader is None:
            raise StoreError(f"{shown(self.dsn)} is not open; await store.open() first")
        return self._reader.submit(method, *arguments)

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
        return self._change(self._commands.accept, id, mail, now, owner, create, known, reopen, served)

    def append(self, change: Change) -> asyncio.Future[Appended]:
        return self._change(self._commands.append, change)

    async def due(self, now: int, limit: int = 100) -> Sequence[str]:
        return await self._ask(self._queries.due, now, limit)

    async def next_wake(self) -> int | None:
        return await self._ask(self._queries.next_wake)

    # -- leases --------------------------------------------------------------------------------------

    async def beat(self, owner: str, now: int, ttl: int) -> Sequence[tuple[str, int]]:
        return await self._change(self._commands.beat, owner, now, ttl)

    async def retire(self, owner: str) -> None:
        await self._change(self._commands.retire, owner)

    async def owners(self, now: int) -> Mapping[str, int]:
        return await self._ask(self._queries.owners, now)

    async def mail(self, id: str, lane: int, after: int = 0, limit: int = MAIL_BATCH) -> Sequence[Mail]:
        return await self._ask(self._queries.mail, id, lane, after, limit)

    # -- for people ----------------------------------------------------------------------------------

    async def head(self, id: str) -> Head | None:
        return await self._ask(self._queries.head, id)

    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        return await self._ask(self._queries.executions, where, cursor, limit)

    async def scan(self, where: Filter, cursor: str | None = None, limit: int = 50, most: int = 10_000) -> Scan:
        return await self._ask(self._queries.scan, where, cursor, limit, most)

    async def history(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[str]:
        return await self._ask(self._queries.history, id, after, limit)

    async def mailbox(self, id: str, limit: int = 100) -> tuple[int, list[str]]:
        return await self._ask(self._queries.mailbox, id, limit)

    async def counts(self) -> dict[str, int]:
        return await self._ask(self._queries.counts)

    async def delete(self, id: str, *, now: int) -> bool:
        return await self._change(self._commands.delete, id, now)

    # -- for whole stores ----------------------------------------------------------------------------

    async def dump(self, id: str) -> Dump | None:
        return await self._ask(self._queries.dump, id)

    async def restore(self, dump: Dump) -> bool:
        return await self._change(self._commands.restore, dump)

    async def scopes(self, after: str = "", limit: int = 1000) -> Sequence[str]:
        return await self._ask(self._queries.scopes, after, limit)

    async def verify(self) -> Sequence[str]:
        return await self._ask(self._queries.verify)

    # -- key-value and blobs -------------------------------------------------------------------------

    async def get(self, scope: str, key: str) -> Value | None:
        return await self._ask(self._queries.get, scope, key)

    async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
        return await self._change(self._commands.put, scope, key, value, etag)

    async def remove(self, scope: str, key: str, *, etag: str | None = None) -> bool:
        return await self._change(self._commands.remove, scope, key, etag)

    async def keys(self, scope: str, prefix: str = "", limit: int = 1000) -> Sequence[str]:
        return await self._ask(self._queries.keys, scope, prefix, limit)

    async def values(
        self, scope: str, prefix: str = "", after: str = "", limit: int = 1000
    ) -> Sequence[tuple[str, Value]]:
        return await self._ask(self._queries.values, scope, prefix, after, limit)

    async def blob(self, id: str, digest: str) -> bytes | None:
        return await self._ask(self._queries.blob, id, digest)


def _path(dsn: str) -> tuple[Path, bool]:
    """The file, and whether it is only to be read."""
    if not dsn.startswith(_SCHEME) or dsn == _SCHEME:
        raise InvalidInput(f"{shown(dsn)!r} names no file; write sqlite:///relative.db or sqlite:////absolute/path.db")
    name, found, query = dsn.removeprefix(_SCHEME).partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if (found and not options) or set(options) - {OPTION, MODE} or options.get(MODE, READ_ONLY) != READ_ONLY:
        raise InvalidInput(
            f"{shown(dsn)!r}: there is an option that is none; there are {OPTION}, as in ?{OPTION}=1KB, and "
            f"?{MODE}={READ_ONLY}"
        )
    return Path(name).absolute(), MODE in options
