"""Streams on every store, between processes that share nothing else: whoever works writes what is said, whoever listens
reads it, and nothing of it is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from overwinter import Agent, Runtime, tool
from overwinter.orchestrator.reading import Reading
from overwinter.orchestrator.streaming import cell, live, marks
from overwinter.state.errors import StoreUnavailable
from overwinter.state.opening import open_store
from overwinter.state.quantities import seconds
from overwinter.state.store import Store

from .screen import Moody, Screen

PATIENCE = 60.0


@tool
async def note(text: str) -> str:
    """Note something down."""
    return text


def desk(model: Moody) -> Agent[Any]:
    return Agent("desk", model, tools=[note])


@asynccontextmanager
async def opened(dsn: str) -> AsyncGenerator[Store]:
    """A connection of its own, as another process has one."""
    store = open_store(dsn)
    store.saying = "30ms"
    await store.create()
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def working(dsn: str, model: Moody) -> AsyncGenerator[Runtime]:
    """A process at work."""
    store = open_store(dsn)
    store.saying = "30ms"
    await store.create()
    async with Runtime([desk(model)], store) as runtime:
        yield runtime


async def listen(
    reading: Reading,
    screen: Screen,
    message: str = "",
    *,
    most: int = 1 << 30,
    replies: int = 9,
    gate: asyncio.Event | None = None,
) -> None:
    """Until it is over, or so many events or replies have come. The first words open the ``gate``."""
    events = reading.events("desk/k", message=message, after=screen.last)
    try:
        async for event in events:
            screen.take(event)
            if gate is not None and event.type == "text":
                gate.set()
            enough = len(screen.kinds) >= most or screen.kinds.count("reply") >= replies
            if screen.ending is not None or enough:
                return
    finally:
        await events.aclose()


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await look():  # noqa: ASYNC110  # a store tells of nothing
            await asyncio.sleep(0.02)


async def left(store: Store) -> bool:
    """Whether anything of what was said, or of who listened, is still in the store."""
    return bool(await store.get("desk/k", cell.KEY) or await store.keys(marks.SCOPE))


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(2 * PATIENCE):
            await main()

    asyncio.run(bounded())


def test_another_process_tells_what_is_being_said(dsn: str) -> None:
    async def main() -> None:
        model = Moody(words=20, pace=0.03)
        gate = model.gate = asyncio.Event()
        async with opened(dsn) as elsewhere, working(dsn, model) as runtime:
            await runtime.send("desk", "k", "hello", id="m", stream=True)
            screen, reading = Screen(), Reading(elsewhere)
            await listen(reading, screen, "m", gate=gate)
            journal = [fact async for fact in reading.entries("desk/k")]
            assert not screen.against(journal)
            assert len(screen.whole) == 2 and len(screen.observed) == 1 and not screen.resets

            async def clean() -> bool:
                return not await left(elsewhere)

            await until(clean)

    run(main)


def test_who_listens_elsewhere_is_known_to_who_works(dsn: str) -> None:
    async def main() -> None:
        model = Moody(words=20, pace=0.03, calls=0)
        model.gate = asyncio.Event()
        async with opened(dsn) as elsewhere, working(dsn, model) as runtime:
            await (await runtime.send("desk", "k", "before anybody listened")).reply()
            assert model.streamed == 0
            screen, reading = Screen(watches=True), Reading(elsewhere)
            listening = asyncio.ensure_future(listen(reading, screen, replies=2, gate=model.gate))

            async def marked() -> bool:
                return bool(await elsewhere.keys(marks.SCOPE))

            await until(marked)
            await asyncio.sleep(1.1 * seconds(elsewhere.poll))  # so long a look at the marks may be used again
            model.gate.clear()  # what was recorded before has opened it
            await (await runtime.send("desk", "k", "hello", id="m")).reply()
            await listening
            assert model.streamed == 1 and not screen.wrong

    run(main)


def test_nobody_listens_and_nothing_is_written(dsn: str) -> None:
    async def main() -> None:
        model = Moody(words=9, pace=0.03)
        async with working(dsn, model) as runtime:
            written: list[str] = []
            put = runtime.store.put

            async def counted(scope: str, key: str, value: str, *, etag: str | None = None) -> str:
                written.append(scope)
                return await put(scope, key, value, etag=etag)

            runtime.store.put = counted  # type: ignore[method-assign]  # counted is what it is
            await (await runtime.send("desk", "k", "hello")).reply()
            assert model.made == 2 and model.streamed == 0
            assert "desk/k" not in written and marks.SCOPE not in written

    run(main)


def test_another_process_takes_over_and_the_answer_begins_anew(dsn: str) -> None:
    async def main() -> None:
        slow, quick = Moody(words=200, pace=0.03), Moody(words=6, pace=0.03)
        quick.made = 50
        async with opened(dsn) as elsewhere:
            screen, reading = Screen(), Reading(elsewhere)
            async with working(dsn, slow) as first:
                await first.send("desk", "k", "hello", id="m", stream=True)
                await listen(reading, screen, "m", most=3)
                await first.close(0)
            async with working(dsn, quick):
                await listen(reading, screen, "m")
            assert not screen.against([fact async for fact in reading.entries("desk/k")])
            assert screen.resets == [("t1.m1", 2)]

            async def clean() -> bool:
                return await elsewhere.get("desk/k", cell.KEY) is None

            await until(clean)

    run(main)


def test_who_vanishes_leaves_nothing_behind(dsn: str) -> None:
    async def main() -> None:
        async with opened(dsn) as elsewhere, working(dsn, Moody(words=20, pace=0.03)) as runtime:
            sent = await runtime.send("desk", "k", "hello", id="m", stream=True)
            reading = Reading(elsewhere)
            for _ in range(3):
                await listen(reading, Screen(), most=2)
            tasks = [asyncio.ensure_future(listen(runtime, Screen())) for _ in range(3)]
            await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await sent.reply()
            screen = Screen()
            await listen(runtime, screen, "m")
            assert not screen.against([fact async for fact in reading.entries("desk/k")])

            async def clean() -> bool:
                return not await left(elsewhere)

            await until(clean)
            assert not runtime.audience.listened("desk/k")

    run(main)


def test_a_slow_reader_misses_nothing_and_holds_up_nobody(dsn: str) -> None:
    async def main() -> None:
        async with opened(dsn) as elsewhere, working(dsn, Moody(words=30, pace=0.01)) as runtime:
            sent = await runtime.send("desk", "k", "hello", id="m", stream=True)
            screens = []
            for reading in (runtime, Reading(elsewhere)):
                screen = Screen()
                screens.append(screen)
                events = reading.events("desk/k", message="m")
                screen.take(await anext(events))
                await sent.reply()  # all of it was said meanwhile
                async for event in events:
                    screen.take(event)
            journal = [fact async for fact in runtime.entries("desk/k")]
            for screen in screens:
                assert not screen.against(journal)
                assert screen.ending is not None

    run(main)


@pytest.mark.parametrize("most", ["LARGEST", "MOST"])
def test_a_long_answer_comes_with_its_record(dsn: str, monkeypatch: pytest.MonkeyPatch, most: str) -> None:
    monkeypatch.setattr(cell if most == "LARGEST" else live, most, 40)

    async def main() -> None:
        async with opened(dsn) as elsewhere, working(dsn, Moody(words=40, pace=0.01, calls=0)) as runtime:
            await runtime.send("desk", "k", "hello", id="m", stream=True)
            screens = [Screen(), Screen()]
            await asyncio.gather(
                listen(runtime, screens[0], "m"), listen(Reading(elsewhere), screens[1], "m"), return_exceptions=False
            )
            journal = [fact async for fact in runtime.entries("desk/k")]
            assert all(not screen.against(journal) for screen in screens)

    run(main)


def test_a_store_that_refuses_pieces_harms_no_answer(dsn: str) -> None:
    async def main() -> None:
        model = Moody(words=9, pace=0.02, calls=0)
        gate = model.gate = asyncio.Event()
        async with working(dsn, model) as runtime:

            async def away(scope: str, key: str, value: str, *, etag: str | None = None) -> str:
                raise StoreUnavailable("it takes no pieces")

            runtime.store.put = away  # type: ignore[method-assign]  # the fault
            screen = Screen()
            async for event in runtime.stream("desk", "k", "hello"):
                screen.take(event)
                if event.type == "text":
                    gate.set()
            assert not screen.against([fact async for fact in runtime.entries("desk/k")])

    run(main)
