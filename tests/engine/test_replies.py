"""A reply is found wherever it is, a message that was never sent is named, and a wait reads what is new alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import aclosing, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from overwinter.functions.agents.agent import Agent
from overwinter.functions.models.port import Answer, Request, Usage
from overwinter.functions.models.scripted import Scripted
from overwinter.functions.runtime import Runtime
from overwinter.orchestrator.engine.settings import Settings
from overwinter.orchestrator.engine.waiting import settled
from overwinter.orchestrator.replies import ReplySearch
from overwinter.state.errors import Conflict, OverwinterError, StoreUnavailable, UnknownExecution
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Accepted, Head

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


def test_a_reply_is_found_though_the_store_was_away_when_it_was_first_looked_for() -> None:
    """What could not be read has not been looked at."""

    async def main() -> None:
        async with Runtime([echo], "memory://") as runtime:
            sent = await runtime.send(echo, "c", "hi", id="m")
            await within(sent.reply())
            history, away = runtime.store.history, 2

            async def failing(id: str, start: int = 0, limit: int = 1000) -> Any:
                nonlocal away
                away -= 1
                if away >= 0:
                    raise StoreUnavailable("the store is away for a moment")
                return await history(id, start, limit)

            runtime.store.history = failing  # type: ignore[method-assign,assignment]
            assert await within(runtime.reply("echo/c", "m")) == "hi"
            assert away < 0

    asyncio.run(main())


class Gated:
    """Answers at once, but for ``hold``, which it answers when ``gate`` is set."""

    name = "test/gated"

    def __init__(self) -> None:
        self.holds, self.gate = asyncio.Event(), asyncio.Event()

    async def complete(self, request: Request) -> Answer:
        if request.messages[-1].content == "hold":
            self.holds.set()
            await self.gate.wait()
        return Answer("hi", usage=Usage(1, 1), model=self.name)


def test_a_reply_is_found_though_the_session_is_at_work_and_the_store_was_away() -> None:
    """Only what was looked for needs no second look while nobody else can bring it about."""

    async def main() -> None:
        model = Gated()
        agent = Agent("gated", model)
        async with Runtime([agent], "memory://", Settings(grace="10ms")) as runtime:
            await within((await runtime.send(agent, "c", "m", id="m")).reply())
            await runtime.send(agent, "c", "hold")
            await within(model.holds.wait())
            history, away = runtime.store.history, [True]

            async def failing(id: str, start: int = 0, limit: int = 1000) -> Any:
                if away and away.pop():
                    raise StoreUnavailable("the store is away for a moment")
                return await history(id, start, limit)

            runtime.store.history = failing  # type: ignore[method-assign,assignment]
            assert await within(runtime.reply("gated/c", "m")) == "hi"
            assert not model.gate.is_set()

    asyncio.run(main())


def test_a_reply_of_another_process_is_found_though_the_session_has_come_here_since(tmp_path: Path) -> None:
    """It was given between the look for it and the moment at which this process took the session up."""
    here, there = Gated(), Gated()

    async def main() -> None:
        place = f"sqlite:///{tmp_path}/replies.db"
        async with Runtime([Agent("gated", here)], place, Settings(grace="10ms")) as runtime:
            other = Runtime([Agent("gated", there)], place)
            async with other:
                await other.send("gated", "c", "hold", id="m")
                await within(there.holds.wait())
                show, looks = runtime.show, 0

                async def late(id: str) -> Head:
                    nonlocal looks
                    looks += 1
                    head = await show(id)
                    if looks == 1:
                        there.gate.set()
                        await within(other.reply("gated/c", "m"))
                        await other.close()
                        await runtime.send("gated", "c", "hold")
                        await within(here.holds.wait())
                    return head

                runtime.show = late  # type: ignore[method-assign]
                assert await within(runtime.reply("gated/c", "m")) == "hi"
                assert not here.gate.is_set()

    asyncio.run(main())


def test_a_session_begun_anew_under_the_same_name_is_read_from_its_beginning() -> None:
    async def main() -> None:
        async with Runtime([echo], "memory://") as runtime:
            for number in range(5):
                await within((await runtime.send(echo, "c", str(number))).reply())
            search = ReplySearch(runtime.store, "echo/c", "m", (await runtime.show("echo/c")).length)
            assert await search.look((await runtime.show("echo/c")).length) is None
            await runtime.terminate("echo/c")
            with pytest.raises(OverwinterError, match="terminated"):
                await within(runtime.result("echo/c"))
            await runtime.store.delete("echo/c", now=runtime.clock())
            await within((await runtime.send(echo, "c", "hi", id="m")).reply())
            found = await search.look((await runtime.show("echo/c")).length)
            assert found is not None and found["to"] == "m"

    asyncio.run(main())


def anew(runtime: Runtime, messages: int, look: int) -> None:
    """At that look at ``echo/c`` another session has begun under its name, at another time."""
    show, looks = runtime.show, 0

    async def late(id: str) -> Head:
        nonlocal looks
        looks += 1
        if looks == look:
            await runtime.terminate(id)
            while await runtime.find(id) is not None:
                with suppress(Conflict):  # it is still at work
                    await runtime.store.delete(id, now=runtime.clock())
                await asyncio.sleep(0)
            for number in range(messages):
                again = await runtime.send(echo, "c", str(number))
                await within(runtime.reply(id, again.id))
        return await show(id)

    runtime.show = late  # type: ignore[method-assign]


@pytest.mark.parametrize("messages", [1, 9])
def test_a_message_to_a_session_that_was_begun_anew_is_not_waited_for(messages: int) -> None:
    """Nobody will ever answer it."""

    async def main() -> None:
        async with Runtime([echo], "memory://", clock=partial(next, count(10**12))) as runtime:
            await within((await runtime.send(echo, "c", "before")).reply())
            await runtime.pause("echo/c")
            sent = await runtime.send(echo, "c", "hi", id="m")
            anew(runtime, messages, 3)  # a look of a wait is two of these
            with pytest.raises(UnknownExecution, match="no message 'm'"):
                await within(sent.reply())

    asyncio.run(main())


@pytest.mark.parametrize("messages", [1, 9])
def test_a_session_that_was_begun_anew_is_not_followed_for_another(messages: int) -> None:
    async def main() -> None:
        async with Runtime([echo], "memory://", clock=partial(next, count(10**12))) as runtime:
            await within((await runtime.send(echo, "c", "before")).reply())
            await runtime.pause("echo/c")
            await runtime.send(echo, "c", "hi", id="m")

            async def follow() -> None:
                async with aclosing(runtime.events("echo/c", message="m")) as events:
                    async for event in events:
                        pytest.fail(f"{event} is of another session")

            anew(runtime, messages, 3)
            with pytest.raises(UnknownExecution, match="another has begun"):
                await within(follow())

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


class Late(MemoryStore):
    """Answers an accept when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[asyncio.Future[Accepted], Awaitable[Accepted]]] = []
        self.asked = asyncio.Event()

    def accept(self, *given: Any, **more: Any) -> Awaitable[Accepted]:
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self.held.append((answer, super().accept(*given, **more)))
        self.asked.set()
        return answer

    async def answer(self) -> None:
        answer, accepted = self.held.pop()
        answer.set_result(await accepted)


def test_who_stops_waiting_for_the_store_loses_no_lease() -> None:
    async def main() -> None:
        store = Late()
        async with Runtime([echo], store) as runtime:
            sending = asyncio.ensure_future(runtime.send(echo, "c", "hi", id="m"))
            await within(store.asked.wait())
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await store.answer()
            assert await within(runtime.reply("echo/c", "m")) == "hi"

    asyncio.run(main())


def test_a_wait_ends_with_its_future_or_with_its_time_and_leaves_nothing_behind() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        assert not (await settled(future, 0.001)).done(), "its time is over"
        waiting = [asyncio.ensure_future(settled(future, timeout)) for timeout in (None, 60.0)]
        given_up = asyncio.ensure_future(settled(future))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        assert given_up.cancelled() and not future.done(), "who stops waiting does not stop it"
        future.set_result("so")
        assert [(await one).result() for one in waiting] == ["so", "so"]
        assert (await settled(future, 0.0)).result() == "so"

    asyncio.run(main())
