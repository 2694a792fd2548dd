"""A world with executions in it that kill every process that runs them, beside others that do not: short ones, and
some whose steps take long. The poison may come early or late, kill at once or after a while, and there may be several.

Processes die of nothing else here, so who is condemned and is not poison was condemned for standing beside it.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from overwinter.functions.workflow import workflow
from overwinter.orchestrator.engine.engine import Engine
from overwinter.orchestrator.engine.performing import current_call
from overwinter.orchestrator.engine.trials import Stage, Trials
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.records import Accepted, Answer
from overwinter.testing import Disturbed, Ledger, Process, Weather
from overwinter.testing.clock import gate
from overwinter.tests.sim.simulation import Simulation

POISON = "poison"
SPARE = 8
"""So many deaths more than the setting a poison may cost when others stand beside it."""


class Poisoned(Simulation):
    """``deaths``: the setting of its processes."""

    def __init__(
        self, seed: int, deaths: int = 2, ledger: Callable[[], Ledger] = Ledger, engine: type[Engine] = Engine
    ) -> None:
        super().__init__(seed, executions=8, ledger=ledger, engine=engine)
        self.deaths = deaths
        draw = random.Random(seed + 10**6)  # what is drawn here leaves the rest of the world as it is
        self.poisons = [f"{POISON}{number}" for number in range(draw.choice((1, 3, 6)))]
        self.patient = draw.choice((0, 6, 12))  # executions with long steps
        self.late = draw.choice((0.0, 10.0, 20.0))
        self.lingers = draw.choice((0.0, 0.0, 0.5, 4.0))
        self.killed: Counter[str] = Counter()
        self.leaving: set[str] = set()  # processes that are being stopped
        self.poison = workflow(self._poison, name=POISON)  # type: ignore[call-overload] # a bound method will do
        self.long = workflow(self._long, name="long")  # type: ignore[call-overload] # a bound method will do
        self.functions += [self.poison, self.long]

    def set_up(self) -> None:
        super().set_up()
        self._weather = self._weather._replace(kill=0.0, stall=0.0)
        self._settings = replace(self._settings, deaths=self.deaths, lease="8s")  # longer than any outage
        self.mischief = ("stop", "outage", "nothing")
        beside = [(self.long, f"long{number}", 10.0) for number in range(self.patient)]
        for function, id, late in [*((self.poison, id, self.late) for id in self.poisons), *beside]:
            self._clients.append(self._loop.create_task(self._starter(function, id, late)))

    async def _poison(self, ctx: Context) -> Any:
        await ctx.step(self._harmless, name="harmless")
        return await ctx.step(self._kill, name="kill")

    async def _harmless(self) -> int:
        return 1

    async def _kill(self) -> None:
        process = cast("Process", gate.get().__self__)  # type: ignore[union-attr] # the process that this runs in
        await asyncio.sleep(self.lingers)
        self.killed[current_call().execution] += 1
        self.died()
        await process.die(noticed=self.draw.random() < 0.8)

    async def _long(self, ctx: Context) -> Any:
        await ctx.step(self._take_long, name="long")
        return await ctx.step(self._take_long, name="long")

    async def _take_long(self) -> None:
        await asyncio.sleep(self.draw.uniform(4.0, 12.0))

    async def _starter(self, function: Any, id: str, late: float) -> None:
        self.unacknowledged += 1
        await asyncio.sleep(self.draw.uniform(0, late))  # when others are at work
        await self._ask(lambda runtime: runtime.start(function, id=id))
        self.unacknowledged -= 1

    async def _stop(self, process: Process) -> None:
        """In order, and the store hears of it; else it would be one more death."""
        faults = cast("Disturbed", cast("Any", process).faults)
        faults.weather, faults.outage_until = Weather(), 0.0
        self.leaving.add(process.name)
        await super()._stop(process)

    def _some_process(self) -> Any:
        found = super()._some_process()
        return None if found is not None and found.name in self.leaving else found

    def _open(self) -> list[str]:
        open_ones = super()._open()
        for id in self.poisons:
            head = self.ledger.head_now(id)
            if head is not None and head.status == "stuck" and head.owner is None and head.wake is None:
                open_ones = [what for what in open_ones if not what.startswith(f"{id} ")]
        return open_ones

    def _check_outcomes(self) -> None:
        super()._check_outcomes()
        for id in self.poisons:
            head = self.ledger.head_now(id)
            if head is None or "in step kill (1)" not in head.awaits:
                self.wrong.append(f"the poison is not named: {head}")
            if not 0 < self.killed[id] <= self.deaths + SPARE:
                self.wrong.append(f"{id} killed {self.killed[id]} processes")


class Uncounted(Ledger):
    """The store does not count deaths."""

    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        accepted = super()._accept(*arguments, **named)
        if accepted.answer is Answer.GRANTED and accepted.head is not None:
            head = self._executions[arguments[0]].head = accepted.head._replace(deaths=0)
            return accepted._replace(head=head)
        return accepted


class _Careless(Trials):
    def _others(self, id: str) -> bool:
        return False

    def closed(self, id: str) -> bool:
        return False


class NeverAlone(Engine):
    """Who is on trial stands beside others."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.trials.__class__ = _Careless


class _Forgetful(Trials):
    def _take_back(self) -> None:
        self._stage = Stage.BESIDE


class NeverTakenBack(Engine):
    """Others are begun beside one that is said to be alone."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.trials.__class__ = _Forgetful


BROKEN: dict[str, dict[str, Any]] = {
    "no quarantine": {"deaths": 0},
    "deaths uncounted": {"ledger": Uncounted},
    "on trial beside others": {"engine": NeverAlone},
    "said to be alone for ever": {"engine": NeverTakenBack},
}
