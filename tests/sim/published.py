"""Events that are published and taken by others, in bad weather: workflows of one world and clients of it publish, and
functions of each kind of another world have subscribed. All processes die between any two operations of their stores.

The two worlds have stores of their own and a broker between them (``logs``), or they share a store, which is then the
broker. The world of the subscribers has two processes. In the end every event was taken once by each subscription that
it is for, in the order that was promised, nothing else has begun, and what can't be taken lies with the dead letters.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

from overwinter import InDoubt, Settings
from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import from_json
from overwinter.functions.events.intake import key_of
from overwinter.functions.runtime import Runtime
from overwinter.orchestrator.errors.failures import decode
from overwinter.state.codec import loads
from overwinter.state.errors import BrokerUnavailable, ExecutionError, StoreError, StoreUnavailable
from overwinter.state.records import FINAL, Appended, Change, Head
from overwinter.testing.clock import Deadlock, VirtualLoop, run_virtual
from overwinter.testing.faults import CALM, Disturbed, Faults, Moment, Weather
from overwinter.testing.ledger import Ledger
from overwinter.testing.process import Died, Process
from overwinter.testing.world import World

from .logs import End, Log
from .wares import ATTEMPTS, PAID, Doings, Ware, plan

CLEARING = 30.0
"""Seconds until the weather is fine."""
PATIENCE = 90.0
LATE = 25.0
"""Seconds after which nothing comes again."""
WEATHER = Weather(kill=0.006, delay=0.3, longest_delay=0.05, stall=0.001)
REFUSED = 0.03
SETTINGS = Settings(lease="2s", poll="1s", deaths=1000)  # whatever dies here, nobody is to blame
AGENTS = ("desk", "once")
ALONE = {"note", "ship", "charge"}
"""Those for which each order begins an execution at once."""


class Published:
    """One run. ``kind``: "broker" or "store". ``bad``: how likely the broker does anything wrong."""

    def __init__(self, seed: int, kind: str = "broker", bad: float = 0.12) -> None:
        self.draw = random.Random(seed)
        self.kind = kind
        self.bad = bad
        self.doings = Doings(self.draw)
        self.wrong = self.doings.wrong
        self.plans = [plan(self.draw, f"w{n}") for n in range(3)]
        self.clients = [plan(self.draw, f"c{n}", 4) for n in range(2)]
        self.wares = {ware.n: ware for one in (*self.plans, *self.clients) for ware in one}
        self.due = {(taker, n) for n, ware in self.wares.items() for taker in ware.takers - ware.refused}
        self.letters: list[Any] = []
        self._asleep: dict[Process, float] = {}  # until when

    def run(self) -> Published:
        try:
            run_virtual(self._main, limit="3h")
        except Deadlock as error:
            self.wrong.append(f"it never ends: {str(error)[:300]}")
        return self

    @property
    def deaths(self) -> int:
        return sum(len(world.processes) - 1 for world in self.worlds)

    async def _main(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.log = log = Log(self.draw, lambda: 0.0 if loop.time() > CLEARING else self.bad, self._sleeps)
        here, there = (End(log), End(log)) if self.kind == "broker" else (None, None)
        taken = Confirming(self._confirms)
        subscribers = self.doings.subscribers()
        self.far, other = (
            World(loop, subscribers, SETTINGS, self._faults, ledger=taken, broker=there, name=name)
            for name in ("far", "other")
        )
        ledger = Confirming(self._confirms) if self.kind == "broker" else taken
        near = self.doings.publishers()
        self.near = World(loop, near, SETTINGS, self._faults, ledger=ledger, broker=here, name="near")
        self.worlds = (self.near, self.far, other)
        try:
            for world in self.worlds:
                await world.call(_there)  # what was published before would be for nobody
            async with asyncio.timeout(CLEARING + PATIENCE):
                leaving = [loop.create_task(self._leave(world)) for world in self.worlds]
                sold = [self._sell(f"w{n}", wares) for n, wares in enumerate(self.plans)]
                await asyncio.gather(*sold, *(self._publish(one) for one in self.clients), *leaving)
                while self._open():  # noqa: ASYNC110  # only the stores know
                    await asyncio.sleep(1.0)
            await asyncio.sleep(max(0.0, CLEARING - loop.time()) + LATE)
        except TimeoutError:
            self.wrong.append(f"not done: {sorted(self._open())[:6]}")
        else:
            self.letters = list(await self.far.call(lambda runtime: runtime.bus.dead_letters.all()))
            self._check()
        finally:
            for world in self.worlds:
                world.end()

    async def _leave(self, world: World) -> None:
        """Its processes end in good order at times, and others begin in their place."""
        while self.loop.time() < CLEARING:
            await asyncio.sleep(self.draw.uniform(3, 20))
            process = world.process
            try:
                await process.stop()
            except (Died, StoreError):
                process.kill()

    def _sleeps(self, process: Process) -> bool:
        return self._asleep.get(process, 0.0) > self.loop.time()

    # -- who publishes -------------------------------------------------------------------------------

    async def _sell(self, name: str, wares: list[Ware]) -> None:
        await asyncio.sleep(self.draw.uniform(0, 5))
        while True:
            try:
                run = await self.near.start("sell", [list(ware) for ware in wares], id=name)
                break
            except (StoreError, RuntimeError):  # as of a runtime that is being closed
                await asyncio.sleep(0.2)
        try:
            await run.result()
        except ExecutionError as error:
            self.wrong.append(f"{name}: {error}")

    async def _publish(self, wares: list[Ware]) -> None:
        """A careful client: it repeats an event until it is told that this is durable, and sometimes once more."""
        for ware in wares:
            await asyncio.sleep(ware.pause)
            given: Any = {"region": ware.region} | ({"partitionkey": ware.key} if ware.key else {})
            event = CloudEvent(id=ware.n, source="/client", type=ware.type, data=ware.data, extensions=given)
            times = 2 if self.draw.random() < self.bad else 1
            await asyncio.gather(*(self._confirmed(event) for _ in range(times)))

    async def _confirmed(self, event: CloudEvent) -> None:
        while True:
            try:
                await self.near.call(lambda runtime: runtime.publish(event))
                break
            except (BrokerUnavailable, StoreError, RuntimeError):
                await asyncio.sleep(0.2)
        self._confirms(event)

    def _confirms(self, event: CloudEvent) -> None:
        """Somebody is told that this event is durable."""
        ware = self.wares.get(_n(event.data))
        if self.kind == "broker":
            if all((one.source, one.id) != (event.source, event.id) for one in self.log.kept):
                self.wrong.append(f"{event.id} was confirmed before the broker had it")
        elif event.type == PAID and ware is not None:
            for taker in ware.takers & ALONE:
                if self.near.ledger.head_now(f"{taker}:{key_of(event)}") is None:
                    self.wrong.append(f"{ware.n} was confirmed before {taker} had it")

    # -- what has come of it -------------------------------------------------------------------------

    def _heads(self) -> list[Head]:
        found = {head.id: head for world in self.worlds for head in world.ledger.heads_now()}
        return list(found.values())

    def _journal(self, id: str) -> list[Any]:
        return next(found for world in self.worlds if (found := world.ledger.journal_now(id)))

    def _open(self) -> set[str]:
        """What is not done yet."""
        at_work = {f"{head.id} {head.status}" for head in self._heads() if head.status not in (*FINAL, "idle")}
        done = self.doings.done | {did for did in self.due if did[0] in (*AGENTS, "charge")}
        return at_work | {f"{taker} has not done {n}" for taker, n in self.due - done}

    def _check(self) -> None:
        for ledger in {id(world.ledger): world.ledger for world in self.worlds}.values():
            self.wrong += ledger.audit()
        begun, said, doubtful = self._begun()
        for (taker, n), ids in begun.items():
            if n not in self.wares or taker not in self.wares[n].takers:
                self.wrong.append(f"{taker} began {n}, which is not for it")
            if len(ids) > 1:
                self.wrong.append(f"{taker} began {n} {len(ids)} times: {sorted(ids)}")
        for taker, n in self.doings.first:
            if self.wares[n].fate == "unfit" and taker in self.wares[n].refused:
                self.wrong.append(f"{taker} did {n}, which it can't take")
        taken = {*begun, *(("desk", n) for messages in said.values() for n in messages)}
        self.wrong += [f"{taker} never began {n}" for taker, n in sorted(self.due - taken)]
        self._check_letters(doubtful)
        for key, messages in said.items():
            if twice := [n for n, times in Counter(messages).items() if times > 1]:
                self.wrong.append(f"desk was told {twice} more than once")
            place = {n: number for number, n in enumerate(messages)}
            self._check_order(f"desk/{key}", key, place, place)
        for taker in ("pack", "bill"):
            first, last = (
                {n: at for (what, n), at in found.items() if what == taker}
                for found in (self.doings.first, self.doings.last)
            )
            for key in ("a", "b"):
                self._check_order(taker, key, first, last)

    def _begun(self) -> tuple[dict[tuple[str, str], set[str]], dict[str, list[str]], set[tuple[str, str]]]:
        """Which executions have begun with what, what the sessions were told, and what may have happened and is told
        to nobody as done."""
        begun: dict[tuple[str, str], set[str]] = defaultdict(set)
        said: dict[str, list[str]] = {}
        doubtful: set[tuple[str, str]] = set()
        for head in self._heads():
            if "~queue" in head.id or head.function in ("sell", "overwinter.proxy"):
                continue
            journal = self._journal(head.id)
            if head.function == "desk":
                said[head.id.partition("/")[2]] = [fact["content"] for fact in journal if fact["type"] == "message"]
                continue
            did = (head.function, _n(journal[0].get("input")))
            begun[did].add(head.id.partition("~")[0])
            if head.status != "failed" or head.function == "pack":
                continue
            if head.function == "charge" and isinstance(decode(journal[-1]["error"]), InDoubt):
                doubtful.add(did)
            elif did[1] not in self.wares or head.function not in self.wares[did[1]].refused:
                self.wrong.append(f"{head.id} has failed: {journal[-1]}")
        return begun, said, doubtful

    def _check_letters(self, doubtful: set[tuple[str, str]]) -> None:
        expected = {(taker, n) for n, ware in self.wares.items() for taker in ware.refused} | doubtful
        found = Counter((letter.subscription, _n(letter.event.get("data"))) for letter in self.letters)
        self.wrong += [f"{n} of {taker} is no dead letter" for taker, n in sorted(expected - {*found})]
        self.wrong += [f"{n} of {taker} is a dead letter" for taker, n in sorted({*found} - expected)]
        self.wrong += [f"{did} is a dead letter {times} times" for did, times in found.items() if times > 1]
        for letter in self.letters:
            ware = self.wares.get(_n(letter.event.get("data")))
            packed = letter.subscription == "pack" and ware is not None and ware.fate == "fails"
            if letter.attempts != (ATTEMPTS if packed else 1):
                self.wrong.append(f"{letter.id} was tried {letter.attempts} times")

    def _check_order(self, taker: str, key: str, first: dict[str, int], last: dict[str, int]) -> None:
        """What one publishes with a key is begun one after another."""
        for wares in (*self.plans, *self.clients):
            mine = [ware.n for ware in wares if ware.key == key and ware.n in first]
            for one, next in pairwise(mine):
                if first[next] < last.get(one, first[one]):
                    self.wrong.append(f"{taker} began {next} before it was done with {one}")

    def _faults(self, number: int, world: World) -> Faults:
        async def kill(moment: Moment) -> None:
            await world.processes[number].die(noticed=self.draw.random() < 0.5)

        async def stall(pause: float) -> None:
            process = world.processes[number]
            self.doings.slept.add(process)
            self._asleep[process] = self.loop.time() + pause
            await process.hang(pause)

        faults = _Refusing(self.draw, kill, stall)
        faults.weather = WEATHER if self.loop.time() < CLEARING else CALM
        self.loop.call_later(
            max(0.0, CLEARING - self.loop.time()), setattr, faults, "weather", CALM, context=contextvars.Context()
        )
        return faults


class Confirming(Ledger):
    """Tells of each event of which an execution records that it is published."""

    def __init__(self, confirms: Callable[[CloudEvent], None]) -> None:
        super().__init__()
        self._confirms = confirms
        self._published: dict[tuple[str, str], CloudEvent] = {}

    def append(self, change: Change) -> Awaitable[Appended]:
        appended = super().append(change)
        assert isinstance(appended, asyncio.Future)
        for entry in map(loads, change.entries if appended.exception() is None else ()):
            done = (change.id, str(entry.get("op")))
            if entry["type"] == "ordered" and entry.get("kind") == "publish":
                self._published[done] = from_json(entry["event"])
            elif entry["type"] == "sent" and "error" not in entry and done in self._published:
                self._confirms(self._published.pop(done))
        return appended


class _Refusing(Disturbed):
    """Mail is refused at times as well, or taken and nobody is told."""

    async def at(self, moment: Moment) -> None:
        await super().at(moment)
        if moment.operation == "accept" and self.weather is not CALM and self._draw.random() < REFUSED:
            raise StoreUnavailable(f"injected {moment}")


async def _there(runtime: Runtime) -> None:
    return


def _n(data: Any) -> str:
    if isinstance(data, dict):
        return str(data["data"]["n"] if "specversion" in data else data["n"])
    return str(data)
