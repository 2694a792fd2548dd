"""The events of one runtime: what its functions have subscribed to, and the broker that carries what is published."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from ...orchestrator.engine.publishing import Publisher
from ...orchestrator.protocol.decider import Fact
from ...orchestrator.queue.pace import Pace
from ...orchestrator.queue.queue import Queue
from ...state.errors import InvalidInput, StoreError
from ...state.store import Store
from ..events.event import CloudEvent
from ..events.http import from_json
from .announcing import Announced, announce
from .broker import Broker, Keeping
from .dead_letters import PLACE, DeadLetters
from .exchange import Exchange
from .retiring import retire
from .sorting import Sorting
from .subscription import Subscription, subscriptions_of
from .taking import Office, Taking

log = logging.getLogger("overwinter")

_AGAIN = 0.1
"""Seconds after which what reads events is told once more to end."""


class Sender(Protocol):
    """What sends for executions."""

    publisher: Publisher | None


class Engine(Office, Protocol):
    """What events go into, and are published from."""

    @property
    def delivery(self) -> Sender: ...
    def spawn(self, work: Any) -> None: ...


def queues_of(functions: Mapping[str, Any]) -> list[Queue]:
    """Those in front of functions that have subscribed: also where no pace is set, since one may have been, and what
    lies in the queue since then is to come out."""
    return [
        Queue(one.name, one.function, one.kind, one.pace or Pace(), PLACE)
        for one in subscriptions_of(functions).values()
    ]


class Bus:
    """Subscribers and broker of one engine. Implements ``Publisher`` for it, and ``Subscribers`` for the broker.
    ``exchange``: what makes calls by events, where the broker can carry those."""

    def __init__(
        self, engine: Engine, functions: Mapping[str, Any], broker: Broker, exchange: Exchange | None = None
    ) -> None:
        self.store: Store = engine.store
        self.letters = DeadLetters(engine.store)
        self.join(engine)
        self._functions = functions
        self._own = subscriptions_of(functions)
        self._announced = Announced(engine.store)
        self._broker, self._exchange = broker, exchange
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self, engine: Engine) -> None:
        """Events go into this engine, and what its executions publish comes here."""
        self._engine = engine
        self.taking = Taking(engine, self.letters)
        self.dead_letters = Sorting(self.store, self.taking)
        engine.delivery.publisher = self

    @property
    def own(self) -> Mapping[str, Subscription]:
        return self._own if self._exchange is None else {**self._own, **self._exchange.subscriptions}

    async def open(self) -> None:
        """The subscriptions here get what is published from now on. Raises StoreError, BrokerUnavailable."""
        keeping = self._broker if isinstance(self._broker, Keeping) else None
        if self._own:
            await announce(self.store, self._own, self._functions, kept=keeping is not None)
        else:
            self._engine.spawn(self._withdraw(keeping))
        if self._exchange is not None:
            await self._exchange.open()
        await self._broker.open(self)
        if self._own and keeping is not None:
            self.spawn(self._retire(keeping))

    async def _withdraw(self, keeping: Keeping | None) -> None:
        """There is nothing to announce, but perhaps to take back."""
        try:
            await announce(self.store, self._own, self._functions, kept=keeping is not None)
            if keeping is not None:
                await self._retire(keeping)
        except StoreError as error:
            log.warning("subscriptions that were given up can't be taken back (%s)", error)

    async def _retire(self, keeping: Keeping) -> None:
        """What was given up need not be kept any more. Whoever starts next does what can't be done now."""
        try:
            kept = await retire(self.store, keeping)
        except StoreError as error:
            log.warning("what the broker keeps for subscriptions that were given up is not looked at (%s)", error)
            return
        for name, why in kept.items():
            log.info("the broker keeps something for the subscription %s, which was given up: %s", name, why)

    async def close(self) -> None:
        """Take no more events."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=_AGAIN)  # a client may swallow it when an answer comes just then
        await self._broker.close()

    # -- who publishes -------------------------------------------------------------------------------

    async def publish(self, event: CloudEvent) -> None:
        """It is durable when this returns. Raises what ``Broker.publish`` does."""
        await self._broker.publish(event)

    async def carry(self, event: Fact) -> None:
        await self._broker.publish(from_json(event))

    async def ask(self, function: str, body: Mapping[str, Any], number: int) -> None:
        """Order a call by an event. Raises InvalidInput, and what ``Broker.publish`` does."""
        if self._exchange is None:
            why = self._broker.no_calls or "this runtime serves nothing, so no answer would come to it"
            raise InvalidInput(
                f"the route of {function!r} leads to the broker, and {why}; set OVERWINTER_BROKER=redis://HOST:6379/0, "
                "or let the route lead to a server"
            )
        await self._broker.publish(self._exchange.asked(function, body, number))

    # -- who has subscribed --------------------------------------------------------------------------

    async def announced(self) -> Mapping[str, Subscription]:
        known = await self._announced.now()
        return {**known, **self._own} if self._own else known

    async def take(self, subscription: Subscription, event: CloudEvent) -> None:
        if self._exchange is not None and subscription.name in self._exchange.subscriptions:
            await self._exchange.take(subscription, event)
        else:
            await self.taking.take(subscription, event)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("events are not read any more by a task of the broker", exc_info=error)
