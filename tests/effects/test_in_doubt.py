"""A call of which nobody knows whether it took effect waits until somebody says so, and is never repeated by itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from overwinter import (
    Agent,
    Context,
    ExecutionFailed,
    InDoubt,
    InvalidInput,
    Limits,
    Scripted,
    StateMachine,
    call,
    current_call,
    tool,
    workflow,
)
from overwinter.functions.effects import Done, GiveUp, NotDone, Resolve
from overwinter.orchestrator.usercode.reconciling import THEN
from overwinter.state.errors import Unfit
from overwinter.testing import World, crash_everywhere

from .bank import bank, dying, played, wire


@workflow
async def sends(ctx: Context, order: str) -> str:
    try:
        return await ctx.step(wire, order)
    except InDoubt as doubt:
        return f"in doubt: {doubt}"


script = Scripted(lambda messages, tools: call("wire", order="o") if len(messages) == 1 else messages[-1].content)
desk = Agent("desk", script, tools=[wire], limits=Limits(time="1h"))
_TASK = {"Type": "Task", "Resource": "wire", "Parameters": {"order": "o"}, "End": True}
machine = StateMachine("machine", {"StartAt": "Wire", "States": {"Wire": _TASK}}, [wire])


@pytest.mark.parametrize("function", [sends, desk, machine], ids=["workflow", "agent", "machine"])
@pytest.mark.parametrize("outcome", [Done("by hand"), NotDone(), GiveUp()])
def test_it_waits_for_a_person(function: Any, outcome: Any) -> None:
    async def scenario(world: World) -> None:
        await dying(world, function, "o", "x")
        await world.reached("x", "in-doubt")
        await world.sleep("3d")  # nobody says anything, and nothing happens
        head = world.head("x")
        assert head is not None and (head.status, head.awaits) == ("in-doubt", "doubt wire")
        assert bank.paid == {"o": 1}
        (doubt,) = await world.call(lambda runtime: runtime.doubts("x"))
        assert (doubt["name"], doubt["arguments"], doubt["n"]) == ("wire", {"order": "o"}, 1)
        assert doubt["key"] in bank.receipts and doubt["rule"]["then"] == "give-up"
        await world.resolve("x", outcome, by="ann", reason="asked the bank")
        assert not await world.call(lambda runtime: runtime.doubts("x"))
        (said,) = [entry for entry in world.journal("x") if entry["type"] == "resolved"]
        assert (said["by"], said["reason"]) == ("ann", "asked the bank")
        if isinstance(outcome, GiveUp) and function is machine:
            with pytest.raises(ExecutionFailed, match="InDoubt"):
                await world.result("x")
        else:
            value = str(await world.result("x"))
            expected = {Done: "by hand", NotDone: "receipt of o", GiveUp: "unknown" if function is desk else "in doubt"}
            assert expected[type(outcome)] in value
        assert bank.paid == {"o": 2 if isinstance(outcome, NotDone) else 1}
        assert len(bank.receipts) == 1  # under one key

    played(scenario, function)


@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("kind", ["workflow", "agent"])
def test_a_rule_decides_after_a_time(kind: str, then: Any) -> None:
    @tool(effect="irreversible", in_doubt=Resolve(after="2d", then=then))
    async def moves(order: str) -> str:
        """Move money."""
        return await bank.wired(current_call().idempotency_key, order)

    @workflow
    async def one(ctx: Context, order: str) -> str:
        try:
            return await ctx.step(moves, order)
        except InDoubt:
            return "in doubt"

    said = Scripted(lambda messages, tools: call("moves", order="o") if len(messages) == 1 else messages[-1].content)
    function: Any = one if kind == "workflow" else Agent("mover", said, tools=[moves])

    async def scenario(world: World) -> None:
        await dying(world, function, "o", "x")
        await world.reached("x", "in-doubt")
        value = await world.result("x")
        (said,) = [entry for entry in world.journal("x") if entry["type"] == "resolved"]
        assert (said["by"], said["verdict"]) == ("rule", then)
        assert timedelta(milliseconds=said["at"] - said["since"]) >= timedelta(days=2)
        assert bank.paid == {"o": 2 if then == "not-done" else 1}
        assert (value == "receipt of o") == (then == "not-done")

    played(scenario, function)


@pytest.mark.parametrize("function", [sends, desk, machine], ids=["workflow", "agent", "machine"])
def test_it_is_never_repeated_wherever_a_process_dies(function: Any) -> None:
    """Somebody who knows looks after it. Every call is made once, also when processes die while it is resolved."""

    async def scenario(world: World) -> list[Any]:
        await world.start(function, "o", id="x")

        async def person() -> None:
            while True:
                change = world.ledger.changed()
                for op, doubt in world.doubts("x").items():
                    receipt = bank.receipts.get(doubt["key"])
                    await world.resolve("x", NotDone() if receipt is None else Done(receipt), op)
                await change

        looks = asyncio.get_running_loop().create_task(person())
        try:
            value = await world.result("x")
        finally:
            looks.cancel()
        return [value, dict(bank.paid)]

    report = crash_everywhere(scenario, functions=[function], fresh=bank.clear)
    assert report.outcome.value == ["receipt of o", {"o": 1}]


def test_a_time_limit_stands_still_while_somebody_is_asked() -> None:
    async def scenario(world: World) -> None:
        await dying(world, desk, "o", "x")
        await world.reached("x", "in-doubt")
        await world.sleep("5d")  # the agent's time is an hour
        await world.resolve("x", Done("ok"))
        assert await world.result("x") == "ok"

    played(scenario, desk)


def test_who_fails_at_once_is_not_asked_and_a_retry_does_not_repeat_it() -> None:
    @tool(effect="irreversible", in_doubt="fail")
    async def moves(order: str) -> str:
        return await bank.wired(current_call().idempotency_key, order)

    @workflow
    async def one(ctx: Context, order: str) -> list[str]:
        return await ctx.map(moves, [order, "q"])

    async def scenario(world: World) -> None:
        bank.clear()
        await world.start(one, "o", id="x")
        bank.hangs = True
        await asyncio.sleep(1)
        world.process.kill()
        with pytest.raises(ExecutionFailed):
            await world.result("x")
        paid = dict(bank.paid)
        for _ in range(2):
            await world.retry("x")
            await world.reached("x", "in-doubt")
            await world.sleep("30d")
            assert dict(bank.paid) == paid
            (op,) = world.doubts("x")
            (doubt,) = await world.call(lambda runtime: runtime.doubts("x"))
            assert doubt["op"] == op
            await world.resolve("x", GiveUp())
            with pytest.raises(ExecutionFailed):
                await world.result("x")
        await world.retry("x")
        await world.resolve("x", Done("by hand"))
        assert "by hand" in await world.result("x")
        assert bank.paid == {"o": 1, "q": 1}

    played(scenario, one)


def test_the_same_holds_of_a_step_that_is_begun_at_most_once() -> None:
    async def wires(order: str) -> str:
        return await bank.wired(current_call().idempotency_key, order)

    @workflow
    async def one(ctx: Context, order: str) -> str:
        return await ctx.step(wires, order, at_most_once=True)

    async def scenario(world: World) -> None:
        await dying(world, one, "o", "x")
        with pytest.raises(ExecutionFailed):
            await world.result("x")
        await world.retry("x")
        await world.reached("x", "in-doubt")
        await world.resolve("x", NotDone())
        assert await world.result("x") == "receipt of o"
        assert bank.paid == {"o": 2} and len(bank.receipts) == 1

    played(scenario, one)


def test_what_can_not_be_resolved_says_why() -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(InvalidInput, match="0 calls in doubt"):
            await world.start(sends, "p", id="p")
            await world.result("p")
            await world.call(lambda runtime: runtime.resolve("p", None, GiveUp()))
        await dying(world, sends, "o", "x")
        await world.reached("x", "in-doubt")
        with pytest.raises(InvalidInput, match="no call in doubt under '7'; in doubt are: 0 \\(wire\\)"):
            await world.call(lambda runtime: runtime.resolve("x", "7", GiveUp()))
        with pytest.raises(Unfit, match="result of 'wire'"):
            await world.call(lambda runtime: runtime.resolve("x", "0", Done({"no": "text"})))
        await world.resolve("x", Done("ok"), "0")
        with pytest.raises(InvalidInput):
            await world.call(lambda runtime: runtime.resolve("x", "0", GiveUp()))
        assert await world.result("x") == "ok"

    played(scenario, sends)


def test_a_result_that_does_not_fit_is_passed_over_where_nobody_could_tell() -> None:
    """The process that takes it up has the type; who sent it had not."""

    async def scenario(world: World) -> None:
        await dying(world, sends, "o", "x")
        await world.reached("x", "in-doubt")
        doubt = world.doubts("x")["0"]
        fact = {"type": "resolved", "at": doubt["at"], "op": "0", "since": doubt["since"], "verdict": "done"}
        from overwinter.orchestrator.engine.delivery import mail_of

        await world.call(lambda runtime: runtime.engine.post("x", mail_of(fact | {"value": 7}, "", lane=0)))
        await world.until(lambda: True if world.journal("x")[-1]["type"] == "skipped" else None)
        assert list(world.doubts("x")) == ["0"]
        await world.resolve("x", Done("ok"))
        assert await world.result("x") == "ok"

    played(scenario, sends)


@tool(name="tells", effect="irreversible", in_doubt="fail")
async def tells(order: str) -> str:
    bank.paid[order] += 1
    raise InDoubt("no answer")


@workflow
async def inner(ctx: Context, order: str) -> str:
    return await ctx.step(tells, order)


@workflow
async def outer(ctx: Context, order: str) -> str:
    return await ctx.child(inner, order)


_RETRIED = {"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}]}
_TELLS = {"Type": "Task", "Resource": "tells", "Parameters": {"order": "o"}, "End": True}
told = StateMachine("told", {"StartAt": "A", "States": {"A": {**_TELLS, **_RETRIED}}}, [tells])


@pytest.mark.parametrize("function", [outer, told], ids=["child", "machine"])
def test_what_would_be_begun_anew_is_not_retried_unless_that_is_meant(function: Any) -> None:
    async def scenario(world: World) -> None:
        bank.clear()
        await world.start(function, "o", id="x")
        with pytest.raises(ExecutionFailed):
            await world.result("x")
        assert bank.paid == {"o": 1}  # a retrier of States.ALL does not mean it
        with pytest.raises(InvalidInput, match="--repeat"):
            await world.call(lambda runtime: runtime.retry("x"))
        await world.call(lambda runtime: runtime.retry("x", repeat=True))
        with pytest.raises(ExecutionFailed):
            await world.result("x")
        assert bank.paid == {"o": 2}

    played(scenario, function, inner)


def test_a_retrier_that_names_it_repeats_it() -> None:
    retried = {"Retry": [{"ErrorEquals": ["InDoubt"], "IntervalSeconds": 1, "MaxAttempts": 2}]}
    named = StateMachine("named", {"StartAt": "A", "States": {"A": {**_TELLS, **retried}}}, [tells])

    async def scenario(world: World) -> None:
        bank.clear()
        await world.start(named, "o", id="x")
        with pytest.raises(ExecutionFailed):
            await world.result("x")
        assert bank.paid == {"o": 3}

    played(scenario, named)
