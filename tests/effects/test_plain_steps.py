"""Plain functions in steps that must not be made twice: ``ctx.step(…, reconcile=…)`` and ``in_doubt=``."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Context, ExecutionFailed, Retry, current_call, tool, workflow
from overwinter.functions.effects import Done, NotDone, Resolve, Unknown
from overwinter.testing import World, crash_everywhere

from .bank import bank, dying, look, look_in_thread, played


async def pays(order: str, cents: int = 100, client: object = None) -> str:
    return await bank.wired(current_call().idempotency_key, order)


@workflow
async def asks(ctx: Context, order: str) -> str:
    return await ctx.step(pays, order, client=bank, reconcile=look)


@workflow
async def asks_in_a_thread(ctx: Context, order: str) -> str:
    return await ctx.step(pays, order, reconcile=look_in_thread)


@pytest.mark.parametrize("function", [asks, asks_in_a_thread], ids=["async", "thread"])
def test_it_is_asked_before_it_is_repeated(function: Any) -> None:
    async def scenario(world: World) -> None:
        await dying(world, function, "o", "x")
        assert await world.result("x") == "receipt of o"
        assert bank.paid == {"o": 1} and len(bank.asked) == 1
        key, given = bank.asked[0]
        assert key == "x/0" and {"order": "o", "cents": 100}.items() <= given.items()
        assert not isinstance(given.get("client"), type(bank))  # what has no JSON form is not told

    played(scenario, function)


def test_nothing_happens_twice_wherever_a_process_dies() -> None:
    async def scenario(world: World) -> Any:
        run = await world.start(asks, "o", id="x")
        return [await run.result(), dict(bank.paid)]

    report = crash_everywhere(scenario, functions=[asks], fresh=bank.clear)
    assert report.outcome.value == ["receipt of o", {"o": 1}]


def test_what_was_not_done_is_made_and_what_is_unknown_waits() -> None:
    async def scenario(world: World) -> None:
        await dying(world, asks, "o", "x")
        bank.answers[:] = [Unknown("asleep"), NotDone()]
        await world.reached("x", "in-doubt")
        (doubt,) = await world.call(lambda runtime: runtime.doubts("x"))
        assert doubt["why"] == "asleep" and doubt["arguments"]["order"] == "o"
        assert await world.result("x") == "receipt of o"
        assert bank.paid == {"o": 2}

    played(scenario, asks)


@workflow
async def waits(ctx: Context, order: str) -> str:
    return await ctx.step(pays, order, at_most_once=True, in_doubt=Resolve(after="2d"))


@pytest.mark.parametrize("said", [True, False])
def test_somebody_may_resolve_a_plain_step(said: bool) -> None:
    async def scenario(world: World) -> None:
        await dying(world, waits, "o", "x")
        await world.reached("x", "in-doubt")
        if said:
            await world.resolve("x", Done("seen"), by="ann")
            assert await world.result("x") == "seen"
        else:
            with pytest.raises(ExecutionFailed, match="2d"):
                await world.result("x")
        assert bank.paid == {"o": 1}

    played(scenario, waits)


@tool
async def often(order: str) -> str:
    """Pay as often as it is called."""
    return order


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"reconcile": 3}, "function of the idempotency key"),
        ({"in_doubt": "ask"}, "must not be made twice"),
        ({"reconcile": look, "in_doubt": "perhaps"}, '"ask", "fail" or a Resolve'),
    ],
)
def test_what_can_not_be_meant_is_refused(options: dict[str, Any], says: str) -> None:
    @workflow
    async def odd(ctx: Context) -> str:
        return str(await ctx.step(often, "o", **options))

    async def scenario(world: World) -> None:
        with pytest.raises(ExecutionFailed, match=says):
            await (await world.start(odd, id="x")).result()

    played(scenario, odd)


calls: list[str] = []


@tool(effect="irreversible")
async def lost(order: str) -> str:
    """Pay, and lose the answer the first time."""
    calls.append(order)
    if len(calls) == 1:
        raise ConnectionError("the bank has paid, and its answer is lost")
    return f"{order} again"


@pytest.mark.parametrize(("retry", "says"), [(Retry(attempts=3), "lost.*attempted once"), (Retry(attempts=1), "bank")])
def test_a_step_does_not_repeat_an_irreversible_tool_on_its_own_word_either(retry: Retry, says: str) -> None:
    calls.clear()

    @workflow
    async def twice(ctx: Context) -> str:
        return await ctx.step(lost, "o", retry=retry)

    async def scenario(world: World) -> None:
        with pytest.raises(ExecutionFailed, match=says):
            await (await world.start(twice, id="x")).result()

    played(scenario, twice)
    assert len(calls) == (0 if retry.attempts > 1 else 1)


def test_where_one_can_find_out_it_may_be_repeated() -> None:
    calls.clear()

    @workflow
    async def asked(ctx: Context) -> str:
        return await ctx.step(lost, "o", retry=Retry(attempts=3, first="1ms"), reconcile=lambda key, given: NotDone())

    async def scenario(world: World) -> None:
        assert await (await world.start(asked, id="x")).result() == "o again"

    played(scenario, asked)
