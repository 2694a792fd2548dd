"""What changes in a store while somebody looks on: which executions, and how many there are of each status.

What this process commits is heard of at once. What others commit is found by looking at the store, once a second (as
often as the store says it is worth its price) and only while somebody listens: at the newest executions, at those that
go on, and at those that a listener has named. All listeners are told the same at the same time, at most ``RATE`` times
a second, however much changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from ..state.errors import StoreError
from ..state.quantities import seconds
from ..state.records import Appended, Change, Filter, Head
from .reading import Reading

log = logging.getLogger("overwinter")

RATE = 4
SEEN = 200  # executions that are looked at: of the newest, and of those that go on
MOST = 500  # ids that one piece of news names; beyond them everything may have changed
NAMED = 50  # executions that one listener may name
_GOING = ("pending", "running", "waiting", "in-doubt", "paused", "stuck")


class News(NamedTuple):
    """``ids`` have changed, and with ``more`` others may have. ``counts``: executions by status."""

    ids: tuple[str, ...]
    counts: Mapping[str, int]
    more: bool = False


class Commits(Protocol):
    """Where commits are heard of."""

    def hear(self, committed: Callable[[Change, Appended], None]) -> None: ...
    def ignore(self, committed: Callable[[Change, Appended], None]) -> None: ...


class Listener:
    """One that is told. What it has not taken yet is one piece of news, however long it takes."""

    def __init__(self, named: Iterable[str]) -> None:
        self.named = tuple(named)[:NAMED]
        self._ids: dict[str, None] = {}
        self._more = False
        self._counts: Mapping[str, int] = {}
        self._told = asyncio.Event()

    def tell(self, news: News) -> None:
        self._ids.update(dict.fromkeys(news.ids))
        self._more = self._more or news.more or len(self._ids) > MOST
        self._counts = news.counts
        self._told.set()

    async def news(self, within: float) -> News | None:
        """What has changed since the last time; None when nothing has for so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self._told.wait()
        except TimeoutError:
            return None
        self._told.clear()
        ids, self._ids = tuple(self._ids)[:MOST], {}
        more, self._more = self._more, False
        return News(ids, self._counts, more)


class Changes:
    """Of one store, as ``reading`` reads it; ``commits`` are those of this process."""

    def __init__(self, reading: Reading, commits: Commits) -> None:
        self._reading = reading
        self._commits = commits
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._changed: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._known: dict[str, tuple[int, str, int]] = {}
        self._counts: Mapping[str, int] = {}
        self._counted = float("-inf")
        self._counting = seconds(reading.store.counting)
        self._pause = seconds(reading.store.vigilance)
        self._retold = False

    @contextmanager
    def listening(self, named: Iterable[str] = ()) -> Generator[Listener]:
        """Somebody looks on inside of this. The first news comes at once, with the counts."""
        mine = Listener(named)
        self._listeners.add(mine)
        self._retold = True
        self._wake.set()
        if self._task is None:
            self._commits.hear(self._committed)
            self._task = asyncio.ensure_future(self._keep_on())
        try:
            yield mine
        finally:
            self._listeners.discard(mine)
            if not self._listeners:
                self._commits.ignore(self._committed)
                self._task.cancel()
                self._task = None
                self._known.clear()
                self._changed.clear()

    def _committed(self, change: Change, _: Appended) -> None:
        self._changed[change.id] = None
        self._known[change.id] = (change.version + 1, change.status, change.at)  # or a look would tell it again
        self._wake.set()

    async def _keep_on(self) -> None:
        loop = asyncio.get_running_loop()
        await self._look()  # what is there now is nobody's news
        looked = loop.time()
        while True:
            try:
                async with asyncio.timeout_at(looked + self._pause):
                    await self._wake.wait()
            except TimeoutError:
                self._changed.update(dict.fromkeys(await self._look()))
                looked = loop.time()
            self._wake.clear()
            counted = await self._count(loop.time())
            if self._changed or counted or self._retold:
                self._retold = False
                ids, self._changed = tuple(self._changed), {}
                news = News(ids[:MOST], self._counts, len(ids) > MOST)
                for one in self._listeners:
                    one.tell(news)
                await asyncio.sleep(1 / RATE)

    async def _count(self, now: float) -> bool:
        """Whether the counts have changed, where it is worth its price to know."""
        cheap = self._counting <= self._pause
        if now < self._counted + self._counting and not (cheap and self._changed):
            return False
        try:
            before, self._counts = self._counts, dict(await self._reading.counts())
        except StoreError as error:
            log.debug("the store can't be counted for those who look on (%s)", error)
            return False
        self._counted = now
        return before != self._counts

    async def _look(self) -> list[str]:
        """What others have changed since the last look."""
        try:
            heads = await self._heads()
        except StoreError as error:
            log.debug("the store can't be looked at for those who look on (%s)", error)
            return []
        found = {id: (head.version, head.status, head.updated) for id, head in heads.items()}
        gone = [id for id, (_, status, _) in self._known.items() if id not in found and status in _GOING]
        changed = [id for id, now in found.items() if self._known.get(id) != now]
        self._known = found
        return changed + gone  # what is gone goes on no more, or is no more

    async def _heads(self) -> dict[str, Head]:
        newest = await self._reading.page(Filter(), limit=SEEN)
        going = await self._reading.store.scan(Filter(_GOING), limit=SEEN)
        heads = {head.id: head for head in (*newest.heads, *going.heads)}
        for id in {id for one in self._listeners for id in one.named} - heads.keys():
            head = await self._reading.find(id)
            if head is not None:
                heads[id] = head
        return heads
