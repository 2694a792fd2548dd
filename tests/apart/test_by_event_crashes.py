"""A call by events under a crash at every single operation, of who orders it and of who makes it: it is made once, and
its outcome is the same. Protocols that break this are found out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

from overwinter import Agent, Context, Scripted, call, tool, workflow
from overwinter.functions.bus import exchange
from overwinter.functions.bus.exchange import Exchange
from overwinter.orchestrator.engine.performing import Performer
from overwinter.orchestrator.protocol.decider import Fact, Invoke
from overwinter.testing import World, crash_everywhere
from overwinter.testing.crash import CrashFailure
from overwinter.tests.sim.lines import End, Lines

PAID: list[str] = []


@tool
async def find(order: str) -> str:
    """May be done again."""
    return f"{order} found"


@tool(effect="irreversible", in_doubt="fail")
async def spend(order: str) -> str:
    """May not."""
    PAID.append(order)
    return f"{order} paid"


@workflow
async def bill(ctx: Context, order: str) -> str:
    await ctx.sleep(1)
    return f"{order} billed"


@workflow
async def buy(ctx: Context, order: str) -> list[str]:
    return [await ctx.step(find, order), await ctx.call("bill", order)]


desk = Agent("desk", Scripted([call("find", order="o"), "done"]), tools=[find])
FUNCTIONS = [find, spend, bill, buy, desk]
ends: list[End] = []


def fresh() -> None:
    PAID.clear()
    ends[:] = [End(Lines(random.Random(1), lambda: 0.0))]


@pytest.fixture(autouse=True)
def _lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both sides are one process here: each name leads to the broker, and is taken from it."""
    monkeypatch.setenv("OVERWINTER_ROUTES", "find=broker spend=broker bill=broker")
    monkeypatch.setenv("OVERWINTER_BROKER", "lines://")
    monkeypatch.setattr("overwinter.functions.bus.opening.open_broker", lambda dsn: ends[0])
    monkeypatch.setattr(exchange, "_is_here", lambda name: name in ("find", "spend", "bill"))
    begun = Performer.begun

    def alike(self: Performer, call: Invoke, attempt: int) -> tuple[Fact, Invoke]:
        """The mark is the same in each run, so that executions over there have the same ids."""
        self._draw = random.Random(f"{call.name} {call.op}")
        return begun(self, call, attempt)

    monkeypatch.setattr(Performer, "begun", alike)
    fresh()
    yield


async def bought(world: World) -> Any:
    return await (await world.start(buy, "o", id="x")).result()


async def asked(world: World) -> Any:
    return await (await world.start(desk, "hi", id="x")).result()


def test_a_workflow_gets_what_it_has_ordered() -> None:
    report = crash_everywhere(bought, functions=FUNCTIONS, fresh=fresh)
    assert report.points > 20 and report.outcome.value == ["o found", "o billed"]


def test_an_agent_gets_what_it_has_ordered() -> None:
    report = crash_everywhere(asked, functions=FUNCTIONS, fresh=fresh)
    assert report.points > 15 and report.outcome.value == "done"


@pytest.mark.parametrize("seed", range(2))
def test_several_crashes(seed: int) -> None:
    crash_everywhere(bought, functions=FUNCTIONS, fresh=fresh, kills=6, seed=seed)


# -- broken protocols ------------------------------------------------------------------------------------


def test_one_that_confirms_an_answer_before_it_is_kept_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _later(monkeypatch, "_answered")
    with pytest.raises(CrashFailure):
        crash_everywhere(bought, functions=FUNCTIONS, fresh=fresh, limit="10s")


def test_one_that_confirms_a_call_before_it_has_begun_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _later(monkeypatch, "_called")
    with pytest.raises(CrashFailure):
        crash_everywhere(bought, functions=FUNCTIONS, fresh=fresh, limit="10s")


def test_the_right_one_needs_nobody_to_ask_again() -> None:
    """As long as the broker loses nothing. What is asked again would hide what the tests above find out."""
    crash_everywhere(bought, functions=FUNCTIONS, fresh=fresh, limit="10s")


def _later(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    taken = getattr(Exchange, what)

    async def at_once(self: Exchange, *given: Any) -> None:
        asyncio.ensure_future(taken(self, *given))  # noqa: RUF006  # nobody waits for it, which is what is broken

    monkeypatch.setattr(Exchange, what, at_once)
