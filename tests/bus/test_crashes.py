"""Publishing under a crash at every single operation: whoever has subscribed gets the event, and gets it once.
Protocols that break this are found out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter import Context, workflow
from overwinter.functions.bus.store_broker import StoreBroker
from overwinter.functions.events.event import CloudEvent
from overwinter.orchestrator.engine import delivery
from overwinter.orchestrator.engine.publishing import publish
from overwinter.orchestrator.protocol.decider import Fact, Publish
from overwinter.orchestrator.workflow import facts
from overwinter.orchestrator.workflow.run import Run
from overwinter.testing import World, crash_everywhere
from overwinter.testing.crash import CrashFailure

from .shop import book, checkout, desk, fresh, mail, ship

FUNCTIONS = [ship, book, mail, checkout, desk]


async def bought(world: World) -> Any:
    """What becomes of a purchase: the outcomes of all that have subscribed to it."""
    run = await world.start(checkout, {"id": "o-1"}, id="buy")
    outcome = await run.result()
    return outcome, await taken(world, {"ship", "book", "mail"})


async def published(world: World) -> Any:
    """A client publishes, again until it is told that it is durable."""
    event = CloudEvent(id="e-1", source="/shop", type="order.paid", subject="o-1", data={"id": "o-1"})
    await world.call(lambda runtime: runtime.publish(event))
    return await taken(world, {"ship", "book", "mail"})


async def taken(world: World, functions: set[str]) -> Any:
    """All that the functions have been begun with and have come to, once they have."""

    def ended() -> Any:
        heads = [head for head in world.ledger.heads_now() if head.function in functions]
        done = {head.function for head in heads if head.status == "completed"}
        if done != functions:
            return None
        return sorted((head.function, str(world.journal(head.id)[-1].get("value"))) for head in heads)

    async with asyncio.timeout(3600):
        return await world.until(ended)


def test_what_a_workflow_publishes_is_taken_once_by_each() -> None:
    report = crash_everywhere(bought, functions=FUNCTIONS, fresh=fresh)
    assert report.points > 20 and report.executions == 4
    assert [name for name, _ in report.outcome.value[1]] == ["book", "mail", "ship"]


def test_what_a_client_publishes_is_taken_once_by_each() -> None:
    report = crash_everywhere(published, functions=FUNCTIONS, fresh=fresh)
    assert report.points > 15 and report.executions == 3


@pytest.mark.parametrize("seed", range(2))
def test_several_crashes(seed: int) -> None:
    crash_everywhere(bought, functions=FUNCTIONS, fresh=fresh, kills=6, seed=seed)


# -- broken protocols ------------------------------------------------------------------------------------


def test_one_that_confirms_before_it_sends_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def early(publisher: Any, activation: Any, effect: Publish, clock: Any, patiently: Any) -> None:
        activation.report({"type": "sent", "op": effect.op, "at": clock()})
        await patiently(lambda: publisher.carry(effect.event), activation.id)

    monkeypatch.setattr(delivery, "publish", early)
    with pytest.raises(CrashFailure):
        crash_everywhere(bought, functions=FUNCTIONS, fresh=fresh, limit="1d")


def test_one_that_does_not_send_again_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: set[str] = set()

    async def once_only(publisher: Any, activation: Any, effect: Publish, clock: Any, patiently: Any) -> None:
        if effect.op in tried:
            publisher = Silent()
        tried.add(effect.op)
        await publish(publisher, activation, effect, clock, patiently)

    def forgotten() -> None:
        fresh()
        tried.clear()

    monkeypatch.setattr(delivery, "publish", once_only)
    with pytest.raises(CrashFailure):
        crash_everywhere(bought, functions=FUNCTIONS, fresh=forgotten, limit="1d")


def test_one_that_does_not_record_what_it_publishes_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes the event anew each time, so it is another one."""
    made: list[int] = []

    def effect(self: Run, effect: Any) -> None:
        if isinstance(effect, Publish):
            made.append(1)
            effect = effect._replace(event={**effect.event, "id": f"{len(made)}"})
        original(self, effect)

    original = Run.effect
    monkeypatch.setattr(Run, "effect", effect)

    def again() -> None:
        fresh()
        made.clear()

    with pytest.raises(CrashFailure):
        crash_everywhere(bought, functions=FUNCTIONS, fresh=again, limit="1d")


def test_one_that_ends_before_it_has_sent_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "ready_to_end", lambda self: self.ending is not None)
    monkeypatch.setattr(facts, "Publication", type("Nobody", (), {}))
    with pytest.raises((CrashFailure, TimeoutError, AssertionError)):
        crash_everywhere(gone, functions=[ship, leaving], fresh=fresh, limit="1d")


async def gone(world: World) -> Any:
    run = await world.start(leaving, id="left")
    await run.result()
    return await taken(world, {"ship"})


@workflow
async def leaving(ctx: Context) -> str:
    ctx.publish("order.paid", {"id": "o-1"})
    return "gone"


def test_what_nobody_waits_for_is_published_all_the_same() -> None:
    crash_everywhere(gone, functions=[ship, leaving], fresh=fresh)


class Silent(StoreBroker):
    """Says that everything is durable."""

    async def carry(self, event: Fact) -> None:
        return
