"""A reply is found wherever it is, a message that was never sent is named, and a wait reads what is new alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter.functions.agents.agent import Agent
from overwinter.functions.models.scripted import Scripted
from overwinter.orchestrator.engine.settings import Settings
from overwinter.orchestrator.runtime import Runtime
from overwinter.state.errors import UnknownExecution

echo = Agent("echo", "scripted:echo")
LONG = "y" * 300_000
long = Agent("long", Scripted({".*": LONG}, "long"))
slow = Agent("slow", Scripted({".*": "late"}, "late", delay="30s"))


async def within(awaited: Any) -> Any:
    return await asyncio.wait_for(awaited, 60)


def test_replies_are_found_later_and_what_was_never_said_is_named() -> None:
    async def main() -> None:
        async with Runtime([echo, long], "memory://") as runtime:
            texts = ["short", "x" * 60_000, "again"]
            for number, text in enumerate(texts):
                await within((await runtime.send(echo, "c", text, id=f"m-{number}")).reply())
            for number, text in enumerate(texts):
                assert await within(runtime.reply("echo/c", f"m-{number}")) == text
            await within((await runtime.send(long, "c", "hi", id="m")).reply())
            assert await within(runtime.reply("long/c", "m")) == LONG
            with pytest.raises(UnknownExecution, match="no message 'm-9'"):
                await within(runtime.reply("echo/c", "m-9"))
            with pytest.raises(UnknownExecution):
                await within(runtime.reply("echo/nobody", "m-0"))

    asyncio.run(main())


def test_a_message_that_waits_is_known() -> None:
    async def main() -> None:
        async with Runtime([slow], "memory://", Settings(grace="10ms")) as runtime:
            await runtime.send(slow, "c", "first", id="m-0")
            await runtime.send(slow, "c", "second", id="m-1")
            for message in ("m-0", "m-1"):
                with pytest.raises(TimeoutError):
                    await runtime.reply("slow/c", message, timeout="200ms")
            with pytest.raises(UnknownExecution):
                await within(runtime.reply("slow/c", "m-2"))

    asyncio.run(main())


def test_a_wait_reads_what_is_new_alone() -> None:
    async def main() -> None:
        async with Runtime([echo, slow], "memory://") as runtime:
            for number in range(200):
                await within((await runtime.send(echo, "c", str(number))).reply())
            length = (await runtime.show("echo/c")).length  # how much there is to read
            read = 0
            history = runtime.store.history

            async def counted(id: str, after: int = 0, limit: int = 1000) -> Any:
                nonlocal read
                texts = await history(id, after, limit)
                read += len(texts)
                return texts

            runtime.store.history = counted  # type: ignore[method-assign]  # seen by its limits alone
            await runtime.pause("echo/c")
            await runtime.send(echo, "c", "the last", id="m")
            with pytest.raises(TimeoutError):  # a second of looks, each after a pause of at least 50 ms
                await runtime.reply("echo/c", "m", timeout="1s")
            assert length > 500 and read <= length + 20

    asyncio.run(main())
