"""A world in which every id is asked for twice at once, with two inputs: one of them is the execution's, and only who
sent that is told that it is started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from overwinter.orchestrator.protocol import starting
from overwinter.orchestrator.protocol.decider import Fact
from overwinter.orchestrator.protocol.entries import decode
from overwinter.state.errors import AlreadyExists
from overwinter.state.store import Store
from overwinter.tests.sim.simulation import Simulation

Looks = Callable[[Store, str], Awaitable[Fact | None]]


class Rivals(Simulation):
    """Outcomes are checked as ever, against the input of who was told."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, executions=12)

    async def _start(self, kind: str, id: str) -> None:
        inputs: list[Any] = [self.shape(kind), self.shape(kind)]
        self.shapes[id] = inputs[0]  # until it is known who won
        told = [input for input in await asyncio.gather(*(self._rival(kind, id, one) for one in inputs)) if input]
        if len(told) != 1 and inputs[0] != inputs[1]:
            self.wrong.append(f"{id}: {len(told)} of two starts with different inputs were acknowledged")
        self.shapes[id] = told[0] if told else inputs[0]

    async def _rival(self, kind: str, id: str, input: Any) -> Any:
        await asyncio.sleep(self.draw.choice((0.0, 0.0, 0.001, 0.1)))
        try:
            await self._ask(lambda runtime: runtime.start("rounds" if kind == "rounds" else "shapes", input, id=id))
        except AlreadyExists:
            return None
        return input


async def journal_then_mailbox(store: Store, id: str) -> Fact | None:
    """What is taken between the two looks is in neither."""
    return await starting.journaled(store, id) or await starting.waiting(store, id)


async def mailbox_then_journal_once(store: Store, id: str) -> Fact | None:
    """The first entry, whatever it is."""
    facts = [decode(text) for text in await store.history(id, 0, 1) or (await store.mailbox(id, 1))[1]]
    return facts[0] if facts and facts[0]["type"] == "start" else None


BROKEN: dict[str, Looks] = {
    "no second look at the journal": journal_then_mailbox,
    "the first that is there": mailbox_then_journal_once,
}
