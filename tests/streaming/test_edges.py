"""Edges of streams: odd characters, odd sizes, odd moments."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Agent, Runtime
from overwinter.cli import heard
from overwinter.cli.heard import _events
from overwinter.cli.server import PATIENCE, Server
from overwinter.functions.http.app import create_app
from overwinter.functions.http.streaming import block
from overwinter.functions.models.port import Answer, Delta, Emit, Request, Usage
from overwinter.orchestrator.protocol.decider import Heard
from overwinter.orchestrator.reading import Reading
from overwinter.orchestrator.streaming import live
from overwinter.orchestrator.streaming.live import Live
from overwinter.orchestrator.streaming.marks import Mark, Marks
from overwinter.state.codec import clean
from overwinter.state.memory import MemoryStore
from overwinter.state.sqlite import SqliteStore

from .screen import Screen

HEARD = Heard("m", "hi", True)


class Pieces:
    """Says exactly these."""

    name = "scripted/pieces"

    def __init__(self, pieces: Sequence[str], reasoning: Sequence[str] = ()) -> None:
        self._pieces, self._reasoning = pieces, reasoning

    async def complete(self, request: Request) -> Answer:
        return await self.stream(request, lambda _: None)

    async def stream(self, request: Request, emit: Emit) -> Answer:
        for piece in self._reasoning:
            emit(Delta(reasoning=piece))
        for piece in self._pieces:
            emit(Delta(piece))
            await asyncio.sleep(0)
        return Answer("".join(self._pieces), (), Usage(1, 1), "0", self.name)


@given(st.text(st.characters(categories=("L", "N", "Zs", "Cc", "Zl", "Zp", "So", "Cs")), max_size=12), st.data())
def test_what_was_said_is_what_is_recorded(text: str, data: st.DataObject) -> None:
    """Whatever the characters, and wherever the pieces end: in the middle of one, too."""
    halves = text.encode("utf-16-le", "surrogatepass")
    units = [halves[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(halves), 2)]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(units)), max_size=4)))
    pieces = ["".join(units[a:b]) for a, b in zip([0, *cuts], [*cuts, len(units)], strict=True)]
    said = Live("t1.m1", 1, HEARD)
    for piece in pieces:
        said.say(piece, "")
    spoken = said.spoken().text
    recorded = clean("".join(pieces))
    assert recorded.startswith(spoken) and len(recorded) - len(spoken) <= 1
    spoken.encode()


@pytest.mark.parametrize(
    "text", ["first \u2028 second \u0085 third", "a\r\nb\rc\x0bd\x0ce\x1cf", "id: 1\n\ndata: x", "\ud83d"]
)
def test_odd_characters_survive_every_way(text: str) -> None:
    screen = Screen()

    async def main() -> list[dict[str, object]]:
        async with Runtime([Agent("desk", Pieces(["x", *text, "y"]))], "memory://") as runtime:
            async for event in runtime.stream("desk", "k", "hi"):
                sent = block(event.type, event.data, event.id).encode()
                (again,) = [one for one in _events(iter([sent[:9], sent[9:]])) if one is not None]
                assert (again.id, again.event, again.data) == event
                screen.take(event)
            return [fact async for fact in runtime.entries("desk/k")]

    journal = asyncio.run(main())
    assert not screen.against(journal) and not screen.resets
    assert screen.shown["t1.m1"] == clean(f"x{text}y")


def test_an_answer_that_is_too_long_has_no_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 10)
    screen = Screen()

    async def main() -> list[dict[str, object]]:
        async with Runtime([Agent("desk", Pieces(["12345678", "longer", "9", "a"]))], "memory://") as runtime:
            async for event in runtime.stream("desk", "k", "hi"):
                screen.take(event)
            return [fact async for fact in runtime.entries("desk/k")]

    journal = asyncio.run(main())
    assert not screen.against(journal) and not screen.resets


def test_what_was_thought_is_told_of_one_answer_alone(tmp_path: Path) -> None:
    """The second attempt thinks and answers before anybody looks."""

    class Twice(Pieces):
        made = 0

        async def stream(self, request: Request, emit: Emit) -> Answer:
            self.made += 1
            emit(Delta(reasoning=f"{self.made}.0 {self.made}.1 "))
            if self.made == 1:
                await asyncio.sleep(0.05)
                raise ConnectionError("gone")
            emit(Delta("Yes."))
            return Answer("Yes.", (), Usage(1, 1), "0", self.name, reasoning="2.0 2.1 ")

    screen = Screen()

    async def main() -> None:
        async with Runtime([Agent("desk", Twice([]))], f"sqlite:///{tmp_path}/s.db") as runtime:
            async for event in runtime.stream("desk", "k", "hi"):
                screen.take(event)

    asyncio.run(main())
    assert not screen.wrong and screen.resets and screen.thought["t1.m1"] == "2.0 2.1 "


@pytest.mark.parametrize("count", [1, 300])
def test_however_many_listen_elsewhere_each_is_known(tmp_path: Path, count: int) -> None:
    async def main() -> None:
        store = SqliteStore(f"sqlite:///{tmp_path}/s.db")
        await store.open()
        now = [1_800_000_000_000]
        marks = [Mark(store, f"desk/{number}", lambda: now[0]) for number in range(count)]
        for mark in marks:
            mark.begin()
        while len(await store.keys("overwinter.listening", limit=count)) < count:  # noqa: ASYNC110  # a store tells of nothing
            await asyncio.sleep(0.01)
        known = Marks(store, lambda: now[0])
        assert [await known.include(f"desk/{number}") for number in range(count)] == [True] * count
        assert not await known.include("desk/nobody")
        now[0] += 60_000
        later = Marks(store, lambda: now[0])
        assert not await later.include("desk/0"), "whoever vanished is not listened to for ever"
        for mark in marks:
            await mark.remove()
        await store.close()

    asyncio.run(main())


def test_who_follows_what_has_ended_is_told_and_let_go() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with Runtime([Agent("desk", Pieces(["x"]))], store) as runtime:
            await (await runtime.start("desk", "hi", id="run")).result()
            head = await runtime.show("run")
            for after in ("", f"{head.length}.0", f"{head.length - 1}.9"):
                reading = Reading(store)
                async with asyncio.timeout(30):
                    kinds = [event.type async for event in reading.events("run", after=after)]
                assert kinds[-1:] == (["end"] if not after else [])

    asyncio.run(main())


def test_every_kind_of_event_is_on_the_page() -> None:
    room = Path(live.__file__).parent
    code = "".join((room / file).read_text() for file in ("told.py", "following.py"))
    told = set(re.findall(r'Told\(\s*"(\w+)"', code))
    page = (room.parents[1] / "docs" / "streaming.md").read_text()
    table = "".join(line for line in page.splitlines() if line.startswith("| `"))
    assert {"reset", "answer", "end"} <= told
    assert not {kind for kind in told | {"text", "reasoning"} if f"`{kind}`" not in table}


def test_who_is_gone_before_the_answer_begins_leaves_no_listener() -> None:
    async def main() -> None:
        async with Runtime([Agent("desk", Pieces(["x"]))], "memory://") as runtime:
            await (await runtime.send("desk", "k", "hi")).reply()
            app = create_app(runtime, token=None)
            scope = {"type": "http", "method": "GET", "path": "/stream/desk/k", "raw_path": b"/stream/desk/k",
                     "query_string": b"", "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1),
                     "server": ("127.0.0.1", 80), "scheme": "http", "http_version": "1.1", "root_path": ""}  # fmt: skip

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Any) -> None:
                assert runtime.audience.listened("desk/k")
                raise OSError("the client has gone")

            with pytest.raises(OSError, match="the client has gone"):
                await app(scope, receive, send)
            assert not runtime.audience.listened("desk/k")

    asyncio.run(main())


class Clocked:
    """A server on a clock of its own that gives signs of life, stays away for a while, and comes back."""

    def __init__(self, patch: pytest.MonkeyPatch, away: tuple[float, float] = (1e9, 1e9), ends: float = 1e9) -> None:
        self.now, self.asked, self._away, self._ends = 0.0, 0, away, ends
        clock = SimpleNamespace(monotonic=lambda: self.now, sleep=self._sleep)
        patch.setattr("overwinter.cli.heard.time", clock)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def gone(self) -> Exception:
        return ConnectionError("away")

    @contextmanager
    def listen(self, *_: Any, within: float, **__: Any) -> Generator[Any]:
        self.asked += 1
        yield None if self._away[0] <= self.now < self._away[1] else _Answer(self, within)

    def beats(self, within: float) -> Iterator[bytes]:
        while self.now < self._away[0] or self.now >= self._away[1]:
            beat = min(15.0, within)
            self.now += beat
            if self.now >= self._ends:
                yield block("end", {"status": "completed"}, "1.1").encode()
                return
            if beat < 15:
                raise httpx.ReadTimeout("no word")
            yield b": still here\n\n"


class _Answer:
    status_code = 200
    headers: dict[str, str] = {}

    def __init__(self, server: Clocked, within: float) -> None:
        self._server, self._within = server, within

    def iter_bytes(self) -> Iterator[bytes]:
        return self._server.beats(self._within)


@pytest.mark.parametrize("limit", [1.0, 3.0, 16.0, 20.0, 65.0])
def test_the_command_line_waits_no_longer_than_it_is_told(limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Clocked(monkeypatch)
    assert not list(heard.hear(cast("Server", server), "POST", "/x", until=limit))
    assert limit <= server.now <= limit + 2.0


def test_a_long_silence_is_no_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Clocked(monkeypatch, away=(300.0, 304.0), ends=330.0)
    assert [one.event for one in heard.hear(cast("Server", server), "POST", "/x")] == ["end"]
    lost = Clocked(monkeypatch, away=(300.0, 1e9))
    with pytest.raises(ConnectionError, match="away"):
        list(heard.hear(cast("Server", lost), "POST", "/x"))
    assert lost.now < 300 + 2 * PATIENCE
