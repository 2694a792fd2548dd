"""The runtime as people make it: that of ``orchestrator``, with what functions need beside it.

Each tool that is served can also be begun as an execution of its own (``invocation.task``), by whoever orders it from
elsewhere. What functions declare to be done at set times is made so when the runtime is opened (``schedule``), and
what is published goes to those that have subscribed to it, by a broker (``bus``).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..orchestrator import runtime
from ..orchestrator.engine.extensions import Extension
from ..orchestrator.engine.settings import Settings
from ..orchestrator.protocol.clock import wall_clock
from ..orchestrator.schedule.function import Scheduling
from ..orchestrator.schedule.naming import ELSEWHERE
from ..orchestrator.usercode.calling import checked
from ..orchestrator.usercode.served import by_name
from ..orchestrator.usercode.threads import Threads
from ..state.errors import BrokerUnavailable, StoreError
from ..state.quantities import seconds
from ..state.records import Accepted, NewExecution, NewMail
from ..state.store import Store
from . import tracing
from .bus.place import ENVIRONMENT, KEY, PLACE
from .invocation.internal import TELLER, WATCH, Internal
from .invocation.proxy import Proxy
from .metering.switch import meter_of
from .schedule import bring, declared_by, tidy

if TYPE_CHECKING:
    from ..orchestrator.engine.cutting import Cut
    from ..orchestrator.engine.engine import Engine
    from ..orchestrator.machine.integrations import Integrations
    from ..orchestrator.protocol.decider import Fact
    from ..orchestrator.schedules import Schedules
    from ..orchestrator.workflow.function import Workflow
    from ..state.quantities import Duration
    from ..telemetry.spans.tracing import Tracing
    from .bus.broker import Broker
    from .bus.bus import Bus
    from .events.attributes import Extension as Attribute
    from .events.event import CloudEvent
    from .invocation.task import Task

log = logging.getLogger("overwinter")


class Runtime(runtime.Runtime):
    __doc__ = f"""{runtime.Runtime.__doc__}
    ``broker`` carries what is published: a DSN, or None for ``OVERWINTER_BROKER``, by default the store itself.
    ``telemetry`` is told what happens, for traces; None: as ``OVERWINTER_TRACES`` and ``OTEL_…`` say."""

    def __init__(
        self,
        functions: Iterable[object] | Mapping[str, object] = (),
        store: str | Store | None = None,
        settings: Settings = Settings(),
        *,
        clock: Callable[[], int] = wall_clock,
        threads: Threads | None = None,
        extensions: Iterable[Extension] = (),
        unnamed: Iterable[object] = (),
        broker: str | Broker | None = None,
        telemetry: Tracing | None = None,
    ) -> None:
        found = by_name(functions)
        self.tasks: Mapping[str, Task] = _tasks(found)
        self._watched = {name: self._watcher(name) for name, one in found.items() if getattr(one, "sources", ())}
        proxy, teller = Proxy(), Internal(TELLER, self._teller)
        unnamed = [*unnamed, *self.tasks.values(), *self._watched.values(), *_queues(found)]
        of_ours = [proxy, teller, Scheduling()] if found or unnamed else []  # who serves nothing takes nothing
        super().__init__(
            functions,
            store,
            settings,
            clock=clock,
            threads=threads,
            extensions=extensions,
            unnamed=[*unnamed, *of_ours],
        )
        self._abroad, self._broker = proxy, broker
        self._bus: Bus | None = None
        self._opened: asyncio.Future[None] | None = None
        self._until = 0.0
        self.tracing = telemetry if telemetry is not None else tracing.from_environment()
        if self.tracing is not None:
            self.extensions.gather(self.tracing.commits, self.tracing.heard)
        if _subscribed(found) or broker is not None or os.environ.get(ENVIRONMENT, "").strip() not in ("", "store"):
            self._bus = self._made_bus()
        self.join(self.engine)
        self._declared = declared_by(self.functions, self._fit)
        self.meter = meter_of(self)

    def join(self, engine: Engine) -> None:
        """What leads out of the process goes by this engine."""
        self.engine = engine
        engine.delivery.abroad, engine.delivery.publisher, engine.performer.carrier = self._abroad, self, self
        if self._bus is not None:
            self._bus.join(engine)
        if self.tracing is not None:
            tracing.join(self.tracing, engine)

    @property
    def bus(self) -> Bus:
        """Subscriptions, and the broker that carries what is published. Made when there is something to carry: most
        processes publish nothing."""
        if self._bus is None:
            self._bus = self._made_bus()
        return self._bus

    def _made_bus(self) -> Bus:
        from .bus.bus import Bus
        from .bus.exchange import Exchange
        from .bus.opening import open_broker

        broker = open_broker(self._broker)
        alone = broker.no_calls or not self.functions  # nobody can call it, or it calls nobody
        return Bus(self.engine, self.functions, broker, None if alone else Exchange(self))

    async def _carrier(self) -> Bus:
        """The bus, opened. Raises StoreError, BrokerUnavailable."""
        bus = self.bus
        opened = self._opened
        if opened is None:
            opened = self._opened = asyncio.ensure_future(bus.open())
        try:
            await asyncio.shield(opened)
        finally:
            if opened.done() and (opened.cancelled() or opened.exception() is not None):
                self._opened = None  # whoever comes next tries again
        return bus

    @property
    def integrations(self) -> Integrations:
        from .integrations.retold import Retold

        return Retold()

    async def distribute(self, event: CloudEvent) -> int:
        """Let every subscription of this store that means the event take it, which a platform has handed over here; how
        many do. Raises StoreError, BrokerUnavailable."""
        if self._bus is None and await self.store.get(PLACE, KEY) is None:
            return 0
        from .bus.distributing import distribute

        return await distribute(await self._carrier(), event)

    async def carry(self, event: Fact) -> None:
        """As what executions publish leaves them, until there is a bus."""
        await (await self._carrier()).carry(event)

    async def ask(self, function: str, body: Mapping[str, Any], number: int) -> None:
        """As what executions order by events from elsewhere leaves them."""
        await (await self._carrier()).ask(function, body, number)

    async def _take_back(self) -> None:
        """There is nothing to announce, but perhaps to take back."""
        try:
            if await self.store.get(PLACE, KEY) is not None:
                await self._carrier()
        except (StoreError, BrokerUnavailable) as error:
            log.warning("subscriptions that were given up can't be taken back (%s)", error)

    async def _see_to_sources(self) -> None:
        """See to it that the sources which functions are begun by are looked at."""
        if self._watched:
            from .triggers.watching import watch

            for name, watcher in self._watched.items():
                await watch(self, name, watcher)

    def _watcher(self, name: str) -> Internal:
        def make() -> Workflow:
            from .triggers.watching import Watcher

            return Watcher(self, name).workflow

        return Internal(f"{WATCH}{name}", make)

    def _teller(self) -> Workflow:
        from .events.telling import Teller

        return Teller(self, self.publish).workflow

    @property
    def schedules(self) -> Schedules:
        from ..orchestrator.schedules import Schedules

        return Schedules(self, self._put, self._fit)

    async def _put(self, id: str, mail: NewMail, create: NewExecution | None = None) -> Accepted:
        return await self.engine.post(id, mail, create=create)

    def _fit(self, name: str, value: Any) -> tuple[str, Any]:
        """The kind of a function that is served here or where a route leads, and its input. Raises InvalidInput."""
        function, abroad = self.engine.functions.get(name), self.engine.delivery.abroad
        if function is not None and not getattr(function, "internal", False):
            return function.kind, checked(function, value)
        return (ELSEWHERE if abroad is not None and abroad.leads(name) else ""), value

    async def _open(self) -> None:
        await super()._open()
        try:
            if self.tracing is not None:
                await tracing.begin(self.tracing, self.engine)
            if self._bus is None:
                self.engine.spawn(self._take_back())
            else:
                await self._carrier()
            if self._declared:
                await bring(self, self.functions, self._declared)
            else:  # at the most there is something to take away, and nobody waits for that
                self.engine.spawn(tidy(self, self.functions))
            await self._see_to_sources()
            if self.meter is not None:
                self.meter.begin()
        except BaseException:
            await self._close_bus()
            await self.engine.close(0)
            await self.store.close()
            raise

    async def close(self, grace: Duration | None = None, cut: Cut | None = None) -> None:
        until = monotonic() + seconds(self.engine.settings.grace if grace is None else grace)
        self._until = max(until, monotonic() + 1)
        if self.ready:
            await self._close_bus()
        try:
            await super().close(grace, cut)
        finally:
            if self.meter is not None:
                await self.meter.end()  # with what was counted on the way

    async def _handed_over(self) -> None:
        if self.tracing is not None:
            await tracing.last_words(self.tracing, self._until - monotonic())
            await tracing.end(self.engine)

    async def _close_bus(self) -> None:
        if self._bus is not None:
            await self._bus.close()

    async def publish(
        self,
        event: str | CloudEvent,
        data: Any = None,
        *,
        id: str | None = None,
        source: str | None = None,
        subject: str | None = None,
        key: str | None = None,
        **extensions: Attribute,
    ) -> str:
        """Publish an event to those that have subscribed to it; it is durable when this returns, with its id.

        ``event`` is its type ("order.paid"), with ``data`` as any JSON, or a CloudEvent as it is. The same source and
        id are taken once by each subscription. ``key``: events of one key stay in their order (``partitionkey``).
        Raises InvalidInput, BrokerUnavailable, StoreError."""
        from .bus.making import made

        self._life.check()
        whole = made(event, data, id=id, source=source, subject=subject, key=key, extensions=extensions)
        await (await self._carrier()).publish(whole)
        return whole.id


def _subscribed(functions: Mapping[str, Any]) -> bool:
    return any(getattr(one, "subscriptions", ()) for one in functions.values())


def _queues(functions: Mapping[str, Any]) -> Sequence[object]:
    """Those in front of functions that have subscribed."""
    if not _subscribed(functions):
        return ()
    from .bus.bus import queues_of

    return queues_of(functions)


def _tasks(functions: Mapping[str, Any]) -> dict[str, Task]:
    """One for each tool; without any, no workflow need be imported."""
    tools = {
        name: found
        for name, found in functions.items()
        if getattr(found, "kind", "") == "tool" and hasattr(found, "invoke")
    }
    if not tools:
        return {}
    from .invocation.task import Task

    return {name: Task(found, name) for name, found in tools.items()}
