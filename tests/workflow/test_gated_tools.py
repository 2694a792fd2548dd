"""A tool that is declared with an approval asks for it wherever it is called, also in a workflow."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Context, tool, workflow
from overwinter.state.errors import Denied
from overwinter.testing import World, crash_everywhere

paid: list[tuple[str, int]] = []


def above_fifty(order: str, amount: int) -> str | None:
    return "refund-desk" if amount > 50 else None


@tool(approval=above_fifty)
async def refund(order: str, amount: int) -> str:
    """Refund an order."""
    paid.append((order, amount))
    return f"{amount} for {order}"


@workflow
async def by_step(ctx: Context, amount: int) -> str:
    return await ctx.step(refund, "o-1", amount=amount)


@workflow
async def by_call(ctx: Context, amount: int) -> str:
    return await ctx.call(refund, {"order": "o-1", "amount": amount})


@workflow
async def with_care(ctx: Context, amount: int) -> str:
    try:
        return await ctx.step(refund, "o-1", amount, timeout="5s")
    except Denied as denied:
        return f"not paid: {denied.reason}"


@pytest.fixture(autouse=True)
def nothing_paid() -> None:
    paid.clear()


@pytest.mark.parametrize("flow", [by_step, by_call])
def test_a_call_that_needs_an_approval_waits_for_it_through_every_crash(flow: Any) -> None:
    async def scenario(world: World) -> str:
        run = await world.start(flow, 60, id="e")
        await world.reached("e", "waiting")
        assert not paid
        (proposal,) = world.open_approvals("e")
        assert proposal["role"] == "refund-desk"
        assert proposal["data"] == {"order": "o-1", "amount": 60}
        await world.approve("e")
        return str(await run.result())

    assert crash_everywhere(scenario, functions=[flow], fresh=paid.clear).outcome.value == "60 for o-1"
    assert paid == [("o-1", 60)]


def test_a_call_below_the_limit_needs_none() -> None:
    assert crash_everywhere(by_step, 50).outcome.value == "50 for o-1"


def test_what_was_denied_is_not_called() -> None:
    async def scenario(world: World) -> str:
        run = await world.start(with_care, 60, id="e")
        await world.deny("e", reason="too much")
        return str(await run.result())

    assert crash_everywhere(scenario, functions=[with_care]).outcome.value == "not paid: too much"
    assert not paid


def test_what_nobody_decides_is_not_called() -> None:
    assert crash_everywhere(with_care, 60).outcome.value == "not paid: expired"
    assert not paid
