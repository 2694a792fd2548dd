"""A runtime is opened once. What is asked of it before, afterwards or twice is refused in words, and nothing of it is
accepted that nobody would do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, Context, Runtime, workflow
from overwinter.functions.models.port import Answer, Request
from overwinter.functions.models.scripted import Scripted
from overwinter.orchestrator.engine.settings import Settings
from overwinter.state.errors import StoreError

chat = Agent(name="chat", model=Scripted(["hello"] * 5), instructions="…")


@workflow
async def double(ctx: Context, number: int) -> int:
    return 2 * number


ASKED: list[Callable[[Runtime], Awaitable[Any]]] = [
    lambda runtime: runtime.start(double, 1),
    lambda runtime: runtime.send(chat, "ann", "hi"),
    lambda runtime: runtime.signal("x", "go"),
    lambda runtime: runtime.act("cancel", "x"),
    lambda runtime: runtime.decide("x", None, True),
    lambda runtime: runtime.result("x"),
    lambda runtime: runtime.result("x", 0),
    lambda runtime: runtime.reply("chat/ann", "m"),
]


@pytest.fixture(params=["memory", "sqlite"])
def dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/x.db"


def test_nothing_is_accepted_before_it_is_open_nor_afterwards(dsn: str) -> None:
    async def main() -> None:
        runtime = Runtime([double, chat], dsn)
        for ask in ASKED:
            with pytest.raises(RuntimeError, match=r"not open; use it inside of `async with"):
                await ask(runtime)
        async with runtime:
            assert await (await runtime.start(double, 1)).result("20s") == 2
        for ask in ASKED:
            with pytest.raises(RuntimeError, match="has been closed; make another one"):
                await ask(runtime)

    asyncio.run(main())


def test_it_is_opened_once(dsn: str) -> None:
    async def main() -> None:
        runtime = Runtime([double, chat], dsn)
        async with runtime:
            with pytest.raises(RuntimeError, match="is open already"):
                async with runtime:
                    raise AssertionError("it was opened twice")
            assert await (await runtime.start(double, 2)).result("20s") == 4, "the one who has it open keeps it"
        with pytest.raises(RuntimeError, match="make another one for each `async with`"):
            async with runtime:
                raise AssertionError("it was opened again")
        await runtime.close()

    asyncio.run(main())


def test_what_could_not_be_opened_may_be_tried_again(tmp_path: Path) -> None:
    async def main() -> None:
        runtime = Runtime([double], f"sqlite:///{tmp_path}/later/x.db")
        with pytest.raises(StoreError):
            async with runtime:
                raise AssertionError("there is no such folder")
        await runtime.close()
        (tmp_path / "later").mkdir()
        async with runtime:
            assert await (await runtime.start(double, 3)).result("20s") == 6

    asyncio.run(main())


class Thinking:
    """Never comes to an answer."""

    name = "test/thinking"

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def complete(self, request: Request) -> Answer:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody ends that")


class Asked(Runtime):
    """Is asked while it closes."""

    async def _handed_over(self) -> None:
        await super()._handed_over()
        waits = self.reply("chat/c", "m"), self.result("chat/c")
        self.late = [asyncio.ensure_future(one) for one in waits]
        await asyncio.wait(self.late, timeout=0)


def test_nobody_waits_or_listens_for_ever_at_one_that_is_closed(dsn: str) -> None:
    async def main() -> None:
        model = Thinking()
        runtime = Asked([Agent("chat", model)], dsn, Settings(grace="10ms"))
        async with runtime:
            await runtime.send("chat", "c", "hi", id="m")
            waits = runtime.reply("chat/c", "m"), runtime.result("chat/c")
            early = [asyncio.ensure_future(one) for one in waits]
            events = runtime.events("chat/c", message="m")
            listening = asyncio.ensure_future(anext(events, None))
            await model.asked.wait()
        done, left = await asyncio.wait([*early, *runtime.late, listening], timeout=60)
        assert not left
        assert all(one.cancelled() or isinstance(one.exception(), (RuntimeError, StoreError)) for one in done)

    asyncio.run(main())
