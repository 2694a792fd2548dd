"""What a fork answers its calls with: the record of the same call, and never that of one that only looks like it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from overwinter import Agent, Context, InvalidInput, Runtime, Scripted, StateMachine, call, tool, workflow
from overwinter.functions.foreign import ForeignAgent
from overwinter.functions.frameworks.port import Turn
from overwinter.functions.hooks import Change, Hook
from overwinter.functions.models.port import Message
from overwinter.orchestrator.governance.approvals.standing import Standing
from overwinter.orchestrator.protocol import newer
from overwinter.state.errors import ExecutionFailed
from overwinter.state.memory import MemoryStore
from overwinter.state.records import EVERYTHING

DONE: list[str] = []
FACTOR = [1]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    DONE.clear()
    FACTOR[0] = 1


@tool(effect="irreversible", approval="desk")
async def refund(amount: int) -> str:
    """Refund an amount."""
    DONE.append(f"refund {amount}")
    return f"refunded {amount}"


@tool(effect="irreversible")
async def charge(amount: int) -> str:
    """Charge an amount."""
    DONE.append(f"charge {amount}")
    return f"charged {amount}"


@tool(effect="pure")
async def look(amount: int) -> str:
    """Look an amount up."""
    DONE.append(f"look {amount}")
    return f"looked {amount}"


def says(messages: Sequence[Message], tools: object) -> Any:
    return call("refund", amount=80) if messages[-1].role == "user" else messages[-1].content


clerk = Agent("clerk", model=Scripted(says), tools=[refund])


@workflow
async def desk(ctx: Context) -> str:
    return await ctx.step(refund, 80)


def played(work: Callable[[Runtime], Awaitable[None]], *functions: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), Runtime(functions, MemoryStore()) as runtime:
            await work(runtime)

    asyncio.run(main())


async def approved(runtime: Runtime, id: str, **more: Any) -> None:
    while await runtime.find(id) is None or not (waiting := await runtime.approvals(id)):  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    await runtime.approve(id, waiting[0]["op"], by="ann", **more)


async def came_to(runtime: Runtime, id: str) -> str:
    try:
        return str(await runtime.result(id))
    except ExecutionFailed as error:
        return str(error)


@pytest.mark.parametrize("function", [clerk, desk], ids=["agent", "workflow"])
def test_a_call_that_a_person_has_edited_is_another_call(function: Any) -> None:
    async def work(runtime: Runtime) -> None:
        await runtime.start(function, *(["hello"] if function is clerk else []), id="o")
        await approved(runtime, "o", arguments={"amount": 30})
        assert "refunded 30" in await runtime.result("o")
        for arguments, said in ((None, "no such call"), ({"amount": 30}, "refunded 30"), ({"amount": 31}, "no such")):
            forked = await runtime.fork("o", 2)
            await approved(runtime, forked, arguments=arguments)
            assert said in await came_to(runtime, forked), arguments
        assert DONE == ["refund 30"]

    played(work, function)


def test_a_call_that_a_hook_has_changed_is_another_call() -> None:
    changed = [30]

    async def less(use: Any) -> Any:
        return Change({"amount": changed[0]}) if changed[0] else None

    def asks(messages: Sequence[Message], tools: object) -> Any:
        return call("charge", amount=80) if messages[-1].role == "user" else messages[-1].content

    hooked = Agent("hooked", model=Scripted(asks), tools=[charge], hooks=Hook(before_tool=less))

    async def work(runtime: Runtime) -> None:
        assert await (await runtime.start(hooked, "hello", id="o")).result() == "charged 30"
        assert await came_to(runtime, await runtime.fork("o", 2)) == "charged 30"
        changed[0] = 0
        assert "no such call" in await came_to(runtime, await runtime.fork("o", 2))
        assert DONE == ["charge 30"]

    played(work, hooked)


class Elsewhere:
    """An agent of a framework."""

    name = "elsewhere"

    async def answer(self, turn: Turn) -> str:
        async def ask() -> str:
            return f"about {turn.input}"

        async def send(arguments: Mapping[str, Any]) -> str:
            DONE.append(f"send {arguments['text']}")
            return "sent"

        said = await turn.model("gpt", ask)
        return said if turn.input == "hush" else f"{said}, {await turn.tool('send', {'text': turn.input}, send)}"


def test_the_model_of_a_foreign_agent_is_asked_and_its_tools_are_not_called() -> None:
    foreign = ForeignAgent("foreign", Elsewhere())

    async def work(runtime: Runtime) -> None:
        for text in ("one", "two"):
            assert await (await runtime.send(foreign, "s", text)).reply() == f"about {text}, sent"
        length = len(await runtime.history("foreign/s"))
        for at in (length + 1, 5):
            key = (await runtime.fork("foreign/s", at)).partition("/")[2]
            assert await (await runtime.send(foreign, key, "hush")).reply() == "about hush"
            assert await (await runtime.send(foreign, key, "two")).reply() == "about two, sent"
            with pytest.raises(Exception, match="no such call"):
                await (await runtime.send(foreign, key, "three")).reply()
        assert DONE == ["send one", "send two"]

    played(work, foreign)


def test_a_task_of_a_state_machine_is_not_answered_by_one_with_other_input() -> None:
    tasks: Any = {"Type": "Task", "End": True}
    machine = StateMachine("m", {"StartAt": "A", "States": {"A": {**tasks, "Resource": "charge"}}}, uses=[charge])
    looks = StateMachine("l", {"StartAt": "A", "States": {"A": {**tasks, "Resource": "look"}}}, uses=[look])

    @workflow
    async def order(ctx: Context) -> str:
        seen = await ctx.child(looks, {"amount": 5 * FACTOR[0]})
        return f"{seen}, {await ctx.child(machine, {'amount': 5 * FACTOR[0]})}"

    async def work(runtime: Runtime) -> None:
        assert await (await runtime.start(order, id="o")).result() == "looked 5, charged 5"
        assert await came_to(runtime, await runtime.fork("o", 2)) == "looked 5, charged 5"
        FACTOR[0] = 3
        assert "no such call" in await came_to(runtime, await runtime.fork("o", 2))
        assert DONE == ["look 5", "charge 5", "look 15"]

    played(work, order, machine, looks)


def test_what_lies_in_a_function_is_answered_by_the_same_operation_alone() -> None:
    @workflow
    async def order(ctx: Context) -> list[str]:
        def sends(text: str) -> str:
            DONE.append(text)
            return text

        found = [await ctx.step(lambda: sends("one"), name="send")]
        for text in ["two"] * (FACTOR[0] - 1):
            found.append(await ctx.step(lambda text=text: sends(text), name="send"))
            found.append(await ctx.step(lambda: sends(text), name="send"))  # noqa: B023  # awaited at once
        return found

    async def work(runtime: Runtime) -> None:
        assert await (await runtime.start(order, id="o")).result() == ["one"]
        assert await came_to(runtime, await runtime.fork("o", 2)) == "['one']"
        FACTOR[0] = 2
        assert "no such call" in await came_to(runtime, await runtime.fork("o", 2))
        assert DONE == ["one"]

    played(work, order)


def test_one_that_was_opened_again_is_forked_anywhere_and_its_last_outcome_counts() -> None:
    down = [True]

    async def ship() -> str:
        if down[0]:
            raise ValueError("the depot is closed")
        return "shipped"

    @workflow
    async def order(ctx: Context) -> str:
        return f"{await ctx.step(ship)} {await ctx.step(charge, 5)}"

    async def work(runtime: Runtime) -> None:
        with pytest.raises(ExecutionFailed):
            await (await runtime.start(order, id="o")).result()
        down[0] = False
        await runtime.retry("o")
        assert await runtime.result("o") == "shipped charged 5"
        kinds = [entry["type"] for entry in await runtime.history("o")]
        assert kinds == ["start", "step", "failed", "retry", "step", "begun", "step", "completed"]
        for at, said in (
            (2, "shipped charged 5"),
            (3, "the depot is closed"),
            *((at, "shipped charged 5") for at in (5, 6, 7, 8)),
        ):
            assert said in await came_to(runtime, await runtime.fork("o", at)), at
        for at in (4, 9):
            with pytest.raises(InvalidInput, match="write"):
                await runtime.fork("o", at)
        assert DONE == ["charge 5"]

    played(work, order)


def test_a_key_is_for_one_fork_and_what_a_fork_has_stays_its_own() -> None:
    async def work(runtime: Runtime) -> None:
        await runtime.start(clerk, "hello", id="o")
        await approved(runtime, "o")
        await runtime.result("o")
        made = await runtime.fork("o", 2, key="k")
        await runtime.store.put(made, "entry", "mine")
        await runtime.store.put("o", "entry", "theirs")
        assert await runtime.fork("o", 2, key="k") == made
        for at, more in ((3, {}), (2, {"instructions": "Be kind."})):
            with pytest.raises(InvalidInput, match="another key"):
                await runtime.fork("o", at, key="k", **more)
        entry: Any = await runtime.store.get(made, "entry")
        assert entry.value == "mine"
        assert len((await runtime.page(EVERYTHING)).heads) == 2

    played(work, clerk)


def test_all_of_its_entries_are_copied() -> None:
    async def work(runtime: Runtime) -> None:
        await runtime.start(clerk, "hello", id="o")
        await approved(runtime, "o")
        await runtime.result("o")
        for number in range(1001):
            await runtime.store.put("o", f"{number:04}", str(number))
        forked = await runtime.fork("o", 2)
        assert len(await runtime.store.keys(forked, limit=5000)) == 1001

    played(work, clerk)


def test_what_is_approved_in_a_fork_is_approved_for_nobody_else() -> None:
    async def work(runtime: Runtime) -> None:
        await runtime.start(clerk, "hello", id="o")
        await approved(runtime, "o")
        await runtime.result("o")
        forked = await runtime.fork("o", 2)
        with pytest.raises(InvalidInput, match="not for them all"):
            await approved(runtime, forked, standing=Standing(for_all=True, lasts="1d"))
        assert [one async for one in runtime.standings_for_all(forked)] == []
        await approved(runtime, forked, standing=Standing())
        assert await runtime.result(forked) == "refunded 80"

    played(work, clerk)


@pytest.mark.parametrize("key", ["fork:truck-1", "a/fork:0123abcd", "fork:0123ABCD"])
def test_a_session_whose_key_begins_like_a_fork_is_none(key: str) -> None:
    def asks(messages: Sequence[Message], tools: object) -> Any:
        return call("charge", amount=8) if messages[-1].role == "user" else messages[-1].content

    teller = Agent("teller", model=Scripted(asks), tools=[charge])

    async def work(runtime: Runtime) -> None:
        assert await (await runtime.send(teller, key, "hello")).reply() == "charged 8"

    played(work, teller)


def test_a_fork_of_a_fork_is_answered_by_the_nearest() -> None:
    @workflow
    async def kid(ctx: Context, amount: int) -> str:
        return f"{amount} {(await ctx.approve('well?')).by}"

    @workflow
    async def order(ctx: Context) -> str:
        return f"{await ctx.step(charge, 5)} {await ctx.child(kid, 7 if FACTOR[0] == 1 else 8)}"

    async def work(runtime: Runtime) -> None:
        await runtime.start(order, id="o")
        await approved(runtime, "o/1")
        assert await runtime.result("o") == "charged 5 7 ann"
        FACTOR[0] = 2
        one = await runtime.fork("o", 2)
        await approved(runtime, f"{one}/1")
        assert await runtime.result(one) == "charged 5 8 ann"
        for at in (2, 3):
            assert await runtime.result(await runtime.fork(one, at)) == "charged 5 8 ann", "nobody is asked once more"
        FACTOR[0] = 1
        assert await runtime.result(await runtime.fork(one, 2)) == "charged 5 7 ann", "what its origin has is there too"
        assert DONE == ["charge 5"]

    played(work, order, kid)


def test_what_the_other_one_records_after_the_fork_has_asked_counts_too() -> None:
    @workflow
    async def order(ctx: Context) -> str:
        await ctx.wait_for("go")
        return await ctx.step(charge, 5)

    async def work(runtime: Runtime) -> None:
        handle = await runtime.start(order, id="o")
        with pytest.raises(InvalidInput, match="when it has begun"):
            await runtime.fork("o", 2)
        while (await runtime.show("o")).status != "waiting":  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        forked = await runtime.fork("o", 2)
        await runtime.signal(forked, "go", 1)
        assert "no such call" in await came_to(runtime, forked)
        await runtime.signal("o", "go", 1)
        assert await handle.result() == "charged 5"
        await runtime.retry(forked)
        assert await runtime.result(forked) == "charged 5"
        assert DONE == ["charge 5"]

    played(work, order)


def test_a_release_that_knows_no_forks_leaves_them_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(runtime: Runtime) -> None:
        await runtime.start(clerk, "hello", id="o")
        await approved(runtime, "o")
        await runtime.result("o")
        entries = await runtime.history(await runtime.fork("o", 2))
        assert newer.newer(entries, 1, None) == ""
        monkeypatch.setattr(newer, "LEVEL", 1)
        assert "has protocol 2" in newer.newer(entries, 1, None)
        monkeypatch.undo()

    played(work, clerk)
