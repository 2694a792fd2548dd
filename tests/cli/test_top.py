"""``top``: one look is bounded however much there is, in time all is seen, and what wants somebody stands first."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from rich.console import Console

from overwinter import Agent, Context, Runtime, workflow
from overwinter.cli import overview
from overwinter.cli.commands.top import ORDERS, Screen
from overwinter.cli.looking import FromServer, FromStore
from overwinter.cli.overview import Overview, Picture
from overwinter.cli.server import Server
from overwinter.cli.view.board import board, sorted_heads
from overwinter.orchestrator.reading import Reading
from overwinter.state.errors import StoreUnavailable
from overwinter.state.memory import MemoryStore
from overwinter.state.opening import open_store
from overwinter.state.records import Filter, NewExecution, Page
from overwinter.state.store import Store
from overwinter.tests.console.serving import serving
from overwinter.tests.servers.ports import free_port, return_port

from .conftest import Shelf

Command = Callable[..., Any]
Entry = dict[str, Any]


def started(at: int, *more: Entry) -> list[Entry]:
    return [{"type": "start", "at": at}, *more]


def looking(shelf: Shelf, work: Callable[[Store], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        store = open_store(shelf.dsn)
        await store.open()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(main())


@pytest.fixture
def busy(shelf: Shelf) -> Shelf:
    now = time.time_ns() // 1_000_000
    answer = {"usage": {"input": 100, "output": 20}, "cost": "0.25"}
    model = {"type": "model", "op": "t1.m1", "name": "gpt", "at": now - 9_000, "ms": 900, "value": answer}
    slow = {"type": "step", "op": "0", "name": "crunch", "at": now - 9_000, "ms": 60_000, "value": 1}
    asked = {"type": "ordered", "op": "0", "kind": "approval", "name": "refund", "at": now - 7_200_000}
    shelf.put("agent/a", started(now - 20_000, model), function="agent", kind="agent", status="idle")
    shelf.put("w-1", started(now - 80_000, slow), status="waiting", awaits="event go")
    shelf.put("w-2", started(now - 7_200_000, asked), status="waiting", awaits="approval refund")
    shelf.put("w-3", started(now - 5_000), status="stuck", awaits="the code has changed")
    shelf.put("w-4", started(now - 5_000, {"type": "completed", "at": now - 4_000}), status="completed")
    return shelf


def test_one_look_tells_what_wants_somebody_what_is_slow_and_what_it_costs(busy: Shelf, overwinter: Command) -> None:
    found = json.loads(overwinter("top", "--json").stdout)
    assert found["counts"] == {"completed": 1, "idle": 1, "stuck": 1, "waiting": 2}
    assert [head["id"] for head in found["approvals"]] == ["w-2"] and [head["id"] for head in found["stuck"]] == ["w-3"]
    assert (found["operations"][0]["name"], found["operations"][0]["ms"]) == ("crunch", 60_000)
    assert found["per_minute"] == {"tokens": 120, "cost": 0.25}
    assert found["functions"] == {"agent": {"idle": 1}, "ticket": {"waiting": 2, "stuck": 1}}
    assert "w-4" not in [head["id"] for head in found["executions"]] and found["seen"] == 5


def test_it_is_readable_without_colour(busy: Shelf, overwinter: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for width in (60, 100):
        monkeypatch.setenv("COLUMNS", str(width))
        text = overwinter("top", "--once").stdout
        assert all(len(line) <= width for line in text.splitlines())
        assert "approvals 1 (oldest 2h00m)" in text and "approval refund" in text and "crunch" in text


def test_a_screen_is_never_higher_than_the_terminal(busy: Shelf) -> None:
    async def work(store: Store) -> Picture:
        return await Overview(FromStore(Reading(store))).look()

    picture = looking(busy, work)
    for height in (8, 12, 40):
        assert len(board(picture, 80, height, "changed")) <= height
    assert sorted_heads(picture, "cost")[0].id == "agent/a"
    assert sorted_heads(picture, "age")[0].id == "w-2"
    assert sorted_heads(picture, "function")[0].function == "agent"


class Counting(Reading):
    """Counts what it reads."""

    heads = counted = 0

    async def page(self, where: Filter, cursor: str | None = None, limit: int = 50) -> Page:
        page = await super().page(where, cursor, limit)
        self.heads += len(page.heads)
        return page

    async def counts(self) -> Any:
        self.counted += 1
        return await super().counts()


def test_a_look_reads_a_bounded_number_and_in_time_all_is_seen(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns() // 1_000_000
    shelf.put("old", started(now - 900_000), status="waiting", awaits="approval refund")
    for number in range(30):
        shelf.put(f"w-{number}", started(now - 600_000 + number), status="waiting", awaits="event x")
    monkeypatch.setattr(overview, "NEWEST", 5)
    monkeypatch.setattr(overview, "KNOWN", 8)

    async def work(store: Store) -> None:
        reading = Counting(store)
        watching = Overview(FromStore(reading))
        pictures = list[Picture]()
        for _ in range(7):
            before = reading.heads
            pictures.append(await watching.look())
            assert reading.heads - before <= 10
        assert not pictures[0].approvals and [head.id for head in pictures[-1].approvals] == ["old"]
        assert pictures[0].seen == 10 and pictures[-1].seen == 31
        assert all(len(picture.heads) <= 9 for picture in pictures)

    looking(shelf, work)


def test_what_has_ended_is_gone_at_the_next_look(shelf: Shelf) -> None:
    now = time.time_ns() // 1_000_000
    shelf.put("w-1", started(now - 9_000), status="waiting", awaits="approval refund")

    async def work(store: Store) -> None:
        watching = Overview(FromStore(Reading(store)))
        assert [head.id for head in (await watching.look()).approvals] == ["w-1"]
        await asyncio.to_thread(shelf.put, "w-1", [{"type": "completed", "at": now}], status="completed")
        assert not (await watching.look()).heads

    looking(shelf, work)


def test_keys_choose_the_order_and_quit() -> None:
    async def main() -> None:
        screen = Screen(Overview(FromStore(Reading(MemoryStore()))), "changed")
        for key, order in ORDERS.items():
            screen.press(key)
            assert screen.by == order and await screen.pressed(0)
        screen.press("s")
        assert screen.by == "changed"
        await screen.pressed(0)
        screen.press("x")
        assert not screen.over and not await screen.pressed(0)
        screen.press("q")
        assert screen.over

    asyncio.run(main())


@workflow
async def asks(ctx: Context, what: str) -> str:
    """Asks."""
    await ctx.step(len, what)
    await ctx.approve(what)
    return what


def test_a_server_shows_the_same_as_its_store_and_is_said_to_be_away() -> None:
    async def main() -> None:
        async with Runtime([asks, Agent("echo", "scripted:echo")], "memory://") as runtime:
            for number in range(3):
                await runtime.start(asks, "abc", id=f"a-{number}")
                while "approval" not in (await runtime.show(f"a-{number}")).awaits:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.005)
            await (await runtime.send("echo", "ann", "hello")).reply()
            async with serving(runtime) as url:
                server = Server(url, "")
                overview = Overview(FromServer(server))
                screen = Screen(overview, "age")
                await screen.look()
                found, wanted = await overview.look(), await Overview(FromStore(runtime)).look()
                assert found.counts == wanted.counts == {"waiting": 3, "idle": 1}
                assert [head.id for head in found.approvals] == [head.id for head in wanted.approvals]
                assert sorted(head.id for head in found.heads) == sorted(head.id for head in wanted.heads)
                assert [one[:4] for one in found.operations] == [one[:4] for one in wanted.operations]
                assert (found.spent, found.due, found.seen) == (wanted.spent, wanted.due, wanted.seen)
                shown = [line.plain for line in board(found, 100, None, "age")]
                assert any(line.startswith("a-0") for line in shown)
                await runtime.approve("a-0", by="ana")
                assert await runtime.result("a-0") == "abc"
                assert "a-0" not in [head.id for head in (await overview.look()).approvals]
                with Server(url, "wrong") as stranger:
                    assert (await FromServer(stranger).standing()).due is None  # without a token nobody is asked
            await screen.look()  # it has gone
            assert screen.away.startswith("away since ") and "asked again: the server at http" in screen.away
            wide = Console(width=200, height=20, file=io.StringIO())
            wide.print(screen.drawn(wide))
            told = wide.file.getvalue().splitlines()  # type: ignore[attr-defined]
            assert told[0].startswith("away since ") and any("a-1" in line for line in told) and len(told) == 20
            with server:
                pass  # it is closed

    asyncio.run(main())


class Breaking(FromStore):
    """A store that can be away."""

    away = False

    async def page(self, where: Filter, cursor: str | None, limit: int) -> Page:
        if self.away:
            raise StoreUnavailable("no store answers at redis://nowhere")
        return await super().page(where, cursor, limit)


def test_a_store_that_is_away_is_said_to_be_and_goes_on_when_it_is_back() -> None:
    async def main() -> None:
        store = MemoryStore()
        source = Breaking(Reading(store))
        screen = Screen(Overview(source), "age")
        source.away = True
        with pytest.raises(StoreUnavailable):  # at first that ends the command
            await screen.look()
        source.away = False
        await screen.look()
        assert screen.away == ""
        source.away = True
        await screen.look()
        first = screen.away
        assert first.endswith("asked again: no store answers at redis://nowhere")
        await screen.look()
        assert screen.away == first  # since when it is away
        source.away = False
        await store.accept("x", None, now=1, create=NewExecution("f", "workflow"))
        await screen.look()
        out = Console(width=80, height=20, file=io.StringIO())
        out.print(screen.drawn(out))
        told = out.file.getvalue()  # type: ignore[attr-defined]
        assert screen.away == "" and "away since" not in told and "pending" in told

    asyncio.run(main())


def test_a_server_that_is_not_there_ends_the_command(overwinter: Command) -> None:
    port = free_port()
    try:
        gone = overwinter("top", "--once", "--url", f"http://127.0.0.1:{port}")
    finally:
        return_port(port)
    assert gone.exit_code == 4 and "no server answers" in gone.stderr
