"""Reconcilable tools: whoever can tell whether a call took effect is asked before anything is repeated."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter import Agent, Context, InDoubt, InvalidInput, Retry, Scripted, call, current_call, tool, workflow
from overwinter.functions.effects import Done, Resolve, Unknown
from overwinter.testing import World, crash_everywhere

from .bank import bank, look, look_in_thread, pay, ran


@workflow
async def buys(ctx: Context, order: str) -> str:
    return await ctx.step(pay, order)


@workflow
async def buys_many(ctx: Context, orders: list[str]) -> list[str]:
    return await ctx.map(pay, orders)


async def _once(world: World, target: object, input: Any) -> list[Any]:
    started = await world.start(target, input)
    return [await started.result(), sorted(bank.paid.items())]


def test_a_payment_is_made_once_wherever_the_process_dies() -> None:
    async def scenario(world: World) -> list[Any]:
        return await _once(world, buys, "o-1")

    report = crash_everywhere(scenario, functions=[buys], fresh=bank.clear)
    assert report.outcome.value == ["receipt of o-1", [("o-1", 1)]]
    assert report.points > 10


def test_so_are_all_of_a_map() -> None:
    async def scenario(world: World) -> list[Any]:
        return await _once(world, buys_many, ["a", "b", "c"])

    report = crash_everywhere(scenario, functions=[buys_many], fresh=bank.clear)
    assert report.outcome.value[1] == [("a", 1), ("b", 1), ("c", 1)]


def test_so_is_an_agents() -> None:
    script = Scripted(lambda messages, tools: call("pay", order="o-2") if len(messages) == 1 else messages[-1].content)
    desk = Agent("desk", script, tools=[pay])

    async def scenario(world: World) -> list[Any]:
        asked = await world.send(desk, "c-1", "pay o-2")
        return [await asked.reply(), sorted(bank.paid.items())]

    report = crash_everywhere(scenario, functions=[desk], fresh=bank.clear)
    assert report.outcome.value == ["receipt of o-2", [("o-2", 1)]]


def test_the_hook_is_given_the_key_and_the_arguments_and_its_word_is_an_entry() -> None:
    """What it says is in the journal before it is acted upon, so it is asked once for each attempt in doubt."""
    seen: set[str] = set()

    async def scenario(world: World) -> str:
        started = await world.start(buys, "o-3", id="b")
        value: str = await started.result()
        seen.update(key for key, _ in bank.asked)
        assert all(arguments == {"order": "o-3"} for _, arguments in bank.asked)
        entries = world.journal("b")
        said = [entry for entry in entries if entry["type"] == "resolved"]
        assert {entry["by"] for entry in said} <= {"reconcile"}
        results = [entry for entry in entries if entry["type"] == "step"]
        done = [entry for entry in said if entry["verdict"] == "done"]
        assert len(results) == 1 and len(done) <= 1
        assert ("resolved" in results[0]) == bool(done)
        return value

    crash_everywhere(scenario, functions=[buys], fresh=bank.clear)
    assert seen == {"b/0"}


class Lost(ConnectionError):
    pass


def _failing(reached: bool, **options: Any) -> Any:
    """A payment whose first answer is lost, after it was made or before."""
    tries: list[int] = []

    @tool(name="pays", effect="reconcilable", retry=Retry(first="1s", jitter=False), **options)
    async def pays(order: str) -> str:
        tries.append(1)
        key = current_call().idempotency_key
        if len(tries) > 1:
            return bank.pay(key, order)
        if reached:
            bank.pay(key, order)
        raise Lost("the line is dead")

    return pays


@pytest.mark.parametrize("reached", [True, False])
@pytest.mark.parametrize("hook", [look, look_in_thread])
def test_a_lost_answer_is_asked_about_before_the_call_is_made_again(reached: bool, hook: Any) -> None:
    bank.clear()
    pays = _failing(reached, reconcile=hook)

    @workflow
    async def one(ctx: Context) -> str:
        return await ctx.step(pays, "o-4")

    assert ran(one) == "receipt of o-4"
    assert bank.paid == {"o-4": 1} and len(bank.asked) == 1


@pytest.mark.parametrize("late", ["timeout", "refused"])
def test_a_call_that_took_too_long_is_asked_about(late: str) -> None:
    bank.clear()

    @tool(effect="reconcilable", reconcile=look, timeout="5s", retry=Retry(attempts=1))
    async def slow(order: str) -> str:
        bank.pay(current_call().idempotency_key, order)
        if late == "refused":
            raise InDoubt("no answer")
        await asyncio.sleep(60)
        return "never"

    @workflow
    async def one(ctx: Context) -> str:
        return await ctx.step(slow, "o-5")

    assert ran(one) == "receipt of o-5"
    assert bank.paid == {"o-5": 1}


def test_a_failure_that_says_that_nothing_was_done_is_the_outcome() -> None:
    bank.clear()

    @tool(effect="reconcilable", reconcile=look)
    async def refused(order: str) -> str:
        raise ValueError("no such order")

    @workflow
    async def one(ctx: Context) -> str:
        try:
            return await ctx.step(refused, "o-6")
        except ValueError as error:
            return str(error)

    assert ran(one) == "no such order"
    assert not bank.asked


def test_a_hook_that_can_not_tell_is_asked_again_later() -> None:
    bank.clear()
    bank.answers += [Unknown("down"), RuntimeError("boom"), "what?"]
    pays = _failing(True, reconcile=look)

    @workflow
    async def one(ctx: Context) -> str:
        return await ctx.step(pays, "o-7")

    assert ran(one) == "receipt of o-7"
    assert bank.paid == {"o-7": 1} and len(bank.asked) == 4


def test_a_hook_that_never_can_tell_ends_in_doubt() -> None:
    for rule in ("fail", Resolve(after="1h")):
        bank.clear()
        bank.answers += [Unknown("down")] * 100
        pays = _failing(False, reconcile=look, in_doubt=rule)

        @workflow
        async def one(ctx: Context) -> str:
            try:
                return await ctx.step(pays, "o-8")  # noqa: B023  # called before the next one
            except InDoubt as doubt:
                return str(doubt)

        assert "pays" in ran(one)
        assert not bank.paid


def test_what_it_gives_must_fit() -> None:
    """A result of another type than the tool's is none: nothing is lost, and nothing is repeated."""
    bank.clear()
    bank.answers += [Done(["no text"])]
    pays = _failing(True, reconcile=look)

    @workflow
    async def one(ctx: Context) -> str:
        return await ctx.step(pays, "o-9")

    assert ran(one) == "receipt of o-9"
    assert bank.paid == {"o-9": 1} and len(bank.asked) == 2


def test_effect_and_hook_go_together() -> None:
    async def plain(order: str) -> str:
        return order

    wrong: list[dict[str, Any]] = [{"effect": "reconcilable"}, {"effect": "irreversible", "reconcile": look}]
    for options in wrong:
        with pytest.raises(InvalidInput, match="go together"):
            tool(**options)(plain)
    with pytest.raises(InvalidInput, match="is a function"):
        tool(effect="reconcilable", reconcile=7)(plain)  # type: ignore[call-overload]  # what users may give
    with pytest.raises(InvalidInput, match='is "ask", "fail" or a Resolve'):
        tool(effect="irreversible", in_doubt="wait")(plain)  # type: ignore[call-overload]  # what users may give
    with pytest.raises(InvalidInput, match="then='again' is unknown"):
        Resolve(then="again")  # type: ignore[arg-type]  # what users may give
    for after, why in ((True, "a bool is not a duration"), (False, "a bool"), ("soon", "'soon' is not"), (0, "longer")):
        with pytest.raises(InvalidInput, match=f"after=.*{why}"):
            Resolve(after=after)
