"""A simulated process: a Runtime on its own view of a shared store, that can die, hang and be started again.

Everything that runs in it (tasks, timers, callbacks) passes through its gate. When it is killed, none of that
ever runs again: no ``finally``, no ``except``, as with SIGKILL. Calls from outside end with ``Died``.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from ..functions.bus.broker import Broker
from ..functions.runtime import Runtime
from ..orchestrator.engine.activation import Activation
from ..orchestrator.engine.engine import Engine
from ..orchestrator.engine.paying import purse_of
from ..orchestrator.engine.performing import Performer, Sink
from ..orchestrator.engine.settings import Settings
from ..orchestrator.engine.shelf import Shelf
from ..orchestrator.protocol.decider import Invoke
from ..orchestrator.usercode.threads import Threads
from .clock import Call, VirtualLoop, gate
from .faults import Faults, StoreOfOneProcess
from .ledger import Ledger

T = TypeVar("T")


class Died(Exception):
    """The process died before it answered. Whether the call took effect is unknown: repeat it."""


class _Witness(Performer):
    """A performer that tells the ledger what it is about to do."""

    ledger: Ledger
    owner: str

    async def invoke(self, execution: str, call: Invoke, sink: Sink) -> None:
        version = sink.version if isinstance(sink, Activation) else 0
        self.ledger.invoked(execution, call, self.owner, version)
        await super().invoke(execution, call, sink)


class Process:
    """One incarnation. ``name`` is also the owner of its leases, ``skew`` how many ms its clock is ahead."""

    def __init__(
        self,
        loop: VirtualLoop,
        name: str,
        ledger: Ledger,
        functions: Iterable[object],
        settings: Settings,
        *,
        faults: Faults | None = None,
        engine: type[Engine] = Engine,
        skew: int = 0,
        broker: Broker | None = None,
    ) -> None:
        self.name = name
        self.alive = True
        self._loop = loop
        self._ledger = ledger
        self._context = contextvars.Context()
        self._context.run(gate.set, self._pass)
        self._death: asyncio.Future[None] = loop.create_future()
        self._held: list[Call] | None = None  # callbacks that came while the process hung
        self._burial: asyncio.Task[None] | None = None
        self._corpses: set[asyncio.Task[object]] = set()  # kept, so that nothing of them is ever finalised
        self.store = StoreOfOneProcess(ledger, name, faults or Faults())
        settings = replace(settings, watchdog=None)  # it goes by the time of the machine
        self.runtime = Runtime(functions, self.store, settings, broker=broker)
        self.engine = self.runtime.engine = engine(
            self.store,
            self.runtime.engine.functions,
            settings,
            clock=lambda: loop.clock() + skew,
            draw=random.Random(name),
            owner=name,
        )
        threads = Threads(settings.threads, settings.spare_threads)
        witness = _Witness(self.engine.clock, random.Random(name), threads, Shelf(self.store))
        witness.ledger, witness.owner = ledger, name
        witness.extensions, witness.audience = self.runtime.extensions, self.runtime.audience
        self.engine.performer = witness
        witness.purse = self.runtime.purse = purse_of(self.engine, self.runtime.extensions)
        self.runtime.join(self.engine)

    async def start(self) -> None:
        """Raises Died when it did not live that long."""
        await self.call(lambda runtime: runtime.__aenter__())

    async def stop(self) -> None:
        """An orderly end: hand over within the grace period."""
        await self.call(lambda runtime: runtime.close())
        self.kill()

    async def call(self, work: Callable[[Runtime], Awaitable[T]]) -> T:
        """Do something inside the process and bring back what came of it. Raises Died."""
        if not self.alive:
            raise Died(self.name)

        async def inside() -> T:
            return await work(self.runtime)

        task = self._loop.create_task(inside(), context=self._context.copy())
        death = self._death
        try:
            await asyncio.wait((task, death), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()  # the client has gone; what it asked for may have happened
            raise
        if task.done():
            return task.result()
        raise Died(self.name)

    async def death(self) -> None:
        """Wait for it."""
        await asyncio.wait((self._death,))

    def kill(self, *, noticed: bool = True) -> None:
        """End it here and now. ``noticed``: the others see at once that its leases are dead, as they do on
        one machine; otherwise when the leases run out."""
        if not self.alive:
            return
        self.alive = False
        self._corpses = self._loop.tasks_of(self._pass)
        for call in self._held or ():
            _swallow(call)
        self._held = None
        if noticed:
            self._burial = self._loop.create_task(self._ledger.dies(self.name), context=contextvars.Context())
        self._death.set_result(None)

    def bury(self) -> None:
        """Nobody looks at it any more: the workflows that it held are let go, without effects."""
        for activation in self.engine.active.values():
            activation.decider.close()
        self.engine.cache.close()

    async def die(self, *, noticed: bool = True) -> None:
        """Kill from within: never returns."""
        self.kill(noticed=noticed)
        await self._loop.create_future()

    async def hang(self, seconds: float) -> None:
        """From within: nothing runs for a while, as in a process that is swapped out. Then it goes on as if
        nothing had been."""
        if self._held is None:
            self._held = []
            self._loop.call_later(seconds, self._go_on, context=contextvars.Context())
        await asyncio.sleep(0)

    def _go_on(self) -> None:
        held, self._held = self._held, None
        for call in held or ():
            self._loop.call_soon(_run_late, call, context=call.context)

    def _pass(self, call: Call) -> None:
        if not self.alive:
            _swallow(call)
            return
        if self._held is not None:
            self._held.append(call)
        else:
            call.run()


def _run_late(call: Call) -> None:
    """It may have been cancelled by what ran before it."""
    if call.handle is not None and not call.handle.cancelled():
        call.run()


def _swallow(call: Call) -> None:
    """Nobody is left to be told of what this is about."""
    for future in call.args:
        if isinstance(future, asyncio.Future) and future.done() and not future.cancelled():
            future.exception()
