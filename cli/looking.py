"""What ``top`` looks at: a store, or a server that runs, asked by its API alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..state.records import Filter, Head, Page
from .exits import NOT_FOUND, Exit
from .overview import Entry, Standing

if TYPE_CHECKING:
    from ..orchestrator.reading import Reading
    from .server import Server

ASKED_AT_ONCE = 200  # heads of a page of the API


class FromStore:
    """A store that is open."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def standing(self) -> Standing:
        reading = self._reading
        now = reading.clock()
        due = await reading.store.due(now, 1)
        first = await reading.find(due[0]) if due else None
        lag = max(now - first.wake, 0) if first is not None and first.wake is not None else 0
        return Standing(now, await reading.store.owners(now), None if first is None else first.id, lag)

    async def counts(self) -> Mapping[str, int]:
        return await self._reading.counts()

    async def page(self, where: Filter, cursor: str | None, limit: int) -> Page:
        return await self._reading.page(where, cursor, limit)

    async def again(self, heads: Sequence[Head]) -> list[Head | None]:
        return [await self._reading.find(head.id) for head in heads]

    async def excerpt(self, id: str, after: int, limit: int, most: int) -> list[Entry]:
        return await self._reading.excerpt(id, after, limit, most)


class FromServer:
    """A server that runs. What it does not answer is not asked again here: whoever looks again does."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def standing(self) -> Standing:
        told = await self._ask("/processes")
        with self._server.understood():
            owners = {one["owner"]: int(one["leases"]) for one in told["processes"]}
            return Standing(told["now"], owners, "" if told["due"]["count"] else None, told["due"]["lag"])

    async def counts(self) -> Mapping[str, int]:
        found: Mapping[str, int] = await self._ask("/counts")
        return found

    async def page(self, where: Filter, cursor: str | None, limit: int) -> Page:
        query: dict[str, Any] = {"limit": str(min(limit, ASKED_AT_ONCE))}
        if where.status:
            query["status"] = list(where.status)
        if where.awaits:
            query["awaits"] = where.awaits
        if cursor is not None:
            query["cursor"] = cursor
        told = await self._ask("/executions", query)
        with self._server.understood():
            return Page([_head(one) for one in told["executions"]], told["cursor"])

    async def again(self, heads: Sequence[Head]) -> list[Head | None]:
        """By a page of all that ask for an approval, which most of them still do."""
        if not heads:
            return []
        page = await self.page(Filter(awaits="approval"), None, ASKED_AT_ONCE)
        known = {head.id: head for head in page.heads}
        return [known[head.id] if head.id in known else await self._find(head.id) for head in heads]

    async def excerpt(self, id: str, after: int, limit: int, most: int) -> list[Entry]:
        query = {"after": str(after), "limit": str(limit)}
        told = await self._of("/history", id, query)
        with self._server.understood():
            found: list[Entry] = told["entries"]
            return found

    async def _find(self, id: str) -> Head | None:
        try:
            told = await self._of("/executions", id)
        except Exit as error:
            if error.code == NOT_FOUND:
                return None
            raise
        with self._server.understood():
            return _head(told)

    async def _of(self, place: str, id: str, query: Mapping[str, Any] | None = None) -> Any:
        from .server import execution

        return await self._ask(f"{place}/{execution(id)}", query)

    async def _ask(self, place: str, query: Mapping[str, Any] | None = None) -> Any:
        answer = await asyncio.to_thread(self._server.ask, "GET", place, query=query, again=False)
        with self._server.understood():
            return answer.json()


def _head(told: Mapping[str, Any]) -> Head:
    """What the API says of one; it says nothing of what is for processes alone."""
    beside: dict[str, Any] = {"base": 1, "arrivals": 0, "state": ""}
    return Head(**{name: beside[name] if name in beside else told[name] for name in Head._fields})
