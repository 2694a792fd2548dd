"""Word of replies and ends, across processes: one connection for messages, opened when somebody first waits.

What is said while the connection is away is lost, so whoever waits is woken when it is back, and looks.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from redis.asyncio.connection import Connection
from redis.exceptions import RedisClusterException, RedisError

from ..errors import StoreError
from .link import hang_up

_PATIENCE = 1.0  # seconds to wait for the server's word that it will tell
_PAUSE = 0.2


class Watching:
    """``dial`` makes a connected connection, ``channels`` is how the names of channels begin."""

    def __init__(self, dial: Callable[[], Awaitable[Connection]], channels: str) -> None:
        self._dial = dial
        self._channels = channels.encode()
        self._watched: dict[bytes, set[asyncio.Event]] = {}
        self._heard: dict[bytes, asyncio.Event] = {}  # set when the server will tell of that channel
        self._missed: set[bytes] = set()  # something may have been said of them while nobody listened
        self._connection: Connection | None = None
        self._listening: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watch(self, id: str) -> AsyncGenerator[asyncio.Event | None]:
        channel, event = self._channels + id.encode(), asyncio.Event()
        first = channel not in self._watched
        self._watched.setdefault(channel, set()).add(event)
        heard = self._heard.setdefault(channel, asyncio.Event())
        try:
            if self._listening is None or self._listening.done():
                self._listening = asyncio.ensure_future(self._listen())
            elif first:
                self._say(b"SUBSCRIBE", channel)
            told = True
            if not heard.is_set():
                try:
                    async with asyncio.timeout(_PATIENCE):
                        await heard.wait()
                except TimeoutError:
                    told = False
            yield event if told else None
        finally:
            self._watched[channel].discard(event)
            if not self._watched[channel]:
                del self._watched[channel], self._heard[channel]
                self._missed.discard(channel)
                self._say(b"UNSUBSCRIBE", channel)

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
            self._listening = None

    def _say(self, word: bytes, *channels: bytes) -> None:
        # Written at once: the client's own way to send yields before it writes, and connects again by itself when
        # the connection was lost meanwhile. Whoever listens notices that, and subscribes anew.
        connection = self._connection
        if connection is not None and connection.is_connected:
            cast(Any, connection)._writer.writelines(connection.pack_command(word, *channels))

    async def _listen(self) -> None:
        while True:
            connection: Connection | None = None
            try:
                connection = self._connection = await self._dial()
                if self._watched:
                    await connection.send_command(b"SUBSCRIBE", *self._watched, check_health=False)
                while True:
                    self._hear(*await self._next(connection))
            except (RedisError, RedisClusterException, OSError, EOFError, StoreError):
                self._deaf()
                await asyncio.sleep(_PAUSE)
            except BaseException:  # a mistake of ours or the client's: the next one who watches listens anew
                self._deaf()
                raise
            finally:
                self._connection = None
                if connection is not None:
                    await hang_up(connection)

    def _deaf(self) -> None:
        """Nobody listens: what is said now is lost."""
        self._missed.update(self._watched)
        for heard in self._heard.values():
            heard.clear()

    async def _next(self, connection: Connection) -> Any:
        # Its own way of ending a connection waits for the other side, or leaves it half ended; ``hang_up`` does not.
        return await cast(Any, connection).read_response(
            disable_decoding=True, timeout=math.inf, disconnect_on_error=False
        )

    def _hear(self, kind: bytes, channel: bytes, *_: object) -> None:
        if kind == b"subscribe" and channel in self._heard:
            self._heard[channel].set()
        if kind == b"message" or (kind == b"subscribe" and channel in self._missed):
            self._missed.discard(channel)
            for event in self._watched.get(channel, ()):
                event.set()
