"""Raw floors: the least that the same durability can cost, with bare ``sqlite3`` and with bare redis-py.

SQLite: one connection, WAL, ``synchronous=FULL``, one transaction for each transition. Redis: redis-py's asyncio
client, one EVALSHA for each transition (RPUSH the history, HSET the head), on the server that the product uses. No
batching, no engine, no validation, no identity check: whatever overwinter costs above these figures, it has to be
worth.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Self


class Floor(ABC):
    """A store without an engine. All times are seconds."""

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @abstractmethod
    async def transition(self, id: str, seq: int, value: str) -> None:
        """One durable transition: one more entry of history and the instance's new head."""

    @abstractmethod
    async def add(self, id: str, text: str) -> None:
        """One more entry of history, committed alone."""

    @abstractmethod
    async def history(self, id: str) -> float:
        """How long it takes to read and parse an instance's whole history."""

    @abstractmethod
    async def fill(self, count: int, state: str) -> None:
        """Idle sessions ``0 … count-1``, each one record with its whole state."""

    @abstractmethod
    async def activate(self, number: int, message: str) -> None:
        """Read an idle session, add a message to its state (same length) and commit it."""

    async def workflow(self, id: str, steps: int, value: str = "1") -> None:
        """One start and ``steps`` transitions."""
        for seq in range(steps + 1):
            await self.transition(id, seq, value)

    async def workflows(self, count: int, steps: int, lanes: int = 1) -> float:
        """How long a number of workflows takes, ``lanes`` of them at any time (where the store can do that)."""
        mark = time.time_ns()
        left = iter(range(count))

        async def lane() -> None:
            for number in left:
                await self.workflow(f"workflow-{mark}-{number}", steps)

        started = time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(lanes)))
        return time.perf_counter() - started

    async def conversation(self, id: str, texts: Sequence[str]) -> float:
        """How long a conversation takes, each text committed alone."""
        started = time.perf_counter()
        for text in texts:
            await self.add(id, text)
        return time.perf_counter() - started


def open_floor(dsn: str) -> Floor:
    """The floor beside the store at that DSN; it needs a file or a prefix of its own."""
    scheme, _, rest = dsn.partition("://")
    return SqliteFloor(rest.removeprefix("/")) if scheme == "sqlite" else RedisFloor(dsn)


SCHEMA = """
CREATE TABLE IF NOT EXISTS instance (id TEXT PRIMARY KEY, seq INTEGER, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (id TEXT, seq INTEGER, value TEXT, PRIMARY KEY (id, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (id TEXT PRIMARY KEY, state TEXT);
"""


class SqliteFloor(Floor):
    """It never awaits: its lanes run one after another, as one connection must."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._added = 0

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(SCHEMA)
        return connection

    async def __aenter__(self) -> Self:
        self._connection = self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    async def transition(self, id: str, seq: int, value: str) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        execute("INSERT INTO history VALUES (?, ?, ?)", (id, seq, value))
        if seq:
            execute("UPDATE instance SET seq = ?, value = ? WHERE id = ?", (seq, value, id))
        else:
            execute("INSERT INTO instance VALUES (?, ?, ?)", (id, seq, value))
        execute("COMMIT")

    async def add(self, id: str, text: str) -> None:
        self._added += 1
        self._connection.execute("INSERT INTO history VALUES (?, ?, ?)", (id, self._added, text))

    async def history(self, id: str) -> float:
        started = time.perf_counter()
        with closing(self._connect()) as connection:  # as a process that has just come
            rows = connection.execute("SELECT value FROM history WHERE id = ? ORDER BY seq", (id,)).fetchall()
            for (value,) in rows:
                json.loads(value)
        return time.perf_counter() - started

    async def fill(self, count: int, state: str) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT INTO session VALUES (?, ?)", ((f"session-{number}", state) for number in range(count))
        )
        self._connection.execute("COMMIT")

    async def activate(self, number: int, message: str) -> None:
        execute, id = self._connection.execute, f"session-{number}"
        execute("BEGIN IMMEDIATE")
        (state,) = execute("SELECT state FROM session WHERE id = ?", (id,)).fetchone()
        execute("UPDATE session SET state = ? WHERE id = ?", (grown(state, message), id))
        execute("COMMIT")


TRANSITION = "redis.call('RPUSH', KEYS[2], ARGV[2]); redis.call('HSET', KEYS[1], 'seq', ARGV[1], 'value', ARGV[2])"
CHUNK = 100


class RedisFloor(Floor):
    """As many connections as calls are under way at once, as redis-py's pool does it."""

    def __init__(self, dsn: str) -> None:
        self._dsn, _, options = dsn.partition("?")
        self._prefix = dict(option.split("=", 1) for option in options.split("&"))["prefix"]

    async def __aenter__(self) -> Self:
        from redis.asyncio import ConnectionPool, Redis

        pool: Any = ConnectionPool  # its from_url is untyped
        self._client: Any = Redis.from_pool(pool.from_url(self._dsn, decode_responses=True))
        self._sha: str = await self._client.script_load(TRANSITION)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def transition(self, id: str, seq: int, value: str) -> None:
        await self._client.evalsha(self._sha, 2, f"{self._prefix}:{id}", f"{self._prefix}:{id}:history", seq, value)

    async def add(self, id: str, text: str) -> None:
        await self._client.rpush(f"{self._prefix}:{id}:history", text)

    async def history(self, id: str) -> float:
        started = time.perf_counter()
        for value in await self._client.lrange(f"{self._prefix}:{id}:history", 0, -1):
            json.loads(value)
        return time.perf_counter() - started

    async def fill(self, count: int, state: str) -> None:
        for first in range(0, count, CHUNK):
            async with self._client.pipeline(transaction=False) as together:
                for number in range(first, min(count, first + CHUNK)):
                    together.set(f"{self._prefix}:session-{number}", state)
                await together.execute()

    async def activate(self, number: int, message: str) -> None:
        key = f"{self._prefix}:session-{number}"
        await self._client.set(key, grown(await self._client.get(key), message))


def grown(state: str, message: str) -> str:
    """The state with the message at its end, as long as before."""
    return (state + "\n" + message)[-len(state) :]
