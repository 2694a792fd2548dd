"""A message is acknowledged only where somebody will read it: never by a workflow, never by one run of an agent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from overwinter import Agent, Context, workflow
from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.intake import take
from overwinter.functions.http.events import taken_in
from overwinter.functions.models.scripted import Scripted
from overwinter.functions.runtime import Runtime
from overwinter.state.errors import AlreadyExists, AlreadyFinished, ExecutionFailed, InvalidInput
from overwinter.state.memory import MemoryStore

support = Agent("support", Scripted({".*": "hello"}, "hello", delay="20ms"))


@workflow
async def shop(ctx: Context) -> Any:
    return await ctx.wait_for("go")


@workflow
async def parent(ctx: Context, id: str) -> Any:
    return await ctx.child(support, "one question", id=id)


def served(work: Callable[[Runtime], Awaitable[None]]) -> MemoryStore:
    store = MemoryStore()

    async def main() -> None:
        async with Runtime([support, shop, parent], store) as runtime:
            await work(runtime)

    asyncio.run(main())
    return store


@pytest.mark.parametrize("state", ["waiting", "paused", "completed"])
def test_a_workflow_takes_no_messages(state: str) -> None:
    async def work(runtime: Runtime) -> None:
        handle = await runtime.start(shop, id="support/x")
        if state == "paused":
            await runtime.pause(handle.id)
        if state == "completed":
            await runtime.signal(handle.id, "go")
            await handle.result()
        for _ in range(2):
            with pytest.raises(AlreadyExists, match=r"'support/x' is an execution of the workflow shop"):
                await runtime.send(support, "x", "hello?")
        assert not any('"message"' in text for text in (await runtime.store.mailbox("support/x", 10))[1])

    store = served(work)
    assert not any('"message"' in text for text in asyncio.run(_history(store, "support/x")))


@pytest.mark.parametrize("ended", [False, True])
def test_one_run_of_an_agent_takes_no_messages(ended: bool) -> None:
    async def work(runtime: Runtime) -> None:
        handle = await runtime.start(support, "one question", id="support/x")
        if ended:
            await handle.result()
        with pytest.raises(AlreadyExists, match="is one run of support, not a session"):
            await runtime.send(support, "x", "hello?")
        assert await handle.result() == "hello"

    store = served(work)
    assert not any('"message"' in text for text in asyncio.run(_history(store, "support/x")))


def test_a_session_takes_them_as_before() -> None:
    async def work(runtime: Runtime) -> None:
        for number in range(3):
            assert await (await runtime.send(support, "x", f"hello {number}")).reply() == "hello"
        with pytest.raises(AlreadyExists, match="is a session of support"):
            await runtime.start(support, "one question", id="support/x")
        await runtime.terminate("support/x")
        with pytest.raises(AlreadyFinished):
            while True:
                await runtime.send(support, "x", "still there?")
                await asyncio.sleep(0.01)

    served(work)


def test_what_is_sent_to_one_run_is_refused_and_read_by_nobody() -> None:
    async def work(runtime: Runtime) -> None:
        handle = await runtime.start(support, "one question", id="support/x")
        for _ in range(2):
            with pytest.raises(AlreadyExists, match="is one run of support, not a session"):
                await runtime.send(support, "x", "hello?", id="m1")
        assert await handle.result() == "hello"
        assert (await runtime.store.mailbox("support/x", 10))[0] == 0

    served(work)


@pytest.mark.parametrize("state", ["waiting", "paused"])
def test_a_start_under_another_functions_id_leaves_nothing_there(state: str) -> None:
    async def work(runtime: Runtime) -> None:
        handle = await runtime.start(shop, id="x")
        if state == "paused":
            await runtime.pause("x")
        await _at_rest(runtime, "x", state)
        before = await runtime.store.head("x"), await runtime.store.mailbox("x")
        with pytest.raises(AlreadyExists, match="belongs to an execution of the workflow shop"):
            await runtime.start(support, "one question", id="x")
        with pytest.raises(ExecutionFailed, match="belongs to another shop execution"):
            await (await runtime.start(parent, "x")).result()
        assert (await runtime.store.head("x"), await runtime.store.mailbox("x")) == before
        if state == "waiting":
            await runtime.signal("x", "go")
            await handle.result()

    served(work)


def test_an_event_for_a_session_that_is_none_is_refused() -> None:
    async def work(runtime: Runtime) -> None:
        await runtime.start(shop, id="support/x")
        event = CloudEvent(source="test", type="io.overwinter.call.support", subject="x", data="hello?")
        with pytest.raises(InvalidInput, match="not a session"):
            await taken_in(take(runtime, event))

    served(work)


async def _history(store: MemoryStore, id: str) -> list[str]:
    return list(await store.history(id))


async def _at_rest(runtime: Runtime, id: str, status: str) -> None:
    while True:
        head = await runtime.store.head(id)
        if head is not None and (head.status, head.owner) == (status, None):
            return
        await asyncio.sleep(0.01)
