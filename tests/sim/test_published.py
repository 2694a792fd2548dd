"""Publications keep every promise in any weather, by a broker and by a store; each broken way of publishing, taking and
queueing is found out."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from overwinter.functions.bus import taking
from overwinter.functions.bus.bus import Bus
from overwinter.functions.bus.subscription import Subscription
from overwinter.functions.bus.taking import Taking
from overwinter.functions.events.event import CloudEvent
from overwinter.orchestrator.engine import delivery
from overwinter.orchestrator.engine.publishing import publish
from overwinter.orchestrator.protocol.decider import Publish
from overwinter.orchestrator.queue.delivery import Delivery
from overwinter.orchestrator.queue.pace import Pace
from overwinter.state.errors import BrokerUnavailable, InvalidInput, StoreError, StoreUnavailable
from overwinter.tests.sim.published import Published

SEED = int(os.environ.get("OVERWINTER_SIM_SEED", "1"))
RUNS = int(os.environ.get("OVERWINTER_SIM_PUBLISHED_RUNS", "12"))


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OVERWINTER_ROUTES", raising=False)
    log = logging.getLogger("overwinter")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


@pytest.mark.parametrize("kind", ["broker", "store"])
def test_every_event_is_taken_once_by_each_in_any_weather(kind: str) -> None:
    deaths = 0
    for seed in range(SEED, SEED + RUNS):
        found = Published(seed, kind).run()
        assert not found.wrong, f"seed {seed}\n" + "\n".join(found.wrong[:20])
        deaths += found.deaths
    assert deaths > RUNS  # the weather was real


def _sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be published is not published again, by whatever process."""
    failed: set[tuple[Any, str]] = set()  # in which world, and which event

    async def once(publisher: Any, activation: Any, effect: Publish, clock: Any, patiently: Any) -> None:
        loop = asyncio.get_running_loop()

        async def impatiently(work: Any, execution: str) -> Any:
            event = (loop, f"{execution} {effect.op}")
            try:
                return await (loop.create_future() if event in failed else work())
            except (BrokerUnavailable, StoreError):
                failed.add(event)
                return await loop.create_future()

        await publish(publisher, activation, effect, clock, impatiently)

    monkeypatch.setattr(delivery, "publish", once)


def _confirmed_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """``sent`` is recorded while the event is on its way."""

    async def early(publisher: Any, activation: Any, effect: Publish, clock: Any, patiently: Any) -> None:
        activation.report({"type": "sent", "op": effect.op, "at": clock()})
        await patiently(lambda: publisher.carry(effect.event), activation.id)

    monkeypatch.setattr(delivery, "publish", early)


def _told_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client is told that its event is durable while this is on its way."""
    whole = Bus.publish

    async def early(self: Bus, event: CloudEvent) -> None:
        self.spawn(whole(self, event))

    monkeypatch.setattr(Bus, "publish", early)


def _taken_without_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes again is taken again."""
    monkeypatch.setattr(taking, "delivery_id", lambda name, event, attempt=1: f"{name}:{secrets.token_hex(16)}")


def _acknowledged_before_it_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker is told that the event is taken before it is."""
    take = Bus.take

    async def early(self: Bus, subscription: Subscription, event: CloudEvent) -> None:
        self.spawn(take(self, subscription, event))

    monkeypatch.setattr(Bus, "take", early)


def _without_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue does not look at keys."""
    monkeypatch.setattr(Delivery, "key", "")


def _refused_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be taken comes again and again, before all that is behind it."""

    async def take(self: Taking, subscription: Subscription, event: CloudEvent) -> None:
        try:
            await self.deliver(subscription, event)
        except InvalidInput as error:
            raise StoreUnavailable(str(error)) from error

    monkeypatch.setattr(Taking, "take", take)


def _tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails in a queue is never set aside, and others of its key wait for it."""
    monkeypatch.setattr(Pace, "attempts", 10**9)


BROKEN = [
    _sent_once,
    _confirmed_before_it_is_taken,
    _told_before_it_is_taken,
    _taken_without_an_id,
    _acknowledged_before_it_is_durable,
    _without_order,
    _refused_for_ever,
    _tried_for_ever,
]


@pytest.mark.parametrize("kind", ["broker", "store"])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_way_of_publishing_is_found_out(broken: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    for seed in range(1, 31):
        if Published(seed, kind).run().wrong:
            return
    pytest.fail(f"{broken.__name__}: 30 simulations noticed nothing")
