"""Accounts under any interleaving of processes that hold, record, die at any await, lose answers, are taken for dead
and go on: no limit is broken, and in the end the ledgers say what the journals say, exactly."""

from __future__ import annotations

import asyncio
import inspect
import random
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from overwinter.orchestrator.governance.budgets.account import Account, Limit
from overwinter.orchestrator.governance.budgets.amount import Amount
from overwinter.orchestrator.governance.budgets.recovery import recover
from overwinter.state.errors import BudgetExceeded, StoreUnavailable
from overwinter.state.memory import MemoryStore
from overwinter.state.sqlite.store import SqliteStore
from overwinter.state.store import Store
from overwinter.tests.budgets.world import Dead, Hold, Process, World

ACCOUNTS = (
    Account("tenant", "acme", (Limit("day", {"tokens": 400, "cost": Decimal("1.5")}, "Europe/Berlin"),)),
    Account("user", "ana", (Limit("hour", {"tokens": 150}), Limit("", {"cost": Decimal(2)}))),
)
AMOUNTS = st.builds(
    Amount,
    st.integers(0, 60),
    st.integers(0, 400).map(lambda thousandths: Decimal(thousandths) / 1000),
    st.integers(0, 1),
)
WHICH = st.integers(0, 1_000)
CHOICES = st.sampled_from([ACCOUNTS, ACCOUNTS[:1], ACCOUNTS[1:]])


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = self.opened()
        self.world = World(self.store, ACCOUNTS)
        self.run(self.store.open())
        for _ in range(2):
            self.run(self.world.begin(self.run(self.world.process())))

    def opened(self) -> Store:
        return MemoryStore()

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def one(self, which: int) -> Process | None:
        return self.world.processes[which % len(self.world.processes)] if self.world.processes else None

    def does(self, work: Any) -> Any:
        """None when it died, was refused, or the store did not answer."""
        try:
            return self.run(work)
        except (Dead, BudgetExceeded, StoreUnavailable):
            return None

    @rule()
    def a_process_starts(self) -> None:
        if len(self.world.processes) < 4:
            self.run(self.world.process())

    @rule(which=WHICH)
    def an_execution_begins(self, which: int) -> None:
        if (process := self.one(which)) is not None:
            self.run(self.world.begin(process))

    @rule(which=WHICH, execution=WHICH, accounts=CHOICES, amount=AMOUNTS, charge=st.sampled_from([False] * 6 + [True]))
    def something_is_held(
        self, which: int, execution: int, accounts: tuple[Account, ...], amount: Amount, charge: bool
    ) -> None:
        process = self.one(which)
        if process is not None:
            if not process.active:
                self.run(self.world.begin(process))
            id = sorted(process.active)[execution % len(process.active)]
            self.does(self.world.hold(process, id, accounts, amount, charge=charge))

    @rule(which=WHICH, amounts=st.lists(AMOUNTS, min_size=2, max_size=4), accounts=CHOICES)
    def several_are_held_at_once(self, which: int, amounts: list[Amount], accounts: tuple[Account, ...]) -> None:
        process = self.one(which)
        if process is None or not process.active:
            return
        id = sorted(process.active)[0]

        async def all_of_them() -> None:
            works = (self.world.hold(process, id, accounts, amount) for amount in amounts)
            await asyncio.gather(*works, return_exceptions=True)

        self.run(all_of_them())

    @rule(which=WHICH, hold=WHICH, used=st.none() | AMOUNTS)
    def an_outcome_is_recorded(self, which: int, hold: int, used: Amount | None) -> None:
        process = self.one(which)
        if process is not None and process.holds:
            chosen: Hold = process.holds[hold % len(process.holds)]
            self.does(self.world.record(process, chosen, used))

    @rule(which=WHICH, execution=WHICH)
    def an_execution_waits(self, which: int, execution: int) -> None:
        process = self.one(which)
        if process is not None and process.active:
            id = sorted(process.active)[execution % len(process.active)]
            if not any(hold.execution == id for hold in process.holds):
                self.does(self.world.leave(process, id))

    @rule(which=WHICH, execution=WHICH)
    def an_activation_is_lost(self, which: int, execution: int) -> None:
        process = self.one(which)
        if process is not None and process.active and execution % 3 == 0:
            process.active.pop(sorted(process.active)[execution % len(process.active)])

    @rule(which=WHICH)
    def a_process_takes_over_what_is_free(self, which: int) -> None:
        if (process := self.one(which)) is not None:
            for id in self.run(self.store.due(self.world.now)):
                if id not in process.active:
                    self.run(self.world.begin(process, id))

    @rule(which=WHICH, after=st.integers(1, 8), what=st.sampled_from(["kill", "lose", "lose"]))
    def something_is_about_to_go_wrong(self, which: int, after: int, what: str) -> None:
        if (process := self.one(which)) is not None:
            process.fate.plan(after, what)

    @rule(ms=st.sampled_from([1_000, 3_000, 70_000, 400_000, 3_600_000, 40 * 3_600_000]), beat=st.booleans())
    def time_passes(self, ms: int, beat: bool) -> None:
        self.world.now += ms
        for process in self.world.processes if beat else ():
            self.run(self.store.beat(process.name, self.world.now, 2_000))

    @rule(which=WHICH)
    def a_process_rests(self, which: int) -> None:
        if (process := self.one(which)) is not None:
            self.does(self.world.alive(process, process.purse.rest()))

    @rule(which=WHICH)
    def what_is_dead_is_recovered(self, which: int) -> None:
        if (process := self.one(which)) is not None:
            self.does(self.world.alive(process, recover(process.store, map(str, ACCOUNTS), self.world.now)))

    @invariant()
    def no_limit_is_broken(self) -> None:
        self.run(self.world.within())

    def teardown(self) -> None:
        try:
            self.run(self.world.end())
            settled = self.run(self.world.settled())
            spent = self.run(self.world.spent())
            none = Amount()
            said = {name: {key: one for key, one in of.items() if one != none} for name, of in settled.items()}
            assert spent == said
        finally:
            self.run(self.store.close())
            self.runner.close()


class OnSqlite(Machine):
    def opened(self) -> Store:
        self.folder = tempfile.TemporaryDirectory()
        return SqliteStore(f"sqlite:///{Path(self.folder.name) / 'ow.db'}")

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.folder.cleanup()


WEIGHTS = {
    Machine.something_is_held: 16,
    Machine.several_are_held_at_once: 3,
    Machine.an_outcome_is_recorded: 16,
    Machine.something_is_about_to_go_wrong: 5,
    Machine.time_passes: 3,
    Machine.an_activation_is_lost: 2,
    Machine.a_process_takes_over_what_is_free: 2,
    Machine.a_process_rests: 2,
    Machine.what_is_dead_is_recovered: 2,
    Machine.a_process_starts: 2,
    Machine.an_execution_begins: 1,
    Machine.an_execution_waits: 1,
}
SPANS = [1_000, 1_000, 3_000, 3_000, 70_000, 400_000, 3_600_000, 40 * 3_600_000]


@pytest.mark.parametrize("seed", range(40))
def test_long_lives(seed: int) -> None:
    draw = random.Random(seed)

    def amount() -> Amount:
        return Amount(draw.randrange(40), Decimal(draw.randrange(300)) / 1000, draw.randrange(2))

    def given(name: str) -> Any:
        drawn: dict[str, Any] = {
            "accounts": draw.choice([ACCOUNTS, ACCOUNTS[:1], ACCOUNTS[1:]]),
            "amount": amount(),
            "amounts": [amount() for _ in range(draw.randrange(2, 5))],
            "charge": draw.random() < 0.05,
            "used": amount() if draw.random() < 0.8 else None,
            "after": draw.randrange(1, 8),
            "what": draw.choice(["kill", "lose", "lose", "lose"]),
            "ms": draw.choice(SPANS),
            "beat": draw.random() < 0.8,
        }
        return drawn.get(name, draw.randrange(1_000))

    machine = Machine()
    try:
        for _ in range(250):
            (step,) = draw.choices(list(WEIGHTS), list(WEIGHTS.values()))
            names = [name for name in inspect.signature(step).parameters if name != "self"]
            step(machine, **{name: given(name) for name in names})
            machine.no_limit_is_broken()
    finally:
        machine.teardown()


TestInMemory: Any = Machine.TestCase
TestInMemory.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestOnSqlite: Any = OnSqlite.TestCase
TestOnSqlite.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)
