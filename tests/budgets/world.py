"""Several processes that spend from accounts of one store, and what each of them has really done.

A process dies at a moment of its store (before or after the effect), or loses an answer there. Executions are real
ones: leased, journalled, fenced.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from overwinter.orchestrator.governance.budgets.account import Account
from overwinter.orchestrator.governance.budgets.amount import NOTHING, Amount, amount_of
from overwinter.orchestrator.governance.budgets.archive import archived
from overwinter.orchestrator.governance.budgets.book import EMPTY, resolved
from overwinter.orchestrator.governance.budgets.ledger import Ledger, ledger_of
from overwinter.orchestrator.governance.budgets.places import LEDGER, PLACE
from overwinter.orchestrator.governance.budgets.purse import Purse, PurseSettings
from overwinter.orchestrator.governance.budgets.recovery import recover
from overwinter.state.errors import Conflict, StoreUnavailable
from overwinter.state.records import Answer, Appended, Change, NewExecution
from overwinter.state.store import Store
from overwinter.testing.faults import Faults, Moment, StoreOfOneProcess

LEASE = 2_000
START = 1_796_255_940_000  # 2026-12-02T23:59:00Z
SETTINGS = PurseSettings(look=0)


class Dead(Exception):
    """The process has died meanwhile."""


class Fate(Faults):
    """What happens at the next moments of one process: "" (nothing), "kill", "lose" (the answer), by their number."""

    def __init__(self) -> None:
        self.next: dict[int, str] = {}
        self.seen = 0
        self.dead = asyncio.Event()
        self.calls: list[str] = []

    def plan(self, after: int, what: str) -> None:
        self.next = {self.seen + after: what}

    async def at(self, moment: Moment) -> None:
        self.seen += 1
        if moment.when == "before":
            self.calls.append(moment.operation)
        what = self.next.pop(self.seen, "")
        if what == "kill" or self.dead.is_set():
            self.dead.set()
            await asyncio.get_running_loop().create_future()
        if what == "lose" and moment.operation in ("put", "get", "append"):
            raise StoreUnavailable(f"injected {moment}")


@dataclass
class Hold:
    execution: str
    op: str
    slices: tuple[str, ...]
    amount: Amount
    life: int  # the activation that holds it: another one of the same execution does not know of it


@dataclass
class Process:
    name: str
    store: StoreOfOneProcess
    fate: Fate
    purse: Purse
    active: dict[str, int]  # execution -> version
    lives: dict[str, int] = field(default_factory=dict[str, int])  # execution -> its activation
    holds: list[Hold] = field(default_factory=list["Hold"])


class World:
    def __init__(self, store: Store, accounts: Sequence[Account], settings: PurseSettings = SETTINGS) -> None:
        self.store, self.accounts, self.settings = store, accounts, settings
        self.now = START
        self.processes: list[Process] = []
        self.graves: list[Process] = []  # what they were about to do hangs for ever
        self.count = 0
        self.whose: dict[str, str] = {}  # slice -> account
        self.windows: dict[str, tuple[str, ...]] = {}  # slice -> keys
        self.excess: defaultdict[str, Amount] = defaultdict(lambda: NOTHING)  # what no limit could refuse

    def number(self) -> int:
        self.count += 1
        return self.count

    def clock(self) -> int:
        return self.now

    async def process(self, name: str = "") -> Process:
        name = name or f"p{self.number()}"
        fate = Fate()
        store = StoreOfOneProcess(self.store, name, fate)
        active: dict[str, int] = {}
        purse = Purse(store, name, self.clock, active, self.settings)
        process = Process(name, store, fate, purse, active)
        self.processes.append(process)
        await self.store.beat(name, self.now, LEASE)
        return process

    async def alive(self, process: Process, work: Coroutine[Any, Any, Any]) -> Any:
        """What the process does, unless it dies doing it. Raises Dead."""
        task = asyncio.ensure_future(work)
        death = asyncio.ensure_future(process.fate.dead.wait())
        try:
            await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
            if not process.fate.dead.is_set():
                return task.result()
        finally:
            death.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.bury(process)
        raise Dead

    def bury(self, process: Process) -> None:
        if process in self.processes:
            self.processes.remove(process)
            self.graves.append(process)

    # -- what processes do ---------------------------------------------------------------------------

    async def begin(self, process: Process, id: str = "") -> str:
        id = id or f"e{self.number()}"
        found = await self.store.accept(
            id, None, now=self.now, owner=process.name, create=NewExecution("agent", "agent")
        )
        if found.answer is Answer.GRANTED and found.head is not None:
            process.active[id] = found.head.version
            process.lives[id] = self.number()
        return id

    async def hold(
        self, process: Process, execution: str, accounts: Sequence[Account], amount: Amount, *, charge: bool = False
    ) -> Hold:
        op = f"op/{self.number()}"
        take = process.purse.charge if charge else process.purse.hold
        for account in accounts if charge else ():
            self.excess[str(account)] = self.excess[str(account)].plus(amount)
        slices = await self.alive(process, take(f"{execution}/{op}", accounts, amount))
        for slice, account in zip(slices, accounts, strict=True):
            self.whose[slice] = str(account)
            keys = resolved(EMPTY, EMPTY, account.limits).keys(self.now)
            assert self.windows.setdefault(slice, tuple(keys.values())) == tuple(keys.values())
        hold = Hold(execution, op, slices, amount, process.lives[execution])
        process.holds.append(hold)
        return hold

    async def record(self, process: Process, hold: Hold, used: Amount | None) -> bool:
        """The outcome is committed: what was used, or nothing. Whether it was."""
        process.holds.remove(hold)
        id, version = hold.execution, process.active.get(hold.execution)
        if version is None or hold.life != process.lives[id]:
            return False  # the activation is lost
        fact: dict[str, Any] = {"type": "model", "at": self.now, "op": hold.op}
        if used is not None:
            fact["settled"] = {"slices": list(hold.slices), **used.record()}
            over = used.minus(hold.amount).positive()
            for slice in hold.slices:
                self.excess[self.whose[slice]] = self.excess[self.whose[slice]].plus(over)
        stored = await self._append(process, id, version, [json.dumps(fact)])
        if stored and used is None:
            process.purse.release(f"{id}/{hold.op}")
        return stored

    async def _append(self, process: Process, id: str, version: int, texts: list[str], *, release: str = "") -> bool:
        change = Change(
            id=id,
            owner=process.name,
            version=version,
            at=self.now,
            entries=texts,
            consumed=(),
            arrivals=0,
            status=release or "running",
            wake=None,
            release=bool(release),
            base=1,
            awaits="",
            note="",
            state="{}",
            token=f"t{self.number()}",
        )
        future = asyncio.ensure_future(process.store.append(change))

        def answered(done: asyncio.Future[Appended]) -> None:
            if not done.cancelled() and done.exception() is None:
                process.purse.committed(change, done.result())

        future.add_done_callback(answered)

        async def stored() -> None:
            await future

        try:
            await self.alive(process, stored())
        except (Conflict, StoreUnavailable):  # somebody else goes on, or nobody knows whether it was written
            process.active.pop(id, None)
            return False
        process.active[id] = version + 1
        if release:
            del process.active[id]
        return True

    async def write(self, process: Process, execution: str, texts: list[str]) -> None:
        await self._append(process, execution, process.active[execution], texts)

    async def leave(self, process: Process, execution: str, status: str = "waiting") -> None:
        """The execution is committed to wait, or to have ended, and given back."""
        if (version := process.active.get(execution)) is not None:
            await self._append(process, execution, version, [], release=status)

    # -- what is true --------------------------------------------------------------------------------

    async def ledger(self, account: Account) -> Ledger:
        found = await self.store.get(PLACE, LEDGER + str(account))
        return Ledger() if found is None else ledger_of(found.value, str(account))

    async def within(self) -> None:
        """No limit is broken but by what none could refuse."""
        for account in self.accounts:
            ledger = await self.ledger(account)
            for bound in resolved(EMPTY, EMPTY, account.limits).bounds(self.now):
                for key in {*ledger.spent, bound.key} if bound.window else {bound.key}:
                    most = Amount(**bound.most).plus(self.excess[str(account)])
                    if len(key) == len(bound.key):
                        assert not ledger.used(key).over({unit: getattr(most, unit) for unit in bound.most}), (
                            f"{account} is overdrawn in {key!r}: {ledger.used(key)}"
                        )

    async def end(self) -> None:
        """All processes go, some in order; the executions of the dead are taken over, and what they drew recovered."""
        for process in list(self.processes):
            process.fate.next.clear()
            for hold in list(process.holds):
                await self.record(process, hold, None)
            for execution in list(process.active):
                await self.leave(process, execution)
            await process.purse.close()
            await self.store.retire(process.name)
        self.now += self.settings.life + 60_000
        last = await self.process("last")
        for id in [head.id for head in (await self.store.executions(limit=1000)).heads]:
            await self.begin(last, id)
            await self.leave(last, id)
        await recover(self.store, map(str, self.accounts), self.now)

    async def settled(self) -> dict[str, dict[str, Amount]]:
        """By account and window: the sum of what the journals say."""
        sums: dict[str, dict[str, Amount]] = {str(account): {} for account in self.accounts}
        for head in (await self.store.executions(limit=1000)).heads:
            for text in await self.store.history(head.id):
                settled = json.loads(text).get("settled", {"slices": []})
                for slice in settled["slices"]:
                    of = sums[self.whose[slice]]
                    for key in self.windows[slice]:
                        of[key] = of.get(key, NOTHING).plus(amount_of(settled))
        return sums

    async def spent(self) -> dict[str, dict[str, Amount]]:
        """The same, as the ledgers have it."""
        found: dict[str, dict[str, Amount]] = {}
        for account in self.accounts:
            ledger = await self.ledger(account)
            assert not ledger.slices, f"{account}: {ledger.slices} are open"
            past = await archived(self.store, str(account))
            for key in past.keys() & ledger.spent.keys():  # whoever archived it died before the ledger forgot it
                assert past[key] == ledger.spent[key]
            found[str(account)] = {key: amount for key, amount in (past | ledger.spent).items() if amount != NOTHING}
        return found
