"""The crash kit on workflows, agents and scenarios: what is right passes at every point, what is wrong is named."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from overwinter.functions.agents.agent import Agent
from overwinter.functions.models.scripted import Scripted, call
from overwinter.functions.tools.tool import tool
from overwinter.functions.workflow import workflow
from overwinter.orchestrator.usercode.resilience import Retry
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.errors import Denied, ExecutionFailed, InvalidInput
from overwinter.testing import CrashFailure, Deadlock, World, crash_everywhere


@dataclass
class Order:
    id: str
    amount: int


@dataclass
class Receipt:
    order: str
    paid: int
    note: str


def price(order: str) -> int:
    """A plain function: it runs in a thread."""
    return 100 + len(order)


async def pay(order: str, amount: int) -> str:
    await asyncio.sleep(0.2)
    return f"paid {amount} for {order}"


@workflow
async def checkout(ctx: Context, order: Order) -> Receipt:
    amount = await ctx.step(price, order.id)
    notes = await asyncio.gather(*(ctx.step(pay, f"{order.id}{part}", amount) for part in "abc"))
    await ctx.sleep("3d")
    return Receipt(order.id, amount, notes[1])


@workflow
async def refund(ctx: Context, order: Order) -> str:
    try:
        await ctx.approve(f"refund {order.id}", timeout="30d")
    except Denied:
        return "denied"
    receipt = await ctx.child(checkout, order)
    said = await ctx.wait_for("customer.reply", timeout="2d")
    return f"{receipt.note}, {said}"


def test_a_workflow_survives_at_every_point() -> None:
    report = crash_everywhere(checkout, Order("o", 5))
    assert report.outcome.value == Receipt("o", 101, "paid 101 for ob")
    assert report.points == report.kills > 15
    assert (report.lost, report.repeated, report.executions) == (0, 0, 1)
    assert report.again > 0


def test_random_kills_come_in_twos_and_threes() -> None:
    report = crash_everywhere(checkout, Order("o", 5), kills=30, seed=7)
    assert report.points == 30
    assert report.kills > 40
    assert report == crash_everywhere(checkout, Order("o", 5), kills=30, seed=7)


def test_a_scenario_of_approvals_children_signals_and_days() -> None:
    async def scenario(world: World) -> str:
        run = await world.start(refund, Order("r", 9), id="r1")
        await world.sleep("1d")
        await world.approve("r1")
        await world.sleep("4d")
        await world.signal("r1", "customer.reply", "thanks")
        return str(await run.result())

    report = crash_everywhere(scenario, functions=[refund, checkout])
    assert report.outcome.value == "paid 101 for rb, thanks"
    assert report.executions == 2


def test_a_denied_approval_and_verbs() -> None:
    async def scenario(world: World) -> list[str]:
        first = await world.start(refund, Order("r", 9))
        await world.deny(first.id)
        second = await world.start(refund, Order("s", 9))
        await world.pause(second.id)
        await world.reached(second.id, "paused")
        await world.resume(second.id)
        await world.reached(second.id, "waiting")
        await world.cancel(second.id)
        return [await first.result(), await world.reached(second.id, "cancelled")]

    report = crash_everywhere(scenario, functions=[refund, checkout])
    assert report.outcome.value == ["denied", "cancelled"]


@tool
async def look_up(order: str) -> str:
    """Look an order up."""
    return f"{order} is on its way"


@tool(effect="irreversible", approval="desk")
async def send_money(order: str) -> str:
    """Send money back."""
    return f"sent for {order}"


def desk(messages: Any, tools: Any) -> Any:
    said = messages[-1]
    if said.role == "tool":
        return f"done: {said.content}"
    verb, order = said.content.split()
    return call("look_up", order=order) if verb == "where" else call("send_money", order=order)


def test_an_agent_survives_as_a_run_and_as_a_session() -> None:
    support = Agent("support", Scripted(desk, delay="1s"), tools=[look_up, send_money])
    assert "on its way" in crash_everywhere(support, "where A1").outcome.value

    async def scenario(world: World) -> list[Any]:
        asked = await world.send(support, "c-1", "where A1")
        answers = [await asked.reply()]
        asked = await world.send(support, "c-1", "refund A1")
        await world.sleep("1h")
        await world.approve("support/c-1")
        return [*answers, await asked.reply(), (await world.reached("support/c-1", "idle"))]

    async def tolerant(world: World) -> list[Any]:
        answers = await scenario(world)
        return [answers[0], "done:" in answers[1], answers[2]]  # a crash may leave the payment in doubt

    report = crash_everywhere(tolerant, functions=[support])
    assert report.outcome.value[1:] == [True, "idle"]


def test_a_failure_is_an_outcome_like_any_other() -> None:
    @workflow
    async def fails(ctx: Context) -> None:
        async def charge() -> None:
            raise ValueError("the card is stolen")

        await ctx.step(charge)

    report = crash_everywhere(fails)
    assert report.outcome.error.startswith("ExecutionFailed: ")
    assert "ValueError: the card is stolen" in report.outcome.error


def test_retries_over_hours_survive() -> None:
    tries: list[int] = []

    async def flaky() -> int:
        tries.append(1)
        if len(tries) < 4:
            raise ConnectionError("no answer")
        return 7

    @workflow
    async def patient(ctx: Context) -> int:
        return await ctx.step(flaky, retry=Retry(attempts=20, first="1h"))

    assert crash_everywhere(patient, fresh=tries.clear).outcome.value == 7


def test_a_workflow_that_depends_on_chance_is_reported_with_its_line() -> None:
    coin = itertools.cycle((True, False, False))

    @workflow
    async def random_path(ctx: Context) -> int:
        if next(coin):
            return await ctx.step(price, "heads")
        await ctx.step(pay, "tails", 1)
        return 0

    with pytest.raises(CrashFailure) as failure:
        crash_everywhere(random_path)
    assert "is stuck" in str(failure.value) or "differs" in str(failure.value)


def test_a_workflow_that_changes_with_the_process_is_stuck_at_its_line() -> None:
    lives = [0]

    @workflow
    async def changing(ctx: Context) -> str:
        lives[0] += 1
        if lives[0] == 1:
            await ctx.step(price, "a")
        return await ctx.step(pay, "b", 1)

    with pytest.raises(CrashFailure) as failure:
        crash_everywhere(changing, fresh=lambda: lives.__setitem__(0, 0))
    message = str(failure.value)
    assert "the process died" in message and "stuck" in message
    assert "test_crash_kit.py:" in message  # the line that asked for something else
    assert "without the crash:" in message and "journal of" in message


def test_state_that_lives_only_in_the_process_is_found_out() -> None:
    memory: list[int] = []

    @workflow
    async def forgetful(ctx: Context) -> int:
        async def remember() -> None:
            memory.append(1)

        await ctx.step(remember)
        await ctx.step(price, "a")
        return await ctx.step(memory.__len__, name="count")

    with pytest.raises(CrashFailure, match="the outcome is another one"):
        crash_everywhere(forgetful, fresh=memory.clear)


def test_what_waits_for_ever_is_said_so() -> None:
    async def scenario(world: World) -> Any:
        return await (await world.start(refund, Order("r", 1), id="r1")).result()

    async def lonely(ctx: Context) -> Any:
        return await ctx.wait_for("never")

    with pytest.raises(Deadlock, match=r"lonely.*waiting for event never"):
        crash_everywhere(workflow(lonely))
    # an approval that nobody decides runs out
    assert crash_everywhere(scenario, functions=[refund, checkout]).outcome.value == "denied"


def test_mistakes_in_the_scenario_itself_are_not_outcomes() -> None:
    async def wrong(world: World) -> None:
        await world.start("nobody", id="x")

    with pytest.raises(InvalidInput):
        crash_everywhere(wrong)
    with pytest.raises(InvalidInput):
        crash_everywhere(checkout, {"id": 5})
    with pytest.raises(TypeError):
        crash_everywhere("checkout")


def test_the_cause_of_a_failure_keeps_its_class() -> None:
    async def scenario(world: World) -> str:
        try:
            await (await world.start(broken)).result()
        except ExecutionFailed as error:
            return type(error.cause).__name__
        return ""

    @workflow
    async def broken(ctx: Context) -> None:
        raise KeyError("x")

    assert crash_everywhere(scenario, functions=[broken]).outcome.value == "KeyError"
