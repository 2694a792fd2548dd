"""One process's view of a shared store, through which it can be disturbed.

``StoreOfOneProcess`` passes every operation on and asks its ``Faults`` before and after the effect. There it may
be held up, refused with StoreUnavailable (before the effect only, as the contract says), or the process
may die: then the effect has happened or has not, and no answer ever comes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from ..state.errors import StoreUnavailable
from ..state.records import (
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
from ..state.store import Store

T = TypeVar("T")
FILTER = Filter()


class Moment(NamedTuple):
    """Just before or just after the effect of one store operation of one process."""

    process: str
    number: int  # counted from 1 over all moments of the process
    when: str  # "before" or "after"
    operation: str  # the Store method
    subject: str  # execution id, scope, owner or ""

    def __str__(self) -> str:
        return f"{self.when} {self.operation}({self.subject}), moment {self.number} of {self.process}"


class Faults:
    """Nothing ever goes wrong. Subclasses disturb: they sleep, raise StoreUnavailable or kill."""

    async def at(self, moment: Moment) -> None:
        """Called at every moment; the operation goes on when it returns."""


class KillAt(Faults):
    """The process dies at its n-th moment. ``kill`` never returns."""

    def __init__(self, number: int, kill: Callable[[Moment], Awaitable[None]]) -> None:
        self._number = number
        self._kill = kill

    async def at(self, moment: Moment) -> None:
        if moment.number == self._number:
            await self._kill(moment)


class Weather(NamedTuple):
    """How likely what is at one moment. Delays in seconds, outages in the time of the loop."""

    kill: float = 0.0
    delay: float = 0.0
    longest_delay: float = 0.02
    stall: float = 0.0
    longest_stall: float = 6.0
    refuse: float = 0.0
    lose: float = 0.0  # the effect has happened, the answer is lost; more than the contract allows


CALM = Weather()


class Disturbed(Faults):
    """Random faults from a seeded source, as the current ``weather`` has them; ``outage_until`` refuses all."""

    def __init__(
        self, draw: random.Random, kill: Callable[[Moment], Awaitable[None]], stall: Callable[[float], Awaitable[None]]
    ) -> None:
        self._draw = draw
        self._kill = kill
        self._stall = stall
        self.weather = CALM
        self.outage_until = 0.0

    async def at(self, moment: Moment) -> None:
        weather, draw = self.weather, self._draw
        if draw.random() < weather.delay:
            await asyncio.sleep(draw.uniform(0, weather.longest_delay))
        if draw.random() < weather.stall:
            await self._stall(draw.uniform(0, weather.longest_stall))
        if draw.random() < weather.kill:
            await self._kill(moment)
        if moment.when == "after":
            if draw.random() < weather.lose:
                raise StoreUnavailable(f"injected: answer lost {moment}")
        else:
            out = asyncio.get_running_loop().time() < self.outage_until
            if out or draw.random() < weather.refuse:
                raise StoreUnavailable(f"injected {moment}")


class StoreOfOneProcess(Store):
    """``shared`` as the process ``name`` sees it."""

    def __init__(self, shared: Store, name: str, faults: Faults) -> None:
        self.dsn = shared.dsn
        self.faults = faults
        self.moments = 0
        self._shared = shared
        self._name = name

    async def _ask(self, operation: str, subject: str, work: Callable[[], Awaitable[T]]) -> T:
        await self._moment("before", operation, subject)
        answer = await work()
        await self._moment("after", operation, subject)
        return answer

    async def _moment(self, when: str, operation: str, subject: str) -> None:
        self.moments += 1
        await self.faults.at(Moment(self._name, self.moments, when, operation, subject))

    async def open(self) -> None:
        await self._shared.open()

    async def close(self) -> None:
        """The shared store stays open for the other processes."""

    async def accept(
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
    ) -> Accepted:
        return await self._ask(
            "accept",
            id,
            lambda: self._shared.accept(
                id, mail, now=now, owner=owner, create=create, known=known, reopen=reopen, served=served
            ),
        )

    async def append(self, change: Change) -> Appended:
        return await self._ask("append", change.id, lambda: self._shared.append(change))

    async def due(self, now: int, limit: int = 100) -> Sequence[str]:
        return await self._ask("due", "", lambda: self._shared.due(now, limit))

    async def next_wake(self) -> int | None:
        return await self._ask("next_wake", "", self._shared.next_wake)

    async def beat(self, owner: str, now: int, ttl: int) -> Sequence[tuple[str, int]]:
        return await self._ask("beat", owner, lambda: self._shared.beat(owner, now, ttl))

    async def retire(self, owner: str) -> None:
        await self._ask("retire", owner, lambda: self._shared.retire(owner))

    async def time(self) -> int | None:
        return await self._ask("time", "", self._shared.time)

    async def head(self, id: str) -> Head | None:
        return await self._ask("head", id, lambda: self._shared.head(id))

    async def executions(self, where: Filter = FILTER, cursor: str | None = None, limit: int = 50) -> Page:
        return await self._ask("executions", "", lambda: self._shared.executions(where, cursor, limit))

    async def scan(
        self, where: Filter = FILTER, cursor: str | None = None, limit: int = 50, most: int = 10_000
    ) -> Scan:
        return await self._ask("executions", "", lambda: self._shared.scan(where, cursor, limit, most))

    async def history(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[str]:
        return await self._ask("history", id, lambda: self._shared.history(id, after, limit))

    async def mail(self, id: str, lane: int, after: int = 0, limit: int = MAIL_BATCH) -> Sequence[Mail]:
        return await self._ask("mail", id, lambda: self._shared.mail(id, lane, after, limit))

    async def mailbox(self, id: str, limit: int = 100) -> tuple[int, list[str]]:
        return await self._ask("mailbox", id, lambda: self._shared.mailbox(id, limit))

    async def counts(self) -> dict[str, int]:
        return await self._ask("counts", "", self._shared.counts)

    async def delete(self, id: str, *, now: int) -> bool:
        return await self._ask("delete", id, lambda: self._shared.delete(id, now=now))

    async def owners(self, now: int) -> Mapping[str, int]:
        return await self._ask("owners", "", lambda: self._shared.owners(now))

    async def dump(self, id: str) -> Dump | None:
        return await self._ask("dump", id, lambda: self._shared.dump(id))

    async def restore(self, dump: Dump) -> bool:
        return await self._ask("restore", dump.head.id, lambda: self._shared.restore(dump))

    async def scopes(self, after: str = "", limit: int = 1000) -> Sequence[str]:
        return await self._ask("scopes", "", lambda: self._shared.scopes(after, limit))

    async def get(self, scope: str, key: str) -> Value | None:
        return await self._ask("get", scope, lambda: self._shared.get(scope, key))

    async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
        return await self._ask("put", scope, lambda: self._shared.put(scope, key, value, etag=etag))

    async def remove(self, scope: str, key: str, *, etag: str | None = None) -> bool:
        return await self._ask("remove", scope, lambda: self._shared.remove(scope, key, etag=etag))

    async def keys(self, scope: str, prefix: str = "", limit: int = 1000) -> Sequence[str]:
        return await self._ask("keys", scope, lambda: self._shared.keys(scope, prefix, limit))

    async def values(
        self, scope: str, prefix: str = "", after: str = "", limit: int = 1000
    ) -> Sequence[tuple[str, Value]]:
        return await self._ask("values", scope, lambda: self._shared.values(scope, prefix, after, limit))

    async def blob(self, id: str, digest: str) -> bytes | None:
        return await self._ask("blob", id, lambda: self._shared.blob(id, digest))
