"""What is published in the simulation of publications, and the functions of each kind that have subscribed to it. Each
writes down who did what when, and says what must never be."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from overwinter import Agent, Context, Retry, Scripted, subscribe, tool, workflow
from overwinter.functions.effects import Resolve
from overwinter.functions.models.port import Message
from overwinter.testing.process import Process

from .logs import here

PAID, WROTE, SHIPPED, NOISE = "order.paid", "customer.wrote", "order.shipped", "noise"
ATTEMPTS = 2
FATES = ("plain",) * 7 + ("unfit", "fails", "mends", "test")
"""Of an order: nobody's arguments, no end of failures, one failure, or a region that one subscription does not want."""


class Ware(NamedTuple):
    """An event to publish, after a ``pause`` in seconds. ``n`` is its alone. ``key`` "": it has none, and nobody waits
    for it."""

    n: str
    type: str
    key: str
    fate: str = "plain"
    pause: float = 0.0

    @property
    def data(self) -> Any:
        if self.type != PAID:
            return self.n
        made: dict[str, Any] = {"n": self.n, "key": self.key}
        return made | ({"odd": 1} if self.fate == "unfit" else {"fate": self.fate})

    @property
    def region(self) -> str:
        return "test" if self.fate == "test" else "eu"

    @property
    def takers(self) -> set[str]:
        """The subscriptions that it is for."""
        if self.type == WROTE:
            return {"desk", "once"}
        if self.type != PAID:
            return set()
        return {"note", "ship", "pack", "bill", "charge", "heard"} - ({"note"} if self.fate == "test" else set())

    @property
    def refused(self) -> set[str]:
        """Those at which it must end as a dead letter."""
        if self.type == WROTE:
            return set() if self.key else {"desk"}
        return {"unfit": {"note", "pack", "charge"}, "fails": {"pack"}}.get(self.fate, set())


def plan(draw: random.Random, publisher: str, size: int = 5) -> list[Ware]:
    """What one of them publishes, one after another."""
    found: list[Ware] = []
    for number in range(size):
        type = draw.choice((PAID, PAID, PAID, WROTE, WROTE, NOISE))
        fate = draw.choice(FATES) if type == PAID else "plain"
        found.append(
            Ware(f"{publisher}.{number}", type, draw.choice(("a", "a", "b", "")), fate, draw.choice((0.0, 0.2, 6.0)))
        )
    return found


class Doings:
    """``first`` and ``last``: when something was done, as a number that grows; ``done``: what was done to its end.
    ``slept``: processes that stood still. They may have lost what they have in hand to others, as if they had died."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.wrong: list[str] = []
        self.first: dict[tuple[str, str], int] = {}
        self.last: dict[tuple[str, str], int] = {}
        self.done: set[tuple[str, str]] = set()
        self.slept: set[Process] = set()
        self._allowed: Counter[tuple[str, str]] = Counter()  # attempts that failed or were cut
        self._raised: Counter[tuple[str, str]] = Counter()
        self._by: dict[tuple[str, str], list[Process]] = {}
        self._at_work: dict[str, list[tuple[str, Process]]] = {}
        self._now = 0

    def _counts(self, process: Process) -> bool:
        return process.alive and process not in self.slept

    @asynccontextmanager
    async def doing(self, what: str, n: str, key: str | None = None, most: int = 1000) -> AsyncGenerator[None]:
        """``key``: what may not be done at the same time."""
        process, did, mine = here(), (what, n), (key or "", here())
        at_work = self._at_work.setdefault(what, [])
        if self._counts(process):
            self._look(did, key, most)
        self._by.setdefault(did, []).append(process)
        at_work.append(mine)
        self._now += 1
        self.first.setdefault(did, self._now)
        try:
            await asyncio.sleep(self.draw.choice((0.0, 0.05, 0.4)))
            yield
        except BaseException:
            self._allowed[did] += 1
            raise
        else:
            self.done.add(did)
        finally:
            if mine in at_work:
                at_work.remove(mine)
            self._now += 1
            if self._counts(process) or did not in self.last:
                self.last[did] = self._now

    def _look(self, did: tuple[str, str], key: str | None, most: int) -> None:
        """Whether it may be done now."""
        what, n = did
        if len([one for one in self._by.get(did, ()) if self._counts(one)]) > self._allowed[did]:
            self.wrong.append(f"{what} did {n} again, and nobody had died")
        at_work = self._at_work[what]
        at_work[:] = [(its, one) for its, one in at_work if self._counts(one)]
        if key and key in (its for its, _ in at_work):
            self.wrong.append(f"{what} did {n} while another of the key {key} was being done")
        if len(at_work) >= most:
            self.wrong.append(f"{what} did {n} while {len(at_work)} others were being done")

    def fail(self, what: str, n: str, fate: str) -> None:
        did = (what, n)
        if fate == "fails" or (fate == "mends" and not self._raised[did]):
            self._raised[did] += 1
            raise ValueError(f"{n} fails")

    def subscribers(self) -> list[object]:
        """Those of the far world."""

        @subscribe(type=PAID, where={"not": {"exact": {"region": "test"}}})
        @tool
        async def note(n: str, key: str, fate: str) -> str:
            """May be done again when somebody has died."""
            async with self.doing("note", n):
                return n

        @subscribe(type=PAID)
        @tool(effect="irreversible", in_doubt=Resolve(after="5s"))
        async def charge(n: str, key: str, fate: str) -> str:
            """May not."""
            async with self.doing("charge", n):
                return n

        @subscribe(type=PAID, concurrency=2, order="partitionkey", retry=Retry(attempts=ATTEMPTS, first="300ms"))
        @tool(retry=Retry(attempts=1))
        async def pack(n: str, key: str, fate: str) -> str:
            """One of a key at a time, two in all."""
            async with self.doing("pack", n, key, 2):
                self.fail("pack", n, fate)
                return n

        return [note, charge, pack, *self._workflows(), *self._agents()]

    def _workflows(self) -> list[object]:
        async def load(n: str) -> str:
            async with self.doing("ship", n):
                return n

        async def write(n: str, key: str) -> str:
            async with self.doing("bill", n, key):
                return n

        @subscribe(type=PAID)
        @workflow
        async def ship(ctx: Context, order: dict[str, Any]) -> str:
            await ctx.step(load, order["n"])
            return await ctx.publish(SHIPPED, order["n"])

        @subscribe(type=PAID, gives="event", rate="20/s", order="partitionkey")
        @workflow
        async def bill(ctx: Context, event: dict[str, Any]) -> str:
            return await ctx.step(write, event["data"]["n"], event["data"]["key"])

        return [ship, bill]

    def _agents(self) -> list[object]:
        desk = Agent("desk", Scripted(_echo), tools=[])
        once = Agent("once", Scripted(_echo), tools=[])
        return [subscribe(type=WROTE, session="partitionkey")(desk), subscribe(type=WROTE)(once)]

    def publishers(self) -> list[object]:
        """Those of the near world, and what hears of their wares."""

        @workflow
        async def sell(ctx: Context, wares: list[list[Any]]) -> int:
            for ware in (Ware(*one) for one in wares):
                if ware.pause:
                    await ctx.sleep(ware.pause)
                sent = ctx.publish(ware.type, ware.data, key=ware.key or None, region=ware.region)
                if ware.key:
                    await sent
            return len(wares)

        async def listen(n: str) -> str:
            async with self.doing("heard", n):
                return n

        @subscribe(type=SHIPPED)
        @workflow
        async def heard(ctx: Context, n: str) -> str:
            return await ctx.step(listen, n)

        return [sell, heard]


def _echo(messages: Sequence[Message], tools: object) -> str:
    return str(messages[-1].content)
