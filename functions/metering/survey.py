"""What only the store knows, asked when somebody looks: by one look at a time, at most every ``FRESH`` ms, each part
bounded. A store that fails or is slow costs these numbers for that look, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

from ...orchestrator.governance.budgets.account import measured
from ...orchestrator.governance.budgets.accounts import shown
from ...orchestrator.governance.budgets.places import LEDGER
from ...orchestrator.governance.budgets.places import PLACE as BUDGETS
from ...state.errors import OverwinterError, StoreCorrupt, StoreSealed
from ...state.records import Filter
from ...telemetry.metrics import catalogue
from ...telemetry.metrics.instruments import Metrics
from ..bus.dead_letters import PLACE as LETTERS

if TYPE_CHECKING:
    from .measured import Measured

log = logging.getLogger("overwinter")

FRESH = 5_000
"""For so long (ms) an answer is believed."""
PATIENCE = 3.0
"""Seconds that who asks waits for it. A look that takes longer goes on, and its answer is told the next time."""
DUE, LETTERS_MOST, PAGE, PAGES = 1000, 1000, 100, 5
ACCOUNTS = 50
"""Of tenants and of agents, each. Users are left out: there are too many for a metric."""
_ASKED = (
    catalogue.EXECUTIONS,
    catalogue.DUE,
    catalogue.LAG,
    catalogue.PROCESSES,
    catalogue.LEASES,
    catalogue.APPROVALS,
    catalogue.AGE,
    catalogue.DEAD,
    catalogue.BUDGET,
)


class Survey:
    """Of the store of one runtime."""

    def __init__(self, runtime: Measured, metrics: Metrics) -> None:
        self._runtime = runtime
        self._metrics = metrics
        self._asked: int | None = None
        self._asking: asyncio.Task[None] | None = None
        self._over = False

    async def look(self) -> None:
        """The gauges say what the store said lately. Never raises for what the store does."""
        now = self._runtime.clock()
        if self._over:
            return
        if self._asking is None or (self._asking.done() and (self._asked is None or now - self._asked >= FRESH)):
            self._asked, self._asking = now, asyncio.ensure_future(self._ask())
        await asyncio.wait([self._asking], timeout=PATIENCE)
        if not self._asking.done() or (not self._asking.cancelled() and self._asking.exception() is not None):
            self._silent()

    def end(self) -> None:
        """The store is closed: it is asked no more, and nothing is said of it."""
        self._over = True
        for one in (*_ASKED, catalogue.UP):
            self._metrics.gauge(one).set({})
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        try:
            await self._counts()
            await self._due()
            await self._approvals()
            await self._letters()
            await self._budgets()
        except OverwinterError as error:
            log.info("metrics of the store are left out, it does not answer (%s)", error)
            self._silent()
        else:
            self._metrics.gauge(catalogue.UP).set({(): 1})

    def _silent(self) -> None:
        """Old numbers would pass for new ones."""
        for one in _ASKED:
            self._metrics.gauge(one).set({})
        self._metrics.gauge(catalogue.UP).set({(): 0})

    async def _counts(self) -> None:
        store, gauge = self._runtime.store, self._metrics.gauge
        counts = await self._runtime.counts()
        gauge(catalogue.EXECUTIONS).set({(status,): count for status, count in counts.items()})
        owners = await store.owners(self._runtime.clock())
        gauge(catalogue.PROCESSES).set({(): len(owners)})
        gauge(catalogue.LEASES).set({(): sum(owners.values())})

    async def _due(self) -> None:
        store, now, gauge = self._runtime.store, self._runtime.clock(), self._metrics.gauge
        due = await store.due(now, DUE)
        wake = await store.next_wake() if due else None
        gauge(catalogue.DUE).set({(): len(due)})
        gauge(catalogue.LAG).set({(): 0 if wake is None else max(0, now - wake) / 1000})

    async def _approvals(self) -> None:
        now, gauge = self._runtime.clock(), self._metrics.gauge
        where, cursor, count, oldest = Filter(("waiting",), awaits="approval "), None, 0, now
        for _ in range(PAGES):
            page = await self._runtime.page(where, cursor, PAGE)
            count, cursor = count + len(page.heads), page.cursor
            oldest = min([oldest, *(head.updated for head in page.heads)])
            if cursor is None:
                break
        gauge(catalogue.APPROVALS).set({(): count})
        gauge(catalogue.AGE).set({(): (now - oldest) / 1000})

    async def _letters(self) -> None:
        names = await self._runtime.store.keys(LETTERS, "", LETTERS_MOST)
        found = Counter(name.partition(":")[0] for name in names)
        self._metrics.gauge(catalogue.DEAD).set({(name,): count for name, count in found.items()})

    async def _budgets(self) -> None:
        store, now = self._runtime.store, self._runtime.clock()
        told: dict[tuple[str, ...], float] = {}
        for kind in ("tenant", "agent"):
            for key in await store.keys(BUDGETS, f"{LEDGER}{kind}:", ACCOUNTS):
                try:
                    standing = await shown(store, key.removeprefix(LEDGER), now)
                except (StoreCorrupt, StoreSealed) as error:  # the others can be read
                    log.info("metrics leave out a budget that can't be read (%s)", error)
                    continue
                for window in standing.windows:
                    if window.bound is not None:
                        most = window.bound.most.items()
                        shares = [float(measured(window.used, unit) / allowed) for unit, allowed in most if allowed]
                        told[standing.account, window.window or "ever"] = max(shares, default=0.0)
        self._metrics.gauge(catalogue.BUDGET).set(told)
