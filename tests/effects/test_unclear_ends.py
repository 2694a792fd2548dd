"""A call that ended in nothing that is known, while its process lives: its time was over, or what it gave can't be
recorded. It may have taken effect, so somebody is waited for, or who can tell is asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter import Agent, Scripted, call, current_call, tool
from overwinter.functions.effects import Done, NotDone
from overwinter.testing import World

from .bank import bank, look, played


async def _pay(order: str, late: str) -> Any:
    bank.pay(current_call().idempotency_key, order)
    if late == "too slow":
        await asyncio.Event().wait()
    return object()


def _clerk(pay: Any, late: str) -> Agent:
    def script(messages: Any, tools: Any) -> Any:
        return call("pay", order="o", late=late) if len(messages) == 1 else messages[-1].content

    return Agent("clerk", Scripted(script), tools=[pay])


@pytest.mark.parametrize("late", ["too slow", "not recordable"])
@pytest.mark.parametrize("outcome", [Done("by hand"), NotDone()])
def test_an_irreversible_one_waits_for_a_person(late: str, outcome: Any) -> None:
    bank.clear()
    clerk = _clerk(tool(name="pay", effect="irreversible", timeout="1m")(_pay), late)

    async def scenario(world: World) -> None:
        await world.start(clerk, "o", id="x")
        await world.reached("x", "in-doubt")
        await world.sleep("3d")
        (doubt,) = await world.call(lambda runtime: runtime.doubts("x"))
        assert doubt["arguments"] == {"order": "o", "late": late} and bank.paid == {"o": 1}
        await world.resolve("x", outcome)
        if isinstance(outcome, Done):
            assert await world.result("x") == "by hand"
        else:
            await world.sleep("1h")  # it is made again, and ends in the same way
            await world.reached("x", "in-doubt")
        assert bank.paid == {"o": 1 if isinstance(outcome, Done) else 2} and len(bank.receipts) == 1

    played(scenario, clerk)


@pytest.mark.parametrize("late", ["too slow", "not recordable"])
def test_of_a_reconcilable_one_it_is_asked(late: str) -> None:
    bank.clear()
    clerk = _clerk(tool(name="pay", effect="reconcilable", reconcile=look, timeout="1m")(_pay), late)

    async def scenario(world: World) -> None:
        started = await world.start(clerk, "o", id="x")
        assert await started.result() == "receipt of o"
        assert bank.paid == {"o": 1} and len(bank.asked) == 1

    played(scenario, clerk)
