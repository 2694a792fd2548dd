"""An execution's journal as a follower reads it: onwards as it grows, and back to where something stands."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ...state.records import Head
from ...state.store import Store
from ..protocol.decider import Fact

BACK = 50
"""Entries read at once."""
_ALL = 1 << 40


class Since(NamedTuple):
    """How far an execution was at a moment: its version, where that is known, and the entries that its journal had."""

    version: int | None
    length: int


class Journal(Protocol):
    """Where executions are read."""

    store: Store

    def clock(self) -> int: ...
    async def show(self, id: str) -> Head: ...
    async def at_rest(self, id: str) -> Head | None: ...
    async def excerpt(self, id: str, after: int, limit: int, most: int) -> list[Fact]: ...
    async def entire(self, id: str, entry: Fact) -> Fact: ...


async def before(journal: Journal, id: str, upto: int) -> list[tuple[int, Fact]]:
    """The last entries up to that number, with theirs, oldest first."""
    first = max(upto - BACK, 0)
    found = await journal.excerpt(id, first, upto - first, _ALL) if upto else []
    return list(enumerate(found, first + 1))


async def sent(journal: Journal, id: str, message: str) -> int:
    """How many entries stand before a message; all, when it is not among them yet."""
    length = upto = (await journal.show(id)).length
    while upto > 0:
        for number, entry in reversed(await before(journal, id, upto)):
            if entry["type"] == "message" and entry.get("id") == message:
                return number - 1
        upto -= BACK
    return length
