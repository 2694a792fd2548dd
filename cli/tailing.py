"""What ``logs`` follows: journals as they grow, those of children too, read from a store or asked of a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..state.errors import UnknownExecution
from ..state.records import FINAL
from .exits import NOT_FOUND, Exit
from .follow import FASTEST, SLOWEST, rests

if TYPE_CHECKING:
    from ..orchestrator.reading import Reading
    from .server import Server

Entry = dict[str, Any]
MOST_CHILDREN = 500
"""Executions that are followed at once beside the first; those that have ended are not counted."""


class Look(NamedTuple):
    """An execution when it was looked at: its status, whether it will go on by itself, and what is new."""

    status: str
    ended: bool
    entries: list[tuple[int, Entry]]


class Source(Protocol):
    """Where journals are read."""

    async def look(self, id: str, after: int) -> Look:
        """Entries after that number. Raises UnknownExecution or Exit when there is no such execution."""
        ...


class FromStore:
    """A store that is open."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def look(self, id: str, after: int) -> Look:
        head = await self._reading.show(id)
        fresh = [found async for found in self._reading.numbered(id, after)]
        reached = fresh[-1][0] if fresh else after
        ended = (reached >= head.length or not fresh) and await rests(self._reading, head)
        return Look(head.status, ended, fresh)


class FromServer:
    """A server that runs. It is asked in turn, and a break is waited out as ``Server`` says."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def look(self, id: str, after: int) -> Look:
        with self._server.understood():
            head = self._ask("/executions", id)
            fresh: list[tuple[int, Entry]] = []
            asked: int | None = after
            while asked is not None:
                page = self._ask("/history", id, after=str(asked))
                fresh += enumerate(page["entries"], asked + 1)
                asked = page["next"]
            reached = fresh[-1][0] if fresh else after
            return Look(head["status"], reached >= head["length"] and head["status"] in (*FINAL, "stuck"), fresh)

    def _ask(self, place: str, id: str, **query: str) -> Any:
        from .server import execution

        return self._server.ask("GET", f"{place}/{execution(id)}", query=query or None).json()


class News(NamedTuple):
    """An entry, and of which execution. ``looked``: all that was there at the first look has been told; ``status``: it
    is the last news. Those have no entry."""

    execution: str
    number: int
    entry: Entry
    looked: bool = False
    status: str = ""


class _Tail:
    def __init__(self, id: str) -> None:
        self.id = id
        self.after = 0
        self.ended = False
        self._at = 0

    def reached(self, entry: Entry) -> int:
        """When the entry was written; never before the one that it follows, also where it does not say."""
        at = entry.get("at")
        self._at = max(self._at, at if isinstance(at, int) else 0)
        return self._at


async def tail(source: Source, id: str, *, on: bool, children: bool, idle: bool) -> AsyncGenerator[News]:
    """Entries in the order of their times, as far as they are known when they are looked at, and at the end one news
    with the status. ``on``: until the execution has ended or is stuck (or, with ``idle``, when a session has nothing to
    do); ``children``: what it has begun too, and what that has."""
    tails = [_Tail(id)]
    pause = FASTEST
    while True:
        fresh: list[tuple[int, News]] = []
        status = ""
        for one in tails:  # grows meanwhile
            if one.ended:
                continue
            look = await _look(source, one, first=one is tails[0])
            if look is None:
                continue
            status = look.status if one is tails[0] else status
            fresh += [(one.reached(entry), News(one.id, number, entry)) for number, entry in look.entries]
            if children:
                known = {other.id for other in tails}
                begun = dict.fromkeys(child for _, entry in look.entries if (child := _child(entry)) not in known)
                going = sum(not other.ended for other in tails)
                tails += [_Tail(child) for child in begun if child][: max(MOST_CHILDREN - going, 0)]
        for _, news in sorted(fresh, key=lambda pair: pair[0]):
            yield news
        if not on or tails[0].ended or (idle and status == "idle"):
            yield News(id, 0, {}, status=status)
            return
        yield News(id, 0, {}, looked=True)
        pause = FASTEST if fresh else min(pause * 1.5, SLOWEST)
        await asyncio.sleep(pause)


async def _look(source: Source, one: _Tail, *, first: bool) -> Look | None:
    try:
        look = await source.look(one.id, one.after)
    except (UnknownExecution, Exit) as error:
        if first or (isinstance(error, Exit) and error.code != NOT_FOUND):
            raise
        return None  # a child that is ordered, and not begun yet
    if look.entries:
        one.after = look.entries[-1][0]
    one.ended = look.ended
    return look


def _child(entry: Entry) -> str:
    return str(entry.get("id") or "") if entry.get("type") == "ordered" and entry.get("kind") == "child" else ""
