"""``GET /changes``: what this process commits is told soon, what others commit is found, never more than four times a
second, to anybody however slow, until the client or the server goes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest

from overwinter.orchestrator import changes
from overwinter.orchestrator.changes import Changes, Listener, News
from overwinter.orchestrator.engine.extensions import Active, Extensions
from overwinter.orchestrator.reading import Reading
from overwinter.state.errors import StoreUnavailable
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Change, NewExecution, NewMail, Page
from overwinter.testing.clock import EPOCH, VirtualLoop

from .wire import TOKEN, Place, at_the_door, get, post

NEW = NewExecution("f", "workflow")


class Desk:
    """Somebody looks on at a store in virtual time."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.commits = Extensions([], {})
        self.changes = Changes(Reading(self.store), self.commits)

    async def others(self, id: str, status: str = "") -> None:
        """Another process makes an execution, or takes it to a status."""
        head = (await self.store.accept(id, NewMail("", 1, EPOCH, "{}"), now=EPOCH, owner="b", create=NEW)).head
        if status and head is not None:
            await self.store.append(self.change(id, head.version, status))

    def change(self, id: str, version: int, status: str = "running") -> Change:
        return Change(id, "b", version, EPOCH + version, ["{}"], [], -1, status, None, False, 1, "", "", "")

    async def here(self, id: str) -> None:
        """This process commits."""
        head = await self.store.head(id)
        assert head is not None
        change = self.change(id, head.version)
        self.commits.heard(cast("Active", None), change, await self.store.append(change), 0.0)


def looked_on(main: Callable[[Desk], Awaitable[None]]) -> None:
    async def whole() -> None:
        await main(Desk())

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(whole())


def test_the_first_news_is_how_many_there_are() -> None:
    async def main(desk: Desk) -> None:
        await desk.others("x")
        with desk.changes.listening() as listener:
            assert await listener.news(9) == News((), {"running": 1})
            assert await listener.news(9) is None

    looked_on(main)


def test_a_commit_here_is_told_once_and_at_once() -> None:
    async def main(desk: Desk) -> None:
        loop = asyncio.get_running_loop()
        await desk.others("x")
        with desk.changes.listening() as listener:
            await listener.news(9)
            await asyncio.sleep(10.5)  # not at the moment of a look
            before = loop.time()
            await desk.here("x")
            assert await listener.news(9) == News(("x",), {"running": 1})
            assert loop.time() == before
            assert await listener.news(9) is None

    looked_on(main)


@pytest.mark.parametrize("status", ["running", "waiting", "completed", "idle"])
def test_what_others_change_is_found(status: str) -> None:
    async def main(desk: Desk) -> None:
        await desk.others("x")
        with desk.changes.listening() as listener:
            await listener.news(9)
            await desk.others("new")
            assert await listener.news(9) == News(("new",), {"running": 2})
            await desk.others("x", status)
            news = await listener.news(9)
            assert news is not None and "x" in news.ids
            await desk.store.retire("b")
            assert await listener.news(9) is None

    looked_on(main)


def test_old_ones_are_found_where_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "SEEN", 1)

    async def main(desk: Desk) -> None:
        for id in ("old", "older"):
            await desk.others(id, "idle")
        await desk.others("new", "idle")
        with desk.changes.listening(["old", "nobody"]) as listener:
            await listener.news(9)
            for id in ("old", "older"):
                head = await desk.store.head(id)
                assert head is not None
                await desk.store.append(desk.change(id, head.version, "idle"))
            news = await listener.news(9)
            assert news is not None and news.ids == ("old",)

    looked_on(main)


def test_it_is_told_four_times_a_second_at_the_most_and_nothing_is_lost() -> None:
    async def main(desk: Desk) -> None:
        loop = asyncio.get_running_loop()
        for number in range(40):
            await desk.others(f"x{number}")
        with desk.changes.listening() as listener:
            await listener.news(9)
            await asyncio.sleep(10)

            async def commit() -> None:
                for number in range(40):
                    await desk.here(f"x{number}")
                    await asyncio.sleep(0.05)

            began, committing = loop.time(), asyncio.create_task(commit())
            told: list[float] = []
            found: list[str] = []
            while (news := await listener.news(5)) is not None:
                told.append(loop.time() - began)
                found += news.ids
            await committing
            assert sorted(found) == sorted(f"x{number}" for number in range(40))
            for start in range(len(told)):
                assert len([at for at in told if told[start] <= at < told[start] + 0.99]) <= changes.RATE
            assert len(told) >= 5

    looked_on(main)


def test_who_is_slow_is_told_all_of_it_at_once_and_much_is_everything() -> None:
    listener = Listener([])
    listener.tell(News(("a", "b"), {"idle": 1}))
    listener.tell(News(("b", "c"), {"idle": 2}))

    async def main() -> None:
        assert await listener.news(1) == News(("a", "b", "c"), {"idle": 2})
        assert await listener.news(0.001) is None
        listener.tell(News(tuple(str(number) for number in range(changes.MOST + 1)), {}))
        news = await listener.news(1)
        assert news is not None and news.more and len(news.ids) == changes.MOST
        listener.tell(News(("a",), {}))
        assert await listener.news(1) == News(("a",), {})

    asyncio.run(main())


def test_nobody_listens_and_nothing_is_done() -> None:
    class Watched(MemoryStore):
        asked = 0

        async def counts(self) -> dict[str, int]:
            self.asked += 1
            return await super().counts()

    async def main(desk: Desk) -> None:
        desk.store = store = Watched()
        desk.changes = Changes(Reading(store), desk.commits)
        assert not desk.commits.listens
        await asyncio.sleep(60)
        assert store.asked == 0
        with desk.changes.listening(), desk.changes.listening():
            assert desk.commits.listens
            await asyncio.sleep(10)
            assert store.asked > 0
        asked = store.asked
        assert not desk.commits.listens
        await asyncio.sleep(60)
        assert store.asked == asked
        with desk.changes.listening() as again:
            assert await again.news(9) is not None

    looked_on(main)


def test_a_store_that_is_away_for_a_while_is_looked_at_again() -> None:
    class Away(MemoryStore):
        away = False

        async def counts(self) -> dict[str, int]:
            if self.away:
                raise StoreUnavailable("away")
            return await super().counts()

        async def executions(self, *given: Any, **more: Any) -> Page:
            if self.away:
                raise StoreUnavailable("away")
            return await super().executions(*given, **more)

    async def main(desk: Desk) -> None:
        desk.store = store = Away()
        desk.changes = Changes(Reading(store), desk.commits)
        with desk.changes.listening(["x"]) as listener:
            await listener.news(9)
            store.away = True
            await desk.others("x")
            assert await listener.news(9) is None
            store.away = False
            assert await listener.news(9) == News(("x",), {"running": 1})

    looked_on(main)


# -- over HTTP ---------------------------------------------------------------------------------------


async def events(wire: Any) -> AsyncIterator[dict[str, Any]]:
    """What is told on a connection, as it is told."""
    while (piece := await wire.reader.readline()) not in (b"", b"0\r\n"):
        line = piece.decode().strip()
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_changes_come_over_a_real_connection_and_end_with_the_server(shop: Any) -> None:
    async def main(place: Place) -> None:
        wire = await place.connect()
        await wire.send(get("/changes?id=echo/a&id=b", f"Authorization: Bearer {TOKEN}"))
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head and b"content-type: text/event-stream" in head
        told = events(wire)
        assert await anext(told) == {"ids": [], "counts": {}}
        message = post("/sessions/echo/a", b'{"content": "hi"}', f"Authorization: Bearer {TOKEN}")
        assert (await place.asks(message)).status == 200
        found: dict[str, Any] = {"ids": []}
        while found.get("counts") != {"idle": 1}:
            found = await anext(told)
            assert set(found["ids"]) <= {"echo/a"}
        cast("Any", place.server.config.app).state.closing.cut()  # as the server does when it is told to stop
        assert [one async for one in told if not set(one["ids"]) <= {"echo/a"}] == []  # and that ends

    at_the_door(shop, main, token=TOKEN)


@pytest.mark.parametrize("plain", [False, True])
def test_what_goes_on_ends_with_its_client_under_any_server(shop: Any, plain: bool) -> None:
    async def main(place: Place) -> None:
        room = cast("Any", place.server.config.app).state.room
        assert (await place.asks(post("/sessions/echo/a", b'{"content": "hi"}'))).status == 200
        for path in ("/changes", "/stream/echo/a"):
            wire = await place.connect()
            await wire.send(get(path))
            await wire.reader.readuntil(b"data: ")
            assert room.numbers()["open"] == 1
            wire.leave()
            await place.until(lambda: room.numbers()["open"] == 0)

    at_the_door(shop, main, plain=plain)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/changes", [], 401),
        ("/changes?id=", [f"Authorization: Bearer {TOKEN}"], 400),
        ("/changes?" + "&".join(["id=x"] * 51), [f"Authorization: Bearer {TOKEN}"], 400),
        ("/changes?what=x", [f"Authorization: Bearer {TOKEN}"], 400),
    ],
)
def test_who_may_not_listen_is_told_so(shop: Any, path: str, headers: list[str], status: int) -> None:
    async def main(place: Place) -> None:
        assert (await place.asks(get(path, *headers))).status == status

    at_the_door(shop, main, token=TOKEN)
