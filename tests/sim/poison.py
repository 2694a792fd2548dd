"""A world with an execution in it that kills every process that runs it, beside the random ones that do not.

Processes die of nothing else here, so who is condemned and is not the poison was condemned for standing beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from overwinter.functions.workflow import workflow
from overwinter.orchestrator.engine import Engine
from overwinter.orchestrator.quarantine import Suspects
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.records import Accepted, Answer
from overwinter.testing import Ledger, Process
from overwinter.testing.clock import gate
from overwinter.tests.sim.simulation import Simulation

POISON = "poison"


class Poisoned(Simulation):
    """``deaths``: the setting of its processes."""

    def __init__(
        self, seed: int, deaths: int = 3, ledger: Callable[[], Ledger] = Ledger, engine: type[Engine] = Engine
    ) -> None:
        super().__init__(seed, executions=8, ledger=ledger, engine=engine)
        self.deaths = deaths
        self.poison = workflow(self._poison, name=POISON)  # type: ignore[call-overload] # a bound method will do
        self.functions.append(self.poison)

    def set_up(self) -> None:
        super().set_up()
        self._weather = self._weather._replace(kill=0.0, stall=0.0)
        self._settings = replace(self._settings, deaths=self.deaths)
        self.mischief = ("stop", "outage", "nothing")
        self._clients.append(self._loop.create_task(self._poison_client()))

    async def _poison(self, ctx: Context) -> Any:
        await ctx.step(self._harmless, name="harmless")
        return await ctx.step(self._kill, name="kill")

    async def _harmless(self) -> int:
        return 1

    async def _kill(self) -> None:
        process = cast("Process", gate.get().__self__)  # type: ignore[union-attr] # the process that this runs in
        self.died()
        await process.die(noticed=self.draw.random() < 0.5)

    async def _poison_client(self) -> None:
        self.unacknowledged += 1
        await asyncio.sleep(self.draw.uniform(0, 10.0))  # when others are at work
        await self._ask(lambda runtime: runtime.start(self.poison, id=POISON))
        self.unacknowledged -= 1

    def _open(self) -> list[str]:
        open_ones = super()._open()
        head = self.ledger.head_now(POISON)
        if head is not None and head.status == "stuck" and head.owner is None and head.wake is None:
            open_ones = [what for what in open_ones if not what.startswith(f"{POISON} ")]
        return open_ones

    def _check_outcomes(self) -> None:
        super()._check_outcomes()
        head = self.ledger.head_now(POISON)
        if head is None or "in step kill (1)" not in head.awaits:
            self.wrong.append(f"the poison is not named: {head}")


class Uncounted(Ledger):
    """The store does not count deaths."""

    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        accepted = super()._accept(*arguments, **named)
        if accepted.answer is Answer.GRANTED and accepted.head is not None:
            head = self._executions[arguments[0]].head = accepted.head._replace(deaths=0)
            return accepted._replace(head=head)
        return accepted


class _AllTogether(Suspects):
    def _beside(self, deaths: int) -> int:
        return 10**6


class AllTogether(Engine):
    """Suspects are begun all at once."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.suspects = _AllTogether(self.settings.deaths, self.clock, self.sweeper, self.delivery.read)


BROKEN: dict[str, dict[str, Any]] = {
    "no quarantine": {"deaths": 0},
    "deaths uncounted": {"ledger": Uncounted},
    "suspects all together": {"engine": AllTogether},
}
