"""Code that changed under a running execution: it gets stuck, the error says what and where, nothing is lost."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from overwinter.orchestrator.protocol.decider import Verdict
from overwinter.orchestrator.workflow.context import Context
from overwinter.orchestrator.workflow.function import Workflow
from overwinter.state.errors import Denied

from .world import World, replay


async def charge(n: int) -> int:
    return n


async def ship(n: int) -> int:
    return n


async def log(n: int) -> int:
    return n


async def original(ctx: Context) -> int:
    await ctx.step(charge, 1)
    await ctx.step(ship, 2)
    await ctx.sleep("1h")
    return await ctx.step(log, 3)


async def renamed(ctx: Context) -> int:
    await ctx.step(charge, 1)
    await ctx.step(ship, 2, name="send")
    await ctx.sleep("1h")
    return await ctx.step(log, 3)


async def inserted(ctx: Context) -> int:
    await ctx.step(charge, 1)
    await ctx.step(log, 1)
    await ctx.step(ship, 2)
    await ctx.sleep("1h")
    return await ctx.step(log, 3)


async def removed(ctx: Context) -> int:
    await ctx.step(ship, 2)
    await ctx.sleep("1h")
    return await ctx.step(log, 3)


async def reordered(ctx: Context) -> int:
    await ctx.step(ship, 2)
    await ctx.step(charge, 1)
    await ctx.sleep("1h")
    return await ctx.step(log, 3)


async def other_kind(ctx: Context) -> int:
    await ctx.step(charge, 1)
    await ctx.sleep("1s")
    await ctx.sleep("1h")
    return await ctx.step(log, 3)


async def other_wait(ctx: Context) -> int:
    await ctx.step(charge, 1)
    await ctx.step(ship, 2)
    await ctx.wait_for("go", timeout="1h")
    return await ctx.step(log, 3)


async def waits_elsewhere(ctx: Context) -> int:
    await ctx.step(charge, 1)
    await ctx.wait_for("go")
    return 1


async def returns_early(ctx: Context) -> int:
    await ctx.step(charge, 1)
    return 1


async def raises_early(ctx: Context) -> int:
    await ctx.step(charge, 1)
    raise RuntimeError("too early")


async def swallows(ctx: Context) -> int:
    try:
        await ctx.step(ship, 2)
    except Exception:  # noqa: BLE001  # this is what is tried
        await ctx.step(log, 1)
    finally:
        with suppress(Exception):
            await ctx.step(log, 2)
    return 1


async def within_branches(ctx: Context) -> int:
    async with asyncio.TaskGroup() as group:
        group.create_task(ctx.step(ship, 1))
        group.create_task(asyncio.sleep(1))
    return 1


def line(fn: Callable[..., Any], text: str) -> str:
    source, first = inspect.getsourcelines(fn)
    return f"test_mismatch.py:{first + next(i for i, found in enumerate(source) if text in found)}"


CASES: list[tuple[Callable[..., Any], list[str]]] = [
    (renamed, [line(renamed, "send"), "step 'send' as operation 1", "recorded step 'ship'"]),
    (inserted, [line(inserted, "log, 1"), "step 'log' as operation 1", "recorded step 'ship'"]),
    (removed, [line(removed, "ship"), "step 'ship' as operation 0", "recorded step 'charge'"]),
    (reordered, [line(reordered, "ship"), "step 'ship' as operation 0", "recorded step 'charge'"]),
    (other_kind, [line(other_kind, "1s"), "a sleep as operation 1", "recorded step 'ship'"]),
    (other_wait, [line(other_wait, "go"), "event 'go' as operation 2", "recorded a sleep"]),
    (waits_elsewhere, [line(waits_elsewhere, "go"), "event 'go' as operation 1", "recorded step 'ship'"]),
    (returns_early, ["step 'ship' (operation 1)", "the code has returned"]),
    (raises_early, ["step 'ship' (operation 1)", "has failed with RuntimeError: too early"]),
    (swallows, [line(swallows, "ship"), "step 'ship' as operation 0", "recorded step 'charge'"]),
    (within_branches, [line(within_branches, "ship"), "step 'ship' as operation 0", "recorded step 'charge'"]),
]


def recorded() -> World:
    world = World(original)
    world.perform()
    world.perform()
    world.pass_time()
    return world


@pytest.mark.parametrize(("changed", "words"), CASES, ids=[case[0].__name__ for case in CASES])
def test_a_change_makes_it_stuck(changed: Callable[..., Any], words: list[str]) -> None:
    world = recorded()
    decider = replay(Workflow(changed, name="original"), "w-1", world.journal)
    decision = decider.decide()
    assert decision.status == "stuck"
    for word in [*words, "overwinter resume w-1"]:
        assert word in decision.error
    assert not (decision.entries or decision.perform or decision.abandon)
    assert decision.wake is None
    mail = {"type": "event", "id": "e", "name": "go", "data": 1, "at": 9}
    assert decider.offer(mail) is Verdict.LATER
    decider.close()


def test_the_right_code_goes_on_where_it_was() -> None:
    world = recorded()
    world.close()
    again = World(original, journal=world.journal).run()
    assert again.performed == ["3"] and again.value == 3


async def dozes(ctx: Context) -> None:
    await ctx.wait_for("go")
    await asyncio.sleep(1)
    await ctx.wait_for("more")


async def asks(ctx: Context) -> None:
    with suppress(Denied):
        await ctx.approve("refund")


async def asks_for_more(ctx: Context) -> None:
    with suppress(Denied):
        await ctx.approve("more")


async def parents(ctx: Context) -> None:
    await ctx.child("some")


async def parents_other(ctx: Context) -> None:
    await ctx.child("other")


async def listens(ctx: Context) -> None:
    await ctx.wait_for("else")


async def listens_on(ctx: Context) -> None:
    await ctx.wait_for("go")
    await ctx.wait_for("else")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (asks, asks_for_more, "asked for approval 'more' as operation 0, but the journal recorded approval 'refund'"),
        (parents, parents_other, "asked for child 'other' as operation 0, but the journal recorded child 'some'"),
        (asks, listens, "asked for event 'else' as operation 0, but the journal recorded approval 'refund'"),
        (asks, returns_early, "asked for step 'charge' as operation 0, but the journal recorded approval 'refund'"),
    ],
)
def test_what_was_ordered_is_checked(before: Callable[..., Any], after: Callable[..., Any], words: str) -> None:
    world = World(before)
    decision = replay(Workflow(after), "w-1", world.journal).decide()
    assert decision.status == "stuck" and words in decision.error


def test_a_recorded_result_nobody_waits_for_names_where_the_code_waits() -> None:
    world = World(dozes)
    world.event("go")
    world.pass_time()
    decider = replay(Workflow(listens_on), "w-1", world.journal)
    decision = decider.decide()
    assert decision.status == "stuck"
    assert "the journal goes on with timer 'asyncio' (operation t0)" in decision.error
    assert f"it waits at {line(listens_on, 'else')}" in decision.error
    decider.close()


def test_an_ended_execution_never_gets_stuck() -> None:
    world = recorded().run()
    decision = replay(Workflow(returns_early), "w-1", world.journal).decide()
    assert decision.status == "completed" and not decision.entries


def test_an_unknown_entry_is_refused_by_name() -> None:
    world = recorded()
    journal = [*world.journal, {"type": "teleported", "at": 9}]
    decision = replay(world.workflow, "w-1", journal).decide()
    assert decision.status == "stuck" and "'teleported'" in decision.error and "upgrade" in decision.error


def test_entries_about_the_whole_execution_are_passed_over() -> None:
    world = recorded()
    journal = json.loads(json.dumps(world.journal))
    for kind in ("paused", "resumed", "stuck"):
        journal.insert(2, {"type": kind, "at": 9_999_999_999_999, "by": "ann", "reason": "", "error": ""})
    decider = replay(world.workflow, "w-1", journal)
    decision = decider.decide()
    assert [effect.op for effect in decision.perform] == ["3"]


async def spins(ctx: Context) -> None:
    while True:  # noqa: ASYNC110  # this is what is tried
        await asyncio.sleep(0)


async def never(ctx: Context) -> None:
    await asyncio.Event().wait()


def test_a_wait_that_can_never_end_is_stuck() -> None:
    world = World(never)
    assert world.status == "stuck"
    assert f"waits for nothing that can arrive; it waits at {line(never, 'Event')}" in world.last.error
    assert world.decider.offer({"type": "cancel", "at": 1, "reason": "", "by": ""}) is Verdict.LATER
    world.close()


def test_spinning_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overwinter.orchestrator.workflow.loop.TURN_LIMIT", 1000)
    world = World(spins)
    assert world.status == "stuck" and "goes round" in world.last.error
    assert line(spins, "sleep(0)") in world.last.error
    world.close()
