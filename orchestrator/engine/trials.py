"""The trial of a suspect, alone in its process: only who died there, with nothing else beside it, may be condemned.

A suspect that has died once less than the limit, or more often, is begun only on trial. Its process *makes way* for it
first: it begins nothing else and hands over what runs, for a while. When nothing else is active, it writes down that
the suspect is alone and begins it, and nothing else for a while; whatever comes is stored, for other processes or for
later. Before it begins anything else again, it takes back what it wrote. So the note stands after a death only when no
other execution can have been the cause, and without it a death proves nothing.

"For a while" is a second, and twice as long after each death that proved nothing. So others that run for hours, or a
suspect that kills only after hours, cost a few deaths more, as many as the doublings, and a trial holds nobody up for
much longer than the suspect has lived before. The note is one key-value entry: scope ``overwinter.trials``, key the id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from enum import Enum
from functools import partial
from typing import Any, Protocol, TypeVar

from ...state.codec import dumps, loads
from ...state.errors import StoreError
from ...state.records import Accepted, Answer, Head, NewMail
from ...state.store import Store

log = logging.getLogger("overwinter")
SCOPE = "overwinter.trials"
FIRST = 1_000
T = TypeVar("T")


def quiet(deaths: int, limit: int) -> int:
    """For how many ms nothing else is begun."""
    return FIRST << min(max(deaths - limit + 1, 0), 16)


class Stage(Enum):
    """How far the trial of this process is."""

    NONE = "nobody is on trial"
    WAY = "others make way"
    ALONE = "nothing else is begun"
    LONG = "alone, and for long enough: it ends when anything else is to begin"
    BESIDE = "others may begin, and a death proves nothing"
    OVER = "it is being taken back that it was alone"


_SHUT = frozenset({Stage.WAY, Stage.ALONE, Stage.OVER})


class Evidence(Enum):
    """What the last death of an execution proves."""

    NONE = "nothing: there were others"
    ALONE = "it was alone"
    LOOKED_AT = "it was alone before, and its code was run only to name what was open"


class Process(Protocol):
    """Where trials are held: an engine."""

    store: Store

    @property
    def active(self) -> Mapping[str, object]:
        """The executions that run here."""
        ...

    @property
    def asking(self) -> Mapping[str, object]:
        """Those for which a lease may be on its way."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it beside everything else."""
        ...

    async def post(self, id: str, mail: NewMail | None) -> Accepted:
        """Take an execution, if it is free."""
        ...


class Patience(Protocol):
    """Asks the store until it answers."""

    async def __call__(self, work: Callable[[], Awaitable[T]], execution: str) -> T: ...


class Trials:
    """Those of one process, one at a time. ``limit``: the deaths that are a verdict. ``freed`` is called when something
    may be begun again."""

    def __init__(self, process: Process, limit: int, patiently: Patience) -> None:
        self._patiently = patiently
        self.making_way = False
        self.freed: Callable[[], None] = lambda: None
        self._process = process
        self._limit = limit
        self._who = ""
        self._stage = Stage.NONE
        self._left = False  # it is no longer held here
        self._noted = False

    def needed(self, deaths: int) -> bool:
        """Whether one with so many deaths is begun only on trial."""
        return 0 < self._limit <= deaths + 1 and deaths > 0

    @property
    def shut(self) -> bool:
        """Whether nothing at all is to be looked for."""
        return self._stage in _SHUT

    def closed(self, id: str) -> bool:
        """Whether this execution may not be begun here now, because another one is on trial. To ask is to want it."""
        if self._who in ("", id):
            return False
        if self._stage is Stage.LONG:
            self._take_back()
        return self._stage is not Stage.BESIDE

    def _others(self, id: str) -> bool:
        """Whether anything but this execution is active here, or about to be."""
        active, asking = self._process.active, self._process.asking
        return len(active) > (id in active) or len(asking) > (id in asking)

    def may_begin(self, id: str, deaths: int) -> bool:
        """Whether its trial may begin now; if so, it has its place. Else, when there is none, others make way for it,
        and it is taken then."""
        if self._who:
            return self._who == id and self._stage in (Stage.ALONE, Stage.BESIDE)
        self._who, self._left = id, False
        if not self._others(id):
            self._stage = Stage.ALONE
            return True
        self._stage, self.making_way = Stage.WAY, True
        self._process.spawn(self._make_way(id, quiet(deaths, self._limit) / 1000))
        return False

    async def _make_way(self, id: str, most: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + most
        while self._others(id) and loop.time() < deadline:  # noqa: ASYNC110  # rare and short
            await asyncio.sleep(0.02)
        self._stage, self.making_way = Stage.BESIDE if self._others(id) else Stage.ALONE, False
        granted = False
        try:
            granted = (await self._process.post(id, None)).answer is Answer.GRANTED
        except StoreError as error:
            log.warning("execution %s: its trial could not be begun (%s)", id, error)
        if not granted:
            self.gone(id)
        self.freed()

    def gone(self, id: str) -> None:
        """It is cleared, or no longer held here."""
        if self._who == id and self._stage is not Stage.WAY:
            self._left = True
            if self._noted:
                self._take_back()
            elif self._stage is not Stage.OVER:
                self._end()

    def _end(self) -> None:
        self._who, self._stage = "", Stage.NONE
        self.freed()

    # -- what is written down ------------------------------------------------------------------------

    async def begin(self, head: Head) -> None:
        """It was granted and is about to be begun: from here on it dies alone, or its death proves nothing."""
        if self._who == head.id and self._stage is Stage.ALONE:
            await self._note(head, looked=False)
            self._process.spawn(self._be_quiet(head.id, quiet(head.deaths, self._limit) / 1000))
        else:
            await self._patiently(partial(self._process.store.remove, SCOPE, head.id), head.id)

    async def look_at(self, head: Head) -> None:
        """It is condemned, and its code is run once more to name what was open. Who dies now died of that."""
        await self._note(head, looked=True)

    async def evidence(self, head: Head) -> Evidence:
        """What its last death proves."""
        found = await self._patiently(partial(self._process.store.get, SCOPE, head.id), head.id)
        note: dict[str, Any] = {} if found is None else loads(found.value)
        if (note.get("version"), note.get("deaths")) != (head.version, head.deaths - 1):
            return Evidence.NONE
        return Evidence.LOOKED_AT if note["looked"] else Evidence.ALONE

    async def _note(self, head: Head, *, looked: bool) -> None:
        self._noted = True
        text = dumps({"version": head.version, "deaths": head.deaths, "looked": looked})
        await self._patiently(partial(self._process.store.put, SCOPE, head.id, text), head.id)

    async def _be_quiet(self, id: str, long: float) -> None:
        await asyncio.sleep(long)
        if self._who == id and self._stage is Stage.ALONE:
            self._stage = Stage.LONG
            self.freed()

    def _take_back(self) -> None:
        if self._stage is not Stage.OVER:
            self._stage = Stage.OVER
            self._process.spawn(self._taking_back(self._who))

    async def _taking_back(self, id: str) -> None:
        await self._patiently(partial(self._process.store.remove, SCOPE, id), id)
        self._noted = False
        self._stage = Stage.BESIDE
        if self._left:
            self._end()
        self.freed()
