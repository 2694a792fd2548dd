"""Who completes a callback: only who holds the token that the execution gave, and as often as they like."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from overwinter.functions.agents.agent import Agent
from overwinter.functions.runtime import Runtime
from overwinter.functions.workflow import workflow
from overwinter.orchestrator.governance import tokens
from overwinter.orchestrator.protocol.entries import decode
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.errors import AlreadyFinished, InvalidInput, UnknownExecution
from overwinter.state.memory import MemoryStore


@workflow
async def parcel(ctx: Context) -> int:
    """Waits for a callback, then to be let go."""
    waiting = ctx.callback("courier", type=int)
    await ctx.state.put("token", waiting.token)
    hops = await waiting
    await ctx.wait_for("go")
    return hops


@workflow
async def rounds(ctx: Context, left: int = 3) -> str:
    """A callback before each checkpoint."""
    waiting = ctx.callback("round")
    await ctx.state.put(f"token {left}", waiting.token)
    said = await waiting
    if left:
        await ctx.checkpoint(left - 1)
    return str(said)


echo = Agent("echo", "scripted:echo")


def with_runtime(work: Callable[[Runtime], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Runtime([parcel, rounds, echo], MemoryStore()) as runtime:
            await work(runtime)

    asyncio.run(main())


async def token_of(runtime: Runtime, id: str, key: str = "token") -> str:
    while (found := await runtime.store.get(id, key)) is None or not await _waits(runtime, id):  # noqa: ASYNC110  # the store
        await asyncio.sleep(0.001)
    return str(found.value.strip('"'))


async def _waits(runtime: Runtime, id: str) -> bool:
    head = await runtime.store.head(id)
    return head is not None and head.status == "waiting" and head.awaits.startswith("callback")


def forged(token: str, **parts: str) -> str:
    return tokens.make(*tokens.parse(token)._replace(**parts))


async def refused(runtime: Runtime, token: str, error: type[Exception] = InvalidInput) -> None:
    for work in (runtime.callback(token, value=1), runtime.callback(token, error="no"), runtime.heartbeat(token)):
        with pytest.raises(error):
            await work


def test_a_wrong_secret_is_refused_and_leaves_nothing() -> None:
    async def work(runtime: Runtime) -> None:
        await runtime.start(parcel, id="p")
        await runtime.start(parcel, id="q")
        token, other = await token_of(runtime, "p"), await token_of(runtime, "q")
        before = await runtime.store.head("p")
        for wrong in (
            forged(token, secret="0" * 32),
            forged(token, secret=""),
            forged(token, secret=tokens.parse(token).secret[:-1]),
            forged(token, op="1"),
            forged(token, secret=tokens.parse(other).secret),
            forged(other, execution="p"),
            forged(token, secret=tokens.secret_of("", "0")),
            token[:-4],
            "owcb_",
            "",
        ):
            await refused(runtime, wrong)
        await refused(runtime, forged(token, execution="nobody"), UnknownExecution)
        assert await runtime.store.head("p") == before
        await runtime.heartbeat(token)
        await runtime.callback(token, value=3)
        await runtime.signal("p", "go")
        assert await runtime.result("p") == 3

    with_runtime(work)


def test_a_session_gives_no_tokens() -> None:
    async def work(runtime: Runtime) -> None:
        await (await runtime.send(echo, "c", "hi")).reply()
        await refused(runtime, tokens.make("echo/c", "0", tokens.secret_of("", "0")))

    with_runtime(work)


def test_a_second_completion_changes_nothing_before_and_after_the_end() -> None:
    async def work(runtime: Runtime) -> None:
        await runtime.start(parcel, id="p")
        token = await token_of(runtime, "p")
        for value in (3, 4):
            await runtime.callback(token, value=value)
        await runtime.signal("p", "go")
        assert await runtime.result("p") == 3
        await runtime.callback(token, value=5)
        await runtime.callback(token, error="late")
        await refused(runtime, forged(token, secret="0" * 32))
        assert [decode(text)["type"] for text in await runtime.store.history("p")].count("callback") == 1
        await runtime.start(parcel, id="q")
        token = await token_of(runtime, "q")
        await runtime.terminate("q")
        with pytest.raises(Exception, match="terminated"):
            await runtime.result("q")
        with pytest.raises(AlreadyFinished):
            await runtime.callback(token, value=5)  # nobody had completed it, and nobody will

    with_runtime(work)


def test_a_token_from_before_a_checkpoint_is_a_right_one() -> None:
    async def work(runtime: Runtime) -> None:
        await runtime.start(rounds, id="r")
        held: list[str] = []
        for left in (3, 2, 1, 0):
            held.append(await token_of(runtime, "r", f"token {left}"))
            for earlier in held[:-1]:
                await runtime.callback(earlier, value="late")
                await runtime.heartbeat(earlier)
            await refused(runtime, forged(held[-1], secret="0" * 32))
            await runtime.callback(held[-1], value=f"round {left}")
        assert await runtime.result("r") == "round 0"

    with_runtime(work)


def test_it_is_checked_where_the_execution_is_not_served_and_not_running() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with Runtime([parcel], store) as runtime:
            await runtime.start(parcel, id="p")
            token = await token_of(runtime, "p")
            await runtime.pause("p")
        async with Runtime([echo], store) as door:
            await refused(door, forged(token, secret="0" * 32))
            await door.callback(token, value=7)
        async with Runtime([parcel], store) as runtime:
            await runtime.resume("p")
            await runtime.signal("p", "go")
            assert await runtime.result("p") == 7

    asyncio.run(main())


def test_a_pending_execution_has_given_no_token_yet_but_its_seed_is_known() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with Runtime([parcel], store) as runtime:
            runtime.engine.draining = True  # it takes mail and begins nothing
            await runtime.start(parcel, id="p")
            [start] = [decode(text) for text in (await store.mailbox("p"))[1]]
            await refused(runtime, tokens.make("p", "0", "0" * 32))
            right: Any = tokens.make("p", "0", tokens.secret_of(start["seed"], "0"))
            await runtime.heartbeat(right)

    asyncio.run(main())
