"""A decision is good for exactly what was read, once, and in time; one that comes otherwise changes nothing and says
why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, Context, InvalidInput, Runtime, Scripted, StateMachine, call, tool, workflow
from overwinter.functions.effects import Done, NotDone
from overwinter.functions.models.port import Message
from overwinter.functions.models.scripted import Said
from overwinter.orchestrator.control import Control
from overwinter.orchestrator.governance.approvals.proposal import CHANGED
from overwinter.state.errors import AlreadyFinished, ExecutionFailed, InDoubt
from overwinter.state.opening import open_store
from overwinter.state.records import FINAL
from overwinter.testing import crash_everywhere
from overwinter.testing.world import World

PAID: list[Any] = []


@tool(approval="desk")
async def refund(order: str, amount: int) -> str:
    """Refund an order."""
    PAID.append((order, amount))
    return f"{amount} for {order}"


@tool(name="refund", approval="desk")
async def newer(order: str, amount: int, currency: str = "EUR") -> str:
    """Refund an order."""
    PAID.append((order, amount, currency))
    return f"{amount} {currency} for {order}"


@tool(name="refund", approval="boss")
async def stricter(order: str, amount: int) -> str:
    """Refund an order."""
    PAID.append((order, amount))
    return f"{amount} for {order}"


@tool(name="refund", approval="desk", effect="irreversible")
async def unsure(order: str, amount: int) -> str:
    """Refund an order."""
    PAID.append((order, amount))
    raise InDoubt("the line went dead")


@tool(name="refund", approval="desk", effect="irreversible")
async def surer(order: str, amount: int, currency: str = "EUR") -> str:
    """Refund an order."""
    PAID.append((order, amount, currency))
    return f"{amount} {currency} for {order}"


def agent(used: Any) -> Agent:
    def answer(messages: Sequence[Message], tools: object) -> Said:
        last = messages[-1]
        return last.content if last.role == "tool" else call("refund", order="o-1", amount=60)

    return Agent("clerk", Scripted(answer), tools=[used])


def flow(used: Any) -> Any:
    @workflow(name="clerk")
    async def run(ctx: Context, input: Any) -> str:
        return await ctx.step(used, "o-1", amount=60)

    return run


def machine(used: Any) -> StateMachine:
    task = {"Type": "Task", "Resource": "refund", "Parameters": {"order": "o-1", "amount": 60}, "End": True}
    return StateMachine("clerk", {"StartAt": "R", "States": {"R": task}}, [used])


KINDS: dict[str, Callable[[Any], Any]] = {"agent": agent, "workflow": flow, "machine": machine}
everywhere = pytest.mark.parametrize("kind", list(KINDS))


async def asked(runtime: Control, *, beside: str = "") -> Any:
    while True:
        for found in await runtime.approvals("x"):
            if found["digest"] != beside:
                return found
        assert (await runtime.show("x")).status not in FINAL, "it went on without being asked"
        await asyncio.sleep(0.01)


async def doubted(runtime: Control) -> None:
    while not await runtime.doubts("x"):
        assert (await runtime.show("x")).status not in FINAL, "it went on without being in doubt"
        await asyncio.sleep(0.01)


@everywhere
@pytest.mark.parametrize("here", [True, False])
def test_what_was_approved_is_not_done_by_a_tool_that_has_changed(kind: str, here: bool, tmp_path: Path) -> None:
    """``here``: the process that takes the decision in knows the tool; otherwise it was sent over the store alone."""
    dsn = f"sqlite:///{tmp_path}/x.db"

    async def main() -> Any:
        async with Runtime([KINDS[kind](refund)], dsn) as runtime:
            await runtime.start("clerk", "go", id="x")
            before = await asked(runtime)
        if here:
            async with Runtime([KINDS[kind](newer)], dsn) as runtime:
                await runtime.approve("x", digest=before["digest"], by="ben")
        else:
            store = open_store(dsn)
            await store.open()
            await Control(store).approve("x", digest=before["digest"], by="ben")
            await store.close()
        async with Runtime([KINDS[kind](newer)], dsn) as runtime:
            anew = await asked(runtime, beside=before["digest"])
            assert anew["why"] == CHANGED and anew["version"] != before["version"] and not PAID
            with pytest.raises(InvalidInput, match=r"read it again|has no open approval"):
                await runtime.approve("x", before["op"], digest=before["digest"], by="ben")
            await runtime.approve("x", digest=anew["digest"], by="ben")
            return await runtime.result("x")

    PAID.clear()
    assert asyncio.run(main()) == "60 EUR for o-1" and PAID == [("o-1", 60, "EUR")]


@everywhere
@pytest.mark.parametrize("outcome", [NotDone(), Done("by hand")])
def test_nor_once_more_when_it_was_not_done(kind: str, outcome: Any, tmp_path: Path) -> None:
    """It began, nobody knows with what result, and the tool has changed since: what is known of it counts, and it is
    not made by the other tool."""
    dsn = f"sqlite:///{tmp_path}/x.db"

    async def main() -> Any:
        async with Runtime([KINDS[kind](unsure)], dsn) as runtime:
            await runtime.start("clerk", "go", id="x")
            await asked(runtime)
            await runtime.approve("x", by="ben")
            await doubted(runtime)
        async with Runtime([KINDS[kind](surer)], dsn) as runtime:
            (doubt,) = await runtime.doubts("x")
            await runtime.resolve("x", doubt["op"], outcome, by="ben")
            return await runtime.result("x")

    PAID.clear()
    if isinstance(outcome, Done):
        assert asyncio.run(main()) == "by hand"
    elif kind == "agent":
        assert "Denied" in (told := asyncio.run(main())) and CHANGED in told
    else:
        with pytest.raises(ExecutionFailed, match=CHANGED) as failed:
            asyncio.run(main())
        assert "Denied" in repr(failed.value.__cause__) or "Denied" in str(failed.value)
    assert PAID == [("o-1", 60)]


@everywhere
def test_nor_when_others_have_to_approve_it_now(kind: str, tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path}/x.db"

    async def main() -> Any:
        async with Runtime([KINDS[kind](refund)], dsn) as runtime:
            await runtime.start("clerk", "go", id="x")
            before = await asked(runtime)
        async with Runtime([KINDS[kind](stricter)], dsn) as runtime:
            await runtime.approve("x", digest=before["digest"], by="ben")
            anew = await asked(runtime, beside=before["digest"])
            assert (anew["role"], anew["why"]) == ("boss", CHANGED) and not PAID
            await runtime.approve("x", digest=anew["digest"], by="ben")
            return await runtime.result("x")

    PAID.clear()
    assert asyncio.run(main()) == "60 for o-1" and PAID == [("o-1", 60)]


@everywhere
def test_the_door_says_so_where_the_code_is_at_hand(kind: str, tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path}/x.db"

    async def main() -> None:
        async with Runtime([KINDS[kind](refund)], dsn) as runtime:
            await runtime.start("clerk", "go", id="x")
            await asked(runtime)
        async with Runtime([KINDS[kind](newer)], dsn) as runtime:
            await runtime.pause("x")  # it is looked at, and rests here
            while (await runtime.show("x")).status != "paused":  # noqa: ASYNC110  # another task brings it about
                await asyncio.sleep(0.01)
            with pytest.raises(InvalidInput, match="has changed since it was asked"):
                await runtime.approve("x", by="ben")
            await runtime.resume("x")
            await runtime.deny("x", by="ben", reason="another tool")

    asyncio.run(main())


@everywhere
def test_a_decision_counts_once_and_by_who_is_asked(kind: str) -> None:
    async def main() -> Any:
        async with Runtime([KINDS[kind](refund)], "memory://") as runtime:
            await runtime.start("clerk", "go", id="x", by="ana")
            one = await asked(runtime)
            cases: tuple[tuple[str, dict[str, Any]], ...] = (
                ("'boss' does not decide it", {"role": "boss"}),
                ("read it again", {"digest": "sha256:0"}),
                ("arguments do not fit", {"arguments": {"amount": 1}}),
            )
            for why, given in cases:
                with pytest.raises(InvalidInput, match=why):
                    await runtime.decide("x", one["op"], True, by="ben", **given)
            with pytest.raises(InvalidInput, match="denied is not edited"):
                await runtime.decide("x", one["op"], False, by="ben", arguments=one["data"])
            await runtime.decide("x", one["op"], True, by="ana", role="desk", digest=one["digest"])  # a plain role
            with pytest.raises((InvalidInput, AlreadyFinished)):
                await runtime.decide("x", one["op"], False, by="ben")
            return await runtime.result("x")

    PAID.clear()
    assert asyncio.run(main()) == "60 for o-1" and PAID == [("o-1", 60)]


def three(messages: Sequence[Message], tools: object) -> Said:
    if messages[-1].role == "user":
        return [call("refund", order=f"o-{number}", amount=number) for number in (1, 2, 3)]
    return " / ".join(message.content for message in messages if message.role == "tool")


def test_each_call_of_an_answer_goes_its_own_way_and_the_model_is_asked_when_all_are_decided() -> None:
    clerk = Agent("clerk", Scripted(three), tools=[refund])

    async def scenario(world: World) -> Any:
        run = await world.start(clerk, "go", id="x")
        await world.approve("x", op="t1.m1.2", by="ben")
        await world.until(lambda: True if ("o-3", 3) in PAID else None)  # at once: it waits for no other one
        await world.deny("x", op="t1.m1.0", by="ben", reason="not this one")
        assert [one["op"] for one in world.open_approvals("x")] == ["t1.m1.1"]
        assert len([entry for entry in world.journal("x") if entry["type"] == "model"]) == 1
        await world.approve("x", op="t1.m1.1", by="ben", arguments={"order": "o-2", "amount": 20})
        return await run.result()

    def same(expected: Any, found: Any) -> bool:
        return bool(expected == found and set(PAID) == {("o-3", 3), ("o-2", 20)})

    value = crash_everywhere(scenario, functions=[clerk], fresh=PAID.clear, same=same).outcome.value
    first, second, third = value.split(" / ")
    assert first == "Error: Denied: the call was denied by ben: not this one. It was not carried out."
    assert second.endswith("20 for o-2") and '{"order":"o-2","amount":20}' in second and third == "3 for o-3"
