"""What an agent and a workflow remember: whose it is, by which function, and that it is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from overwinter import Agent, Context, Memory, Runtime, Scripted, call, current_call, workflow
from overwinter.functions.memory.looking import Wanted, held
from overwinter.functions.memory.memory import LONGEST, Person, Recalled
from overwinter.functions.memory.scope import Scope
from overwinter.functions.model import Embeddings, Usage
from overwinter.state.errors import ExecutionFailed, InvalidInput
from overwinter.state.memory import MemoryStore
from overwinter.state.sealing.keys import Key, Keys
from overwinter.state.sealing.store import SealedStore
from overwinter.state.store import Store

TEA = call("remember", text="likes green tea")
ASKED = call("recall", question="green tea")
SCRIPT: dict[str, Any] = {"what do": ASKED, "i like": TEA, '"score"': "green tea", ".*": "noted"}


def agent(memory: Memory, name: str = "support") -> Agent:
    return Agent(name, Scripted(SCRIPT), tools=memory.tools())


def run(functions: Sequence[object], test: Callable[[Runtime], Awaitable[None]], store: Store | None = None) -> None:
    async def whole() -> None:
        async with Runtime(functions, store or "memory://") as runtime:
            await test(runtime)

    asyncio.run(whole())


async def say(runtime: Runtime, to: object, session: str, text: str) -> Any:
    return await (await runtime.send(to, session, text)).reply("30s")


async def texts(memory: Memory, question: str = "tea") -> list[str]:
    return [one.text for one in await memory.recall(question)]


def sealed() -> Store:
    key = Key("0" * 16, bytes(range(100, 132)), "env:KEY")
    return SealedStore(MemoryStore(), Keys(key, {key.id: key}))


@pytest.mark.parametrize("store", [MemoryStore, sealed])
def test_a_session_remembers_for_the_next_one_of_its_user(store: Callable[[], Store]) -> None:
    memory = Memory("support")

    async def test(runtime: Runtime) -> None:
        assert await say(runtime, "support", "ana", "I like green tea") == "noted"
        assert await texts(memory.of("ana", store=runtime.store)) == ["likes green tea"]
        assert await texts(memory.of("ben", store=runtime.store)) == []
        assert await say(runtime, "support", "ana", "what do I like?") == "green tea"
        assert [one.scope for one in await held(runtime.store, Wanted())] == [Scope("support", "ana")]

    run([agent(memory)], test, store())


def test_the_tools_show_a_model_nothing_of_whose_they_are() -> None:
    memory = Memory("support")
    (remember, recall, forget) = agent(memory).tools
    assert [getattr(one, "name", "") for one in (remember, recall, forget)] == ["remember", "recall", "forget"]
    assert [set(one.parameters["properties"]) for one in (remember, recall, forget)] == [  # type: ignore[attr-defined]
        {"text"}, {"question", "most"}, {"id"},
    ]  # fmt: skip


def test_a_child_remembers_for_the_session_that_began_it() -> None:
    memory = Memory("notes")
    inner = agent(memory, "inner")

    @workflow
    async def between(ctx: Context, text: str) -> str:
        return await ctx.child(inner, text)

    outer = Agent(
        "outer", Scripted({"I like": call("between", input="I like green tea"), ".*": "done"}), tools=[between]
    )

    async def test(runtime: Runtime) -> None:
        assert await say(runtime, "outer", "ana/7", "I like tea") == "done"
        assert [one.scope for one in await held(runtime.store, Wanted())] == [Scope("notes", "ana/7")]

    run([outer, inner, between], test)


def test_who_is_not_known_reads_and_writes_nothing() -> None:
    memory = Memory("notes")

    @workflow
    async def order(ctx: Context) -> str:
        return await ctx.step(memory.remember, "likes tea")

    async def test(runtime: Runtime) -> None:
        with pytest.raises(ExecutionFailed, match="nobody says whose memories these are"):
            await (await runtime.start(order)).result("30s")
        assert await held(runtime.store, Wanted()) == []
        with pytest.raises(InvalidInput, match="outside of a durable call"):
            await memory.of("ana").recall("tea")
        with pytest.raises(InvalidInput, match="nobody says whose"):
            await memory.of(store=runtime.store).recall("tea")

    with pytest.raises(InvalidInput):
        Memory("notes", whose="everybody")  # type: ignore[arg-type]  # as users may give it
    with pytest.raises(InvalidInput):
        memory.of(" ana")
    run([order], test)


def test_an_id_that_looks_like_a_session_opens_nobodys_memories() -> None:
    """Ids of runs are chosen by who begins them, and those of children are made of them."""
    memory = Memory("notes")
    support = agent(memory)

    @workflow
    async def between(ctx: Context, text: str) -> str:
        return await ctx.child(support, text)

    begun: list[tuple[str, Any, str, str]] = [
        ("recall", support, "support/ana", ""),
        ("remember", support, "support/ben", ""),
        ("recall", between, "support", "/0"),
        ("remember", between, "support/zoe", "/0"),
    ]

    async def test(runtime: Runtime) -> None:
        for user in ("ana", "0", "zoe/0"):
            await memory.of(user, store=runtime.store).remember("likes green tea")
        for tool, function, id, child in begun:
            text = "what do I like?" if tool == "recall" else "I like green tea"
            await (await runtime.start(function, text, id=id)).result("30s")
            (called,) = [one for one in await runtime.history(id + child) if one["type"] == "tool"]
            assert called["name"] == tool and "nobody says whose" in called["error"]["message"]
        whose = {one.scope.user: one.memories for one in await held(runtime.store, Wanted())}
        assert whose == {"ana": 1, "0": 1, "zoe/0": 1}

    run([support, between], test)


def test_whose_it_is_may_be_told_by_the_call_or_be_all_ones() -> None:
    def tenant(asked: Any) -> Person:
        return Person(asked.execution.rpartition("-")[2], "acme")

    told, shared, named = Memory("told", whose=tenant), Memory("shared", whose="agent"), Memory("named", whose=str)

    @workflow
    async def order(ctx: Context) -> None:
        for memory in (told, shared, named.of("ben", tenant="acme")):
            await ctx.step(memory.remember, "likes tea")

    async def test(runtime: Runtime) -> None:
        await (await runtime.start(order, id="order-ana")).result("30s")
        scopes = {one.scope for one in await held(runtime.store, Wanted())}
        assert scopes == {Scope("told", "ana", "acme"), Scope("shared"), Scope("named", "ben", "acme")}

    run([order], test)


@pytest.mark.parametrize("told", [None, 5, ("ana", ""), "", Person()])
def test_a_function_that_tells_no_person_is_told_so(told: Any) -> None:
    memory = Memory("notes", whose=lambda _: told)

    @workflow
    async def order(ctx: Context) -> str:
        return await ctx.step(memory.remember, "likes tea")

    async def test(runtime: Runtime) -> None:
        with pytest.raises(ExecutionFailed, match="whose"):
            await (await runtime.start(order)).result("30s")
        assert await held(runtime.store, Wanted()) == []

    run([order], test)


def test_forgetting_forgets_what_says_the_same() -> None:
    async def test(runtime: Runtime) -> None:
        memory = Memory("notes", embedding="scripted:echo").of("ana", store=runtime.store)
        first, second = await memory.remember("likes tea"), await memory.remember("likes tea")
        other = await memory.remember("likes tea with milk")
        assert first != second and sorted(await texts(memory)) == ["likes tea", "likes tea with milk"]
        assert await memory.forget(first) and not await memory.forget(first)
        assert await texts(memory) == ["likes tea with milk"]
        assert await memory.forget(other) and await texts(memory) == []

    run([], test)


def test_one_call_may_remember_several_things_once_each() -> None:
    memory = Memory("notes").of("ana")
    tries: list[int] = []

    async def learn() -> list[str]:
        found = await asyncio.gather(*(memory.remember(f"fact {number} of tea") for number in range(5)))
        tries.append(current_call().attempt)
        if len(tries) == 1:
            raise ConnectionError("the line broke")
        return list(found)

    @workflow
    async def lesson(ctx: Context) -> list[str]:
        return await ctx.step(learn)

    async def test(runtime: Runtime) -> None:
        ids = await (await runtime.start(lesson)).result("30s")
        assert len(tries) == 2 and len(set(ids)) == 5
        (one,) = await held(runtime.store, Wanted())
        assert one.memories == 5

    run([lesson], test)


def test_an_execution_made_anew_under_its_id_remembers_anew() -> None:
    memory = Memory("notes").of("ana")

    @workflow
    async def lesson(ctx: Context, text: str) -> None:
        await ctx.step(memory.remember, text)

    async def test(runtime: Runtime) -> None:
        clock = runtime.engine.clock
        for text in ("likes tea", "likes cocoa"):
            await (await runtime.start(lesson, text, id="l-1")).result("30s")
            await asyncio.sleep(0.002)  # a life is known by the millisecond in which it began
            assert await runtime.store.delete("l-1", now=clock())
        assert sorted(await texts(memory.of("ana", store=runtime.store), "likes")) == ["likes cocoa", "likes tea"]

    run([lesson], test)


class Counting:
    """Embeds, and counts how often it was asked."""

    name = "counting"

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, settings: Mapping[str, Any] = {}
    ) -> Embeddings:
        self.asked += texts
        vectors = {"drink": [1.0, 0.1], "likes tea": [1.0, 0.0], "lives in Oslo": [0.0, 1.0]}
        return Embeddings([vectors[text] for text in texts], Usage(1), "0", self.name)


def test_meaning_finds_what_words_do_not_and_a_replay_asks_nothing() -> None:
    embedder, store = Counting(), MemoryStore()
    memory = Memory("notes", embedding=embedder).of("ana")

    @workflow
    async def lesson(ctx: Context) -> list[Recalled]:
        for text in ("likes tea", "lives in Oslo"):
            await ctx.step(memory.remember, text)
        found = await ctx.step(memory.recall, "drink")
        await ctx.wait_for("go on")
        return found

    async def begin(runtime: Runtime) -> None:
        await runtime.start(lesson, id="l-1")
        async with asyncio.timeout(60):
            while True:
                head = await runtime.store.head("l-1")
                if head is not None and head.awaits == "event go on":
                    return
                await asyncio.sleep(0.005)

    async def go_on(runtime: Runtime) -> None:
        await runtime.signal("l-1", "go on")
        found = await runtime.result("l-1", timeout="30s")
        assert [one.text for one in found] == ["likes tea", "lives in Oslo"]

    run([lesson], begin, store)
    run([lesson], go_on, store)
    assert embedder.asked == ["likes tea", "lives in Oslo", "drink"]


def test_what_another_model_has_embedded_is_found_by_words() -> None:
    async def test(runtime: Runtime) -> None:
        await Memory("notes", embedding=Counting()).of("ana", store=runtime.store).remember("likes tea")
        other = Memory("notes", embedding="scripted:echo").of("ana", store=runtime.store)
        assert await texts(other, "tea") == ["likes tea"] and await texts(other, "drinks") == []

    run([], test)


@pytest.mark.parametrize("text", ["", " \n", "x" * (LONGEST + 1)])
def test_what_is_no_memory_is_refused(text: str) -> None:
    async def test(runtime: Runtime) -> None:
        memory = Memory("notes").of("ana", store=runtime.store)
        with pytest.raises(InvalidInput, match="a memory has 1 to"):
            await memory.remember(text)
        for question, most in (("", 5), ("tea", 0), ("tea", 51)):
            with pytest.raises(InvalidInput):
                await memory.recall(question, most)

    run([], test)
