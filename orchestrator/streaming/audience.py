"""Who listens to what is being said in this process, here and elsewhere, and how it gets to them.

A model call asks for its ``Speech``. Is it wanted, by who sent the message or by who listens, pieces of the answer go
to listeners in this process at once, and to those elsewhere through the store (``cell``). Nobody listens: nothing is
done at all.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from ...state.errors import StoreCorrupt
from ...state.records import FINAL, Change
from ...state.store import Store
from ..protocol.decider import Fact, Heard
from ..protocol.entries import decode
from .cell import Cell
from .live import Live
from .marks import Marks

_CELLS = 4096
"""Executions whose entries in the store this process remembers to remove."""


class Commits(Protocol):
    """Where commits are heard of."""

    def hear(self, committed: Callable[[Change, asyncio.Future[Any]], None]) -> None: ...
    def ignore(self, committed: Callable[[Change, asyncio.Future[Any]], None]) -> None: ...


class Subscription:
    """One listener in this process. ``committed``: the journal has grown; ``news`` is set with it, and when
    something was said."""

    __slots__ = ("committed", "news")

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.committed = True

    def tell(self) -> None:
        self.committed = True
        self.news.set()


class Speech:
    """What one attempt of a model call says."""

    __slots__ = ("_audience", "_cell", "_execution", "_live", "_subscribed", "heard")

    def __init__(self, audience: Audience, execution: str, op: str, attempt: int, heard: Heard) -> None:
        self._audience = audience
        self._execution = execution
        self._live = Live(op, attempt, heard)
        self._cell: Cell | None = None
        self.heard = heard

    async def wanted(self) -> bool:
        """Whether anybody would hear it."""
        audience = self._audience
        return self.heard.wanted or audience.listened(self._execution) or await audience.marks.include(self._execution)

    def __enter__(self) -> Speech:
        self._cell = self._audience.begin(self._execution, self._live)
        return self

    def __exit__(self, *_: object) -> None:
        if self._cell is not None:
            self._audience.end(self._execution, self._live, self._cell)

    def say(self, text: str = "", reasoning: str = "") -> None:
        """A piece of the answer, or of the reasoning before it."""
        if self._cell is not None and self._live.say(text, reasoning):
            self._audience.said(self._execution)
            self._cell.more()


class Audience:
    """Of one runtime."""

    def __init__(self, store: Store, clock: Callable[[], int], commits: Commits) -> None:
        self.marks = Marks(store, clock)
        self._store = store
        self._commits = commits
        self._hears = False
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._live: dict[str, Live] = {}
        self._cells: OrderedDict[str, Cell] = OrderedDict()

    # -- for listeners -------------------------------------------------------------------------------

    @contextmanager
    def subscription(self, execution: str) -> Generator[Subscription]:
        """To one execution, as it goes on in this process."""
        mine = Subscription()
        self._subscriptions.setdefault(execution, []).append(mine)
        self._listen()
        try:
            yield mine
        finally:
            left = self._subscriptions[execution]
            left.remove(mine)
            if not left:
                del self._subscriptions[execution]
            self._listen()

    def listened(self, execution: str) -> bool:
        """Whether anybody in this process listens to it."""
        return execution in self._subscriptions

    def live(self, execution: str) -> Live | None:
        """What is being said in this process."""
        return self._live.get(execution)

    # -- for calls -----------------------------------------------------------------------------------

    def speech(self, execution: str, op: str, attempt: int, heard: Heard) -> Speech:
        """Of an attempt of a model call."""
        return Speech(self, execution, op, attempt, heard)

    def begin(self, execution: str, live: Live) -> Cell:
        """An answer is about to be said."""
        cell = self._cells.get(execution)
        if cell is None:
            cell = self._cells[execution] = Cell(self._store, execution, self._forget)
            if len(self._cells) > _CELLS:
                self._cells.popitem(last=False)
        cell.begin(live)
        self._live[execution] = live
        self._listen()
        self.said(execution)
        return cell

    def end(self, execution: str, live: Live, cell: Cell) -> None:
        """It has been said, or never will be."""
        if self._live.get(execution) is live:
            del self._live[execution]
            cell.end()
            if cell.empty:
                self._forget(execution)

    def said(self, execution: str) -> None:
        """Something was said."""
        for one in self._subscriptions.get(execution, ()):
            one.news.set()

    async def close(self) -> None:
        for cell in list(self._cells.values()):
            await cell.close()
        await self.marks.close()

    # -- commits -------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Hear of commits while that is of use, and only then."""
        wanted = bool(self._subscriptions or self._cells)
        if wanted != self._hears:
            self._hears = wanted
            (self._commits.hear if wanted else self._commits.ignore)(self._committed)

    def _committed(self, change: Change, done: asyncio.Future[Any]) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        for one in self._subscriptions.get(change.id, ()):
            one.tell()
        cell = self._cells.get(change.id)
        if cell is not None and not cell.empty and _ends(change, cell.op):
            cell.drop()

    def _forget(self, execution: str) -> None:
        if execution not in self._live:
            self._cells.pop(execution, None)
            self._listen()


def _ends(change: Change, op: str) -> bool:
    """Whether the call has its outcome, or will have none."""
    return change.status in FINAL or any(map(partial(_is_outcome, op), change.entries))


def _is_outcome(op: str, text: str) -> bool:
    try:
        fact: Fact = decode(text)
    except StoreCorrupt:
        return False
    return fact["type"] == "reply" or (fact["type"] == "model" and fact.get("op") == op)
