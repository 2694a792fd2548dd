"""A fork goes on from a place in another one's journal, with other words to its model, and has no effects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from overwinter import Agent, Context, InvalidInput, Runtime, Scripted, StateMachine, call, tool, workflow
from overwinter.functions.models.port import Message
from overwinter.orchestrator.audit.proving import prove
from overwinter.state.errors import EffectBlocked, ExecutionFailed, UnknownExecution
from overwinter.state.memory import MemoryStore
from overwinter.state.records import EVERYTHING
from overwinter.testing import crash_everywhere
from overwinter.testing.world import World

DONE: list[str] = []
"""What was really done."""
SENT: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    DONE.clear()
    SENT.clear()


@tool(effect="irreversible")
async def refund(order: str, amount: int) -> str:
    """Refund an order."""
    DONE.append(f"refund {order} {amount}")
    return f"refunded {amount}"


@tool(effect="pure")
async def lookup(order: str) -> str:
    """Look an order up."""
    DONE.append(f"lookup {order}")
    return f"{order}: 80 paid"


def clerk_says(messages: Sequence[Message], tools: object) -> Any:
    system, last = messages[0].content, messages[-1]
    if last.role == "user":
        return call("lookup", order="A-1")
    if last.content.startswith("A-1"):
        amount = 30 if "stingy" in system else 80
        return call("refund", order="A-1", amount=amount)
    return f"I did: {last.content}"


def other_says(messages: Sequence[Message], tools: object) -> Any:
    return f"the other model, after {len(messages)} messages"


first, second = Scripted(clerk_says, name="first"), Scripted(other_says, name="second")
clerk = Agent("clerk", model=[first, second], instructions="Be kind.", tools=[lookup, refund])


async def charge(amount: int) -> str:
    DONE.append(f"charge {amount}")
    return f"charged {amount}"


async def wrap(text: str) -> str:
    DONE.append(f"wrap {text}")
    return f"[{text}]"


FACTOR = [1]


@workflow
async def kid(ctx: Context, amount: int) -> str:
    return await ctx.step(charge, amount)


@workflow
async def order(ctx: Context, amount: int) -> str:
    paid = await ctx.step(charge, amount)
    child = await ctx.child(kid, amount + 1)
    text = await ctx.step(wrap, paid, name="wrap") if FACTOR[0] == 1 else await ctx.step(charge, amount * FACTOR[0])
    await ctx.publish("paid", {"amount": amount})
    return f"{text} {child}"


def played(work: Callable[[Runtime], Awaitable[None]], *functions: Any, store: MemoryStore | None = None) -> None:
    async def main() -> None:
        serves = functions or (clerk, order, kid)
        async with asyncio.timeout(30), Runtime(serves, store or MemoryStore()) as runtime:
            await work(runtime)

    asyncio.run(main())


def test_other_instructions_from_a_model_call_on() -> None:
    async def work(runtime: Runtime) -> None:
        handle = await runtime.start(clerk, "refund A-1", id="r")
        assert await handle.result() == "I did: refunded 80"
        assert DONE == ["lookup A-1", "refund A-1 80"]
        forked = await runtime.fork("r", "t1.m2", instructions="Be stingy.", by="ann")
        assert forked.startswith("clerk/fork:")
        said = await runtime.result(forked)
        assert said.startswith("I did: ") and "a fork has no effects" in said
        assert DONE == ["lookup A-1", "refund A-1 80"], "nothing more was done"
        entries = await runtime.history(forked)
        assert [entry["type"] for entry in entries[:4]] == ["start", "model", "tool", "forked"]
        mark = entries[3]
        assert (mark["from"], mark["n"], mark["by"], mark["instructions"]) == ("r", 4, "ann", "Be stingy.")
        assert await runtime.result("r") == "I did: refunded 80", "the other one is as it was"

    played(work)


def test_what_is_called_alike_is_answered_from_the_record() -> None:
    async def work(runtime: Runtime) -> None:
        await (await runtime.start(clerk, "refund A-1", id="r")).result()
        forked = await runtime.fork("r", "t1.m2")
        assert await runtime.result(forked) == "I did: refunded 80"
        assert DONE == ["lookup A-1", "refund A-1 80"]
        entry = next(
            entry for entry in await runtime.history(forked) if entry["type"] == "tool" and "recorded" in entry
        )
        assert entry["recorded"] == "t1.m2.0" and entry["value"] == "refunded 80"

    played(work)


def test_another_model() -> None:
    async def work(runtime: Runtime) -> None:
        await (await runtime.start(clerk, "refund A-1", id="r")).result()
        forked = await runtime.fork("r", "t1.m2", model="second")
        assert await runtime.result(forked) == "the other model, after 4 messages"
        entry = [entry for entry in await runtime.history(forked) if entry["type"] == "model"][-1]
        assert entry["name"].endswith("second")

    played(work)


def test_a_session_goes_on_as_a_fork_and_stays_one() -> None:
    async def work(runtime: Runtime) -> None:
        await (await runtime.send(clerk, "c", "refund A-1")).reply()
        length = len(await runtime.history("clerk/c"))
        forked = await runtime.fork("clerk/c", length + 1, instructions="Be stingy.")
        key = forked.partition("/")[2]
        assert "no effects" in await (await runtime.send(clerk, key, "again")).reply()
        assert DONE == ["lookup A-1", "refund A-1 80", "lookup A-1"]
        assert len(await runtime.history("clerk/c")) == length

    played(work)


def test_a_workflow_goes_on_with_the_code_of_now() -> None:
    async def work(runtime: Runtime) -> None:
        FACTOR[0] = 1
        assert await (await runtime.start(order, 5, id="o")).result() == "[charged 5] charged 6"
        done = list(DONE)
        same = await runtime.fork("o", 2)
        assert await runtime.result(same) == "[charged 5] charged 6"
        FACTOR[0] = 3
        numbers = [n for n, entry in enumerate(await runtime.history("o"), 1) if entry.get("name") == "wrap"]
        other = await runtime.fork("o", numbers[0])
        with pytest.raises(ExecutionFailed) as failed:
            await runtime.result(other)
        assert isinstance(failed.value.__cause__, EffectBlocked)
        assert done == DONE, "nothing was charged, wrapped or begun once more"

    try:
        played(work)
    finally:
        FACTOR[0] = 1


@workflow
async def begets(ctx: Context) -> str:
    return await ctx.child(kid, 5 * FACTOR[0])


def test_what_a_fork_begins_is_for_those_that_know_forks() -> None:
    async def work(runtime: Runtime) -> None:
        await (await runtime.start(begets, id="b")).result()
        FACTOR[0] = 2
        forked = await runtime.fork("b", 2)
        with pytest.raises(ExecutionFailed):
            await runtime.result(forked)
        assert (await runtime.history(f"{forked}/0"))[0]["protocol"] == 2
        assert "protocol" not in (await runtime.history("b/0"))[0] and DONE == ["charge 5"]

    try:
        played(work, begets, kid)
    finally:
        FACTOR[0] = 1


def test_what_is_published_goes_to_nobody() -> None:
    async def work(runtime: Runtime) -> None:
        await (await runtime.start(order, 5, id="o")).result()
        await runtime.result(await runtime.fork("o", 2))

    class Broker:
        async def carry(self, event: Any) -> None:
            SENT.append(str(event["type"]))

    async def main() -> None:
        async with asyncio.timeout(30), Runtime([order, kid], MemoryStore()) as runtime:
            runtime.engine.delivery.publisher = Broker()
            await work(runtime)

    asyncio.run(main())
    assert SENT == ["paid"]


# -- where it begins ---------------------------------------------------------------------------------


@workflow
async def waits(ctx: Context, amount: int) -> str:
    """Two at once, one of which is open for long; then a person is asked."""
    one = ctx.child(kid, amount)
    two = await ctx.step(wrap, "quick")
    got = await ctx.wait_for("go")
    ok = await ctx.approve("ship it?", role="desk")
    return f"{two} {got} {ok.by} {await one}"


def test_what_is_open_is_ordered_anew() -> None:
    async def work(runtime: Runtime) -> None:
        await runtime.start(waits, 7, id="w")
        await runtime.signal("w", "go", "now")
        while not await runtime.approvals("w"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        number = next(n for n, e in enumerate(await runtime.history("w"), 1) if e["type"] == "event")
        forked = await runtime.fork("w", number + 1)
        while not await runtime.approvals(forked):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        entries = await runtime.history(forked)
        before = entries[: next(n for n, e in enumerate(entries) if e["type"] == "forked")]
        assert before and not [e for e in before if e.get("kind") == "approval"]
        assert DONE.count("charge 7") == 1 and DONE.count("wrap quick") == 1

    played(work, waits, kid)


def test_the_chains_of_both_hold() -> None:
    store = MemoryStore()

    async def work(runtime: Runtime) -> None:
        await (await runtime.start(order, 5, id="o")).result()
        await runtime.result(await runtime.fork("o", 3))
        found = [one async for one in prove(store, EVERYTHING)]
        assert found and not [finding for one in found for finding in one.findings]

    played(work, store=store)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (1, "write 2 to 8"),
        (99, "write 2 to 8"),
        (-1, "write 2 to 8"),
        (True, "number of a journal entry or an operation"),
        ("t9.m9", "it has no operation 't9.m9'; these are its: t1.m1, t1.m1.0"),
        ("", "it has no operation ''"),
        (2.0, "number of a journal entry or an operation"),
        (None, "number of a journal entry or an operation"),
    ],
)
def test_a_place_that_there_is_not(at: Any, said: str) -> None:
    async def work(runtime: Runtime) -> None:
        await (await runtime.start(clerk, "refund A-1", id="r")).result()
        with pytest.raises(InvalidInput, match=said):
            await runtime.fork("r", at)
        assert [head.id for head in (await runtime.page(EVERYTHING)).heads] == ["r"], "nothing was made"

    played(work)


def test_what_cannot_be_forked() -> None:
    machine = StateMachine("m", {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})

    async def work(runtime: Runtime) -> None:
        await (await runtime.start(machine, {}, id="m")).result()
        await (await runtime.start(order, 5, id="o")).result()
        refusals: list[tuple[str, dict[str, Any], str]] = [
            ("m", {}, "state machine"),
            ("o", {"model": "x/y"}, "no model and no instructions"),
            ("o", {"instructions": 7}, "text of at most"),
            ("o", {"model": "m" * 201}, "text of at most"),
        ]
        for id, more, said in refusals:
            with pytest.raises(InvalidInput, match=said):
                await runtime.fork(id, 2, **more)
        with pytest.raises(UnknownExecution):
            await runtime.fork("nobody", 2)

    played(work, machine, order, kid)


def test_a_fork_of_a_fork() -> None:
    async def work(runtime: Runtime) -> None:
        await (await runtime.start(clerk, "refund A-1", id="r")).result()
        one = await runtime.fork("r", "t1.m2")
        await runtime.result(one)
        two = await runtime.fork(one, "t1.m2")
        assert await runtime.result(two) == "I did: refunded 80", "what its origin has from the first is a record too"
        assert DONE == ["lookup A-1", "refund A-1 80"]

    played(work)


def test_a_fork_whose_origin_is_gone_still_has_no_effects() -> None:
    async def work(runtime: Runtime) -> None:
        await (await runtime.start(clerk, "refund A-1", id="r")).result()
        forked = await runtime.fork("r", "t1.m2")
        assert await runtime.store.delete("r", now=runtime.clock())
        said = await runtime.result(forked)
        assert "a fork has no effects" in said or said == "I did: refunded 80"
        assert DONE == ["lookup A-1", "refund A-1 80"]

    played(work)


def test_an_id_that_only_looks_like_that_of_a_fork_has_no_effects_either() -> None:
    async def work(runtime: Runtime) -> None:
        reply = (await runtime.send(clerk, "fork:0123abcd", "refund A-1")).reply()
        assert "nothing is known of where it comes from" in await reply
        assert DONE == ["lookup A-1"]

    played(work)


# -- wherever the process dies -----------------------------------------------------------------------


def test_a_death_anywhere_makes_nothing_happen() -> None:
    """Whatever the source did, and may have done twice because of the death, is done when the forks begin."""

    async def scenario(world: World) -> Any:
        await (await world.start(order, 5, id="o")).result()
        await (await world.start(clerk, "refund A-1", id="r")).result()
        await asyncio.sleep(0)
        done = [one for one in DONE if not one.startswith("lookup")]
        same = await world.call(lambda runtime: runtime.fork("o", 3, key="1"))
        agent = await world.call(lambda runtime: runtime.fork("r", "t1.m1", instructions="Be stingy.", key="2"))
        said = await world.result(same), await world.result(agent)
        assert done == [one for one in DONE if not one.startswith("lookup")]
        return said

    report = crash_everywhere(scenario, functions=[order, kid, clerk], fresh=DONE.clear)
    assert report.points > 50
