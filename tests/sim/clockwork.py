"""A world of schedules: several processes keep them while people pause, change, run and remove them, and processes die,
hang and lose the store. Each time is run once at the most, and runs meet only where they may."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

from overwinter.functions.schedule import schedule
from overwinter.functions.workflow import workflow
from overwinter.orchestrator.protocol.decider import Decision
from overwinter.orchestrator.schedule.decider import ScheduleDecider
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.errors import AlreadyExists, InvalidInput
from overwinter.tests.sim.simulation import CLEARING, Simulation

OVERLAPS = ("skip", "queue", "cancel", "allow")


class Clockwork(Simulation):
    """Two schedules are declared, the others made by clients."""

    def __init__(self, seed: int, **broken: Any) -> None:
        super().__init__(seed, executions=4, **broken)
        self.policies: dict[str, str] = {"declared": "skip", "other": "queue"}
        self.at_work: Counter[str] = Counter()
        self.functions = [declared(self.at_work, self.wrong, self.policies)]

    async def _client(self, number: int) -> None:
        self.unacknowledged += 1
        draw, name = self.draw, f"s{number}" if number else "declared"
        await asyncio.sleep(draw.uniform(0, 4.0))
        if number:
            overlap = self.policies[name] = draw.choice(OVERLAPS)
            missed, jitter = draw.choice(("none", "last", "all")), draw.choice((0, "500ms"))
            every, wait = draw.choice(("1s", "2s")), draw.choice((0.0, 0.5, 1.4))
            await self._ask(
                lambda runtime: runtime.schedules.create(
                    "work", every=every, name=name, input=wait, overlap=overlap, missed=missed, jitter=jitter
                )
            )
        for turn in range(draw.choice((1, 2, 4))):
            await asyncio.sleep(draw.uniform(0, 4.0))
            await self._disturb(draw, name, turn)
        await asyncio.sleep(max(0.0, CLEARING - self._loop.time()))  # no process comes any more that might make it anew
        await asyncio.sleep(4.0)
        for one in (name, "other") if name == "declared" else (name,):
            await self._try(lambda runtime, one=one: runtime.schedules.remove(one, cancel=draw.random() < 0.3))
        self.unacknowledged -= 1

    async def _disturb(self, draw: random.Random, name: str, turn: int) -> None:
        what = draw.choice(("pause", "change", "run", "run"))
        if what == "change":
            await self._try(lambda runtime: runtime.schedules.change(name, every=draw.choice(("1s", "3s"))))
        elif what == "run":
            await self._try(lambda runtime: runtime.schedules.run_now(name, id=f"hand{turn}"))
        else:
            await self._try(lambda runtime: runtime.schedules.pause(name))
            await asyncio.sleep(draw.uniform(0, 3.0))
            await self._try(lambda runtime: runtime.schedules.resume(name))

    async def _try(self, work: Any) -> None:
        try:
            await self._ask(work)
        except (AlreadyExists, InvalidInput):
            return  # it was done before, and is gone by now

    def _check_outcomes(self) -> None:
        ordered: Counter[str] = Counter()
        for head in self.ledger.heads_now():
            if head.kind != "schedule":
                continue
            entries = self.ledger.journal_now(head.id)
            open_: set[str] = set()
            for entry in entries:
                if entry["type"] == "ordered":
                    ordered[entry["id"]] += 1
                    open_.add(entry["id"])
                    if len(open_) > 1 and self.policies[head.id.partition("/")[2]] != "allow":
                        self.wrong.append(f"{head.id}: {sorted(open_)} were going on at once")
                elif entry["type"] == "child":
                    open_.discard(entry["id"])
            if not any(entry["type"] == "ordered" for entry in entries):
                self.wrong.append(f"{head.id} has never run")
            self._check_times(head.id, entries)
        self.wrong += [f"{id} was ordered {n} times" for id, n in ordered.items() if n > 1]

    def _check_times(self, id: str, entries: list[Any]) -> None:
        """While nobody paused, changed or missed anything, every time has its run or the reason why not."""
        dealt = 0
        for entry in entries:
            if entry["type"] == "due":
                if entry["until"] <= dealt or any(time % 1000 for time in entry["planned"]):
                    self.wrong.append(f"{id}: {entry} after {dealt}")
                dealt = entry["until"]
            elif entry["type"] == "ordered" and entry.get("planned", 0) > dealt:
                self.wrong.append(f"{id}: {entry} was never due")


def declared(at_work: Counter[str], wrong: list[str], policies: dict[str, str]) -> object:
    async def busy(id: str, wait: float) -> str:
        name = id.partition("@")[0]
        at_work[name] += 1
        await asyncio.sleep(wait)
        at_work[name] -= 1
        return id

    @schedule(every="1s", name="declared", input=0.3)
    @schedule(every="2s", name="other", input=1.0, overlap="queue", missed="all", most=3)
    @workflow(name="work")
    async def work(ctx: Context, wait: float) -> str:
        return await ctx.step(busy, ctx.execution, wait)

    return work


class _Forgetful(ScheduleDecider):
    """What was ordered is begun, and not written down."""

    def decide(self) -> Decision:
        decision = super().decide()
        kept = [entry for entry in decision.entries if entry["type"] != "ordered"]
        self._number -= len(decision.entries) - len(kept)
        decision.entries = kept
        return decision


class _FromNow(ScheduleDecider):
    """Times are reckoned from when somebody looked."""

    def _due(self, spec: Any, at: int) -> Any:
        return {"type": "due", "planned": [at], "until": at}


class _Twice(ScheduleDecider):
    """It is not known which times are dealt with already."""

    def _due(self, spec: Any, at: int) -> Any:
        entry = super()._due(spec, at)
        return None if entry is None else entry | {"planned": [entry["until"] - spec.every, entry["until"]]}


class _Impatient(ScheduleDecider):
    """What is going on is not asked for."""

    def _meets(self, spec: Any, due: Any) -> Any:
        return self._ordered(spec, due)


BROKEN: dict[str, type[ScheduleDecider]] = {
    "begun without a record": _Forgetful,
    "times from when somebody looked": _FromNow,
    "times that are dealt with again": _Twice,
    "runs that meet": _Impatient,
}
