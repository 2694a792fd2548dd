"""The meter of one runtime: hears its commits, and looks at the rest when somebody asks.

On the way of a step it keeps the answer of its commit, on the event loop: no lock, no I/O, nothing that waits. What it
fails at costs numbers, never a step or a scrape.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, cast

from ...state.errors import OverwinterError
from ...telemetry.metrics import catalogue
from ...telemetry.metrics.entry import is_plain
from ...telemetry.metrics.feed import Feed
from ...telemetry.metrics.instruments import Metrics, Reading
from .survey import Survey

if TYPE_CHECKING:
    from ...orchestrator.engine.extensions import Active
    from ...state.records import Appended, Change
    from .measured import Measured
    from .sending import Sending

EACH = 8
"""Of so many plain steps one is timed."""


class Meter:
    """``sends``: what is counted also goes out by OTLP while the runtime is open."""

    def __init__(self, runtime: Measured, *, sends: bool) -> None:
        self.metrics = Metrics(catalogue.ALL)
        self._runtime = runtime
        self._feed = Feed(self.metrics)
        self._store = runtime.store.dsn.partition(":")[0]
        self._steps = 0  # commits of plain ones, not counted yet
        self._transitions = self.metrics.counter(catalogue.TRANSITIONS)
        self._commits = self.metrics.histogram(catalogue.COMMITS)
        self._failures = self.metrics.counter(catalogue.FAILURES)
        self._activations = self.metrics.histogram(catalogue.ACTIVATIONS)
        self._survey = Survey(runtime, self.metrics)
        self._sending: Sending | None = None
        if sends:
            from .sending import Sending

            self._sending = Sending(self.read)
        runtime.extensions.measure(self)

    def begin(self) -> None:
        """The runtime is open."""
        for name, function in self._runtime.engine.functions.items():
            if not name.startswith(("overwinter.", "overwinter/")):  # those are the runtime's own
                self._feed.expects(name, function.kind)
        if self._sending is not None:
            self._sending.begin()

    async def end(self) -> None:
        """The runtime is closed: what was counted goes out for the last time, within seconds."""
        self._survey.end()
        if self._sending is not None:
            await self._sending.end()

    # -- what is heard -------------------------------------------------------------------------------

    def stored(self, active: Active, change: Change, answer: Appended, began: float) -> None:
        """A transition is durable. Plain steps are only numbered, and their time is taken now and then."""
        entries = change.entries
        if len(entries) == 1 and not change.release and change.version and is_plain(entries[0]):
            self._steps += 1
            if not self._steps % EACH:
                self._commits.observe((self._store,), perf_counter() - began)
            return
        self._commits.observe((self._store,), perf_counter() - began)
        self._transitions.add((self._store,))
        self._feed.committed(change.id, active.function, entries, change.blobs, first=change.version == 0)
        if change.release and answer.released:
            start = "warm" if active.deadlines.warm else "cold"
            took = self._runtime.clock() - active.deadlines.began
            self._activations.observe((start,), max(0, took) / 1000)

    def failed(self, error: BaseException) -> None:
        """A commit was not stored."""
        if not isinstance(error, asyncio.CancelledError):
            self._failures.add((self._store, type(error).__name__ if isinstance(error, OverwinterError) else "defect"))

    def _settle(self) -> None:
        """Count the plain steps."""
        count, self._steps = self._steps, 0
        if count:
            self._transitions.add((self._store,), count)
            self._feed.plain(count)

    # -- what is asked for ---------------------------------------------------------------------------

    async def read(self) -> list[Reading]:
        """Everything, as it is now; of the store what it said at most a few seconds ago, while the runtime is open."""
        self._settle()
        self._look()
        await self._survey.look()
        return self.metrics.read()

    def _look(self) -> None:
        """What this process knows by itself."""
        engine, gauge = self._runtime.engine, self.metrics.gauge
        active = list(engine.active.values())
        mail = sum(len(lane.held) for one in active for lane in one.mailbox.lanes)
        gauge(catalogue.ACTIVE).set({(): len(active)})
        gauge(catalogue.ROOM).set({(): engine.settings.max_active})
        gauge(catalogue.CACHED).set({(): len(engine.cache)})
        gauge(catalogue.MAIL).set({(): mail})
        numbers = engine.health.numbers()
        threads = numbers.get("threads", {})
        told: dict[tuple[str, ...], float] = {
            (state,): _number(threads.get(state)) for state in ("busy", "waiting", "abandoned")
        }
        gauge(catalogue.THREADS).set(told)
        opened = numbers.get("circuits", {}).get("open")
        targets = cast("dict[str, object]", opened) if isinstance(opened, dict) else {}
        gauge(catalogue.OPEN).set({(target,): 1 for target in targets})
        if (stood := numbers.get("loop", {}).get("stood")) is not None:
            self.metrics.counter(catalogue.STALLS).put((), _number(stood))
        if (requests := numbers.get("requests", {}).get("open")) is not None:
            gauge(catalogue.REQUESTS).set({(): _number(requests)})
        store = numbers.get("store", {})
        counts, changes = store.get("transactions"), store.get("changes")
        if isinstance(counts, list):
            sizes = cast("list[int]", counts)
            self.metrics.histogram(catalogue.BATCH).put((self._store,), sizes, _number(changes))
        sent = store.get("requests")
        for operation, count in cast("dict[str, int]", sent if isinstance(sent, dict) else {}).items():
            self.metrics.counter(catalogue.REQUESTED).put((self._store, operation), count)


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0
