"""Who listens to what is being said in this process, here and elsewhere, and how it gets to them.

A model call asks for its ``Speech``. Is it wanted, by who sent the message or by who listens, pieces of the answer go
to listeners in this process at once, and to those elsewhere through the store (``cell``). Nobody listens: nothing is
done at all.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from ...state.errors import StoreCorrupt
from ...state.quantities import seconds
from ...state.records import FINAL, Appended, Change
from ...state.store import Store
from ..protocol.decider import Fact, Heard
from ..protocol.entries import decode
from .cell import Cell
from .live import Live
from .marks import Marks

_CELLS = 4096
"""Executions whose entries in the store this process remembers to remove."""


_FED = 64
"""Commits that are kept for a listener; more of them it reads from the store."""


class Commits(Protocol):
    """Where commits are heard of."""

    def hear(self, committed: Callable[[Change, Appended], None]) -> None: ...
    def ignore(self, committed: Callable[[Change, Appended], None]) -> None: ...


class Subscription:
    """One listener in this process. ``committed``: the journal has grown, or may have; ``fed`` are the entries that
    it has grown by here, with the version that they were added to. There is news with that, and when something was
    said."""

    __slots__ = ("_due", "_loop", "_news", "_timer", "_waiter", "committed", "fed")

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._news = False
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0  # when the pause of the last wait is over
        self.committed = True
        self.fed: list[tuple[int, Sequence[str]]] = []

    def feed(self, version: int, entries: Sequence[str]) -> None:
        """These were committed in this process. Who does not take them is not waited for."""
        if len(self.fed) >= _FED:
            self.fed.clear()
        self.fed.append((version, entries))
        self.tell()

    def tell(self) -> None:
        """The journal has grown."""
        self.committed = True
        self.said()

    def said(self) -> None:
        """Something was said."""
        self._news = True
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def wait(self, pause: float) -> None:
        """Until there is news. After the pause there may be some in the store."""
        if not self._news:
            self._due = self._loop.time() + pause
            if self._timer is None or self._timer.when() > self._due:
                self._set()  # else one that stands is early enough: this is waited for at every piece
            self._waiter = self._loop.create_future()
            await self._waiter
        self._news = False

    def close(self) -> None:
        """Nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        """The pause of a wait is over: of the last one, or of one before it."""
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() < self._due:
            self._set()
        else:
            self.tell()


class Speech:
    """What one attempt of a model call says."""

    __slots__ = ("_attempt", "_audience", "_cell", "_execution", "_live", "_op", "heard")

    def __init__(self, audience: Audience, execution: str, op: str, attempt: int, heard: Heard) -> None:
        self._audience = audience
        self._execution = execution
        self._op = op
        self._attempt = attempt
        self._live: Live | None = None
        self._cell: Cell | None = None
        self.heard = heard

    @property
    def by(self) -> str:
        """Which attempt of all it is."""
        return "" if self._live is None else self._live.by

    async def wanted(self) -> bool:
        """Whether anybody would hear it."""
        audience = self._audience
        return self.heard.wanted or audience.listened(self._execution) or await audience.marks.include(self._execution)

    def __enter__(self) -> Speech:
        live = self._live = Live(self._op, self._attempt, self.heard)
        self._cell = self._audience.begin(self._execution, live)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None and self._cell is not None:
            self._audience.end(self._execution, self._live, self._cell)

    def say(self, text: str = "", reasoning: str = "") -> None:
        """A piece of the answer, or of the reasoning before it."""
        if self._cell is not None and self._live is not None and self._live.say(text, reasoning):
            self._audience.said(self._execution)
            self._cell.more()


class Audience:
    """Of one runtime."""

    def __init__(self, store: Store, clock: Callable[[], int], commits: Commits) -> None:
        self.marks = Marks(store, clock)
        self._store = store
        self._pause = seconds(store.saying)
        self._commits = commits
        self._hears = False
        self.closed = False
        """Nothing more is heard here."""
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
            cell = self._cells[execution] = Cell(self._store, execution, self._pause, self._forget)
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
            one.said()

    async def close(self) -> None:
        self.closed = True
        for one in [one for several in self._subscriptions.values() for one in several]:
            one.tell()
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

    def _committed(self, change: Change, _: Appended) -> None:
        for one in self._subscriptions.get(change.id, ()):
            one.feed(change.version, change.entries)
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
