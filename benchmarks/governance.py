"""Governance: what budgets and approval rules cost an agent's turns. Sessions that talk at once in one process, each
turn a tool call and an answer; plain, with budgets in the execution and an approval rule that lets the call pass, and
with an account that all of them share. Counted beside that: calls of the store that the account costs.

The floor of governed turns are plain ones, in turn with them in the same run.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

from overwinter import Agent, Budget, Limits, Runtime, tool
from overwinter.benchmarks.agents import Stub, lookup
from overwinter.benchmarks.measure import Run, main
from overwinter.functions.model import Prices


def passing(order_id: str) -> str | None:
    """Who must approve: nobody, for this order."""
    return "desk" if order_id.startswith("X") else None


@tool(name="lookup", approval=passing)
async def governed_lookup(order_id: str) -> str:
    """Find an order."""
    return "shipped"


PRICES = Prices(input="0.25", output="2")
SETTINGS = {"max_tokens": 500}
plain = Agent("plain", Stub(), "You help with orders.", [lookup], settings=SETTINGS, prices=PRICES)
governed = Agent(
    "governed", Stub(), "You help with orders.", [governed_lookup], limits=Limits(tokens=50_000, cost="0.50"),
    budgets=[Budget("session", tokens=10_000_000, cost="50", warn=0.8)], settings=SETTINGS, prices=PRICES,
)  # fmt: skip
charged = Agent(
    "charged", Stub(), "You help with orders.", [lookup], settings=SETTINGS, prices=PRICES,
    budgets=[Budget("tenant", tokens=1_000_000_000, cost="100000", per="day")],
)  # fmt: skip


class Counted:
    """How often the key-value part of a store is asked, which only accounts are kept in here."""

    def __init__(self, store: Any) -> None:
        self.calls = 0
        for name in ("get", "put", "remove", "keys", "values"):
            setattr(store, name, self._counting(getattr(store, name)))

    def _counting(self, method: Any) -> Any:
        async def counted(*given: Any, **more: Any) -> Any:
            self.calls += 1
            return await method(*given, **more)

        return counted


async def talk(runtime: Runtime, agent: Agent[str], sessions: int, turns: int, mark: str) -> float:
    """All sessions at once, turn after turn: turns a second."""

    async def session(number: int) -> None:
        for _ in range(turns):
            sent = await runtime.send(agent, f"{mark}-{number}", "Where is A-1?", user=f"u-{number}", tenant="acme")
            await sent.reply()

    started = time.perf_counter()
    await asyncio.gather(*(session(number) for number in range(sessions)))
    return sessions * turns / (time.perf_counter() - started)


async def measure_all(run: Run) -> None:
    sessions, turns, rounds = (100, 2, 3) if run.quick else (500, 3, 9)
    order = [plain, governed, charged]
    rates: dict[str, list[float]] = {"plain": [], "governed": [], "charged": []}
    async with Runtime([plain, governed, charged], store=run.place.dsn("governance")) as runtime:
        for agent in (plain, governed, charged):
            await talk(runtime, agent, 50, 1, "warm")
        counted, charges = Counted(runtime.store), 0
        for number in range(rounds):
            run.progress(f"round {number + 1} of {rounds}, {sessions * turns:,} turns of each kind")
            for agent in order[number % 3 :] + order[: number % 3]:  # none is always the first on a bigger file
                before = counted.calls
                rates[agent.name].append(await talk(runtime, agent, sessions, turns, f"r{number}"))
                charges += counted.calls - before if agent is charged else 0
    medians = {name: statistics.median(found) for name, found in rates.items()}
    run.report("governance.plain.turns_per_s", medians["plain"], "/s")
    ratios = [one / other for one, other in zip(rates["plain"], rates["governed"], strict=True)]
    run.report("governance.turn.ratio", statistics.median(ratios), "times")
    ratios = [one / other for one, other in zip(rates["plain"], rates["charged"], strict=True)]
    run.report("governance.escrow.turn.ratio", statistics.median(ratios), "times")
    run.report("governance.escrow.extra_calls_per_turn", charges / (sessions * turns * rounds), "calls")


def measure(run: Run) -> None:
    asyncio.run(measure_all(run))


if __name__ == "__main__":
    main(measure)
