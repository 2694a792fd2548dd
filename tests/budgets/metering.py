"""A provider with a meter of its own, outside of every journal: it bills what it reads, at four characters a token, and
what it writes, also when nobody is there any more to hear the answer. It writes no more than it is asked to.

``played`` runs a scenario in virtual time, with the process dying where it is told to; ``everywhere`` once for each
point at which it can die.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from overwinter.functions.models.port import Answer, Request, ToolCall, Usage
from overwinter.orchestrator.agent.conversation import size_of
from overwinter.orchestrator.engine.settings import Settings
from overwinter.orchestrator.governance.budgets.amount import Amount
from overwinter.orchestrator.governance.usage import recorded
from overwinter.orchestrator.protocol.decider import Fact
from overwinter.state.codec import dumps, loads
from overwinter.state.errors import ModelError
from overwinter.testing import Faults, KillAt, Ledger, Moment, World, run_virtual

READ, WRITE = Decimal("0.000001"), Decimal("0.000004")
"""Dollars for a token."""
BOUNDS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
Says = Callable[[Request], "str | Sequence[ToolCall] | BaseException"]


class Billed(NamedTuple):
    model: str
    read: int
    wrote: int

    @property
    def tokens(self) -> int:
        return self.read + self.wrote

    @property
    def cost(self) -> Decimal:
        return READ * self.read + WRITE * self.wrote


class Meter:
    """What providers have billed."""

    def __init__(self) -> None:
        self.bills: list[Billed] = []

    @property
    def tokens(self) -> int:
        return sum(bill.tokens for bill in self.bills)

    @property
    def cost(self) -> Decimal:
        return sum((bill.cost for bill in self.bills), Decimal(0))


class Metered:
    """A model that says what ``says`` makes of a request. What it writes beyond its limit is cut off. An error that it
    says is raised after it was billed for."""

    def __init__(self, meter: Meter, says: Says, name: str = "test/metered", *, delay: float = 1.0) -> None:
        self.name = name
        self.requests: list[Request] = []
        self._meter = meter
        self._says = says
        self._delay = delay

    async def complete(self, request: Request) -> Answer:
        self.requests.append(request)
        said = self._says(request)
        if isinstance(said, ModelError):  # a refusal: it was not asked anything
            raise said
        text = said if isinstance(said, str) else ""
        calls = () if isinstance(said, (str, BaseException)) else tuple(said)
        most = min((request.settings[name] for name in BOUNDS if name in request.settings), default=1_000_000)
        written = -(-(len(text) + sum(len(call.name) + len(call.arguments) for call in calls)) // 4)
        cut = written > most
        if cut:
            text, calls, written = text[: 4 * most], (), most
        bill = Billed(self.name, read_by(request), written)
        self._meter.bills.append(bill)
        await asyncio.sleep(self._delay)
        if isinstance(said, BaseException):
            raise said
        calls = tuple(call._replace(id=call.id or f"c{n}") for n, call in enumerate(calls))
        finish = "length" if cut else "tool_calls" if calls else "stop"
        cost = format(bill.cost, "f")
        return Answer(text, calls, finish=finish, usage=Usage(bill.read, bill.wrote), cost=cost, model=self.name)


def read_by(request: Request) -> int:
    """Tokens."""
    tools = sum(len(one.name) + len(one.description) + len(dumps(one.parameters)) for one in request.tools)
    return -(-(sum(map(size_of, request.messages)) + tools) // 4)


def answers(request: Request) -> int:
    """How many of the model are in the conversation."""
    return sum(message.role == "assistant" for message in request.messages)


class Played(NamedTuple):
    value: Any
    error: BaseException | None
    journals: dict[str, list[Fact]]
    states: dict[str, dict[str, Any]]
    statuses: dict[str, str]
    moments: int
    deaths: int
    meter: Meter

    def used(self, id: str) -> Amount:
        """What the execution says that it, and all that it has ordered, have used, or may have."""
        return recorded(self.states[id]["usage"]).amount

    def entries(self, id: str, *kinds: str) -> list[Fact]:
        return [entry for entry in self.journals[id] if entry["type"] in kinds]


Scenario = Callable[[World], Awaitable[Any]]
Making = Callable[[Meter], tuple[Scenario, Iterable[object]]]


def played(make: Making, *plan: int) -> Played:
    """Run what ``make`` makes; the n-th process dies at the moment that stands n-th in the plan."""
    meter = Meter()
    scenario, functions = make(meter)
    ledger, worlds, deaths = Ledger(), list[World](), list[Moment]()

    def faults(number: int, world: World) -> Faults:
        async def kill(moment: Moment) -> None:
            deaths.append(moment)
            await world.processes[number].die()

        return KillAt(plan[number], kill) if number < len(plan) else Faults()

    async def main(loop: Any) -> Any:
        world = World(loop, functions, Settings(lease="7d", poll="1d"), faults, ledger=ledger)
        worlds.append(world)
        try:
            return await scenario(world)
        finally:
            world.end()

    value, error = None, None
    try:
        value = run_virtual(main, "400d")
    except BaseException as raised:  # noqa: BLE001  # whatever comes of it is looked at
        error = raised
    assert not ledger.audit(), ledger.audit()
    heads = ledger.heads_now()
    return Played(
        value,
        error,
        {head.id: ledger.journal_now(head.id) for head in heads},
        {head.id: loads(head.state) if head.state else {} for head in heads},
        {head.id: head.status for head in heads},
        worlds[0].processes[0].store.moments,
        len(deaths),
        meter,
    )


def everywhere(make: Making, *, each: int = 1, twice: bool = False) -> Iterator[Played]:
    """Without a death, and with one at ``each`` point, or each so-manieth; ``twice``: and the next process dies too."""
    calm = played(make)
    yield calm
    for number in range(1, calm.moments + 1, each):
        yield played(make, number)
        if twice:
            yield played(make, number, 1 + number % 7)
