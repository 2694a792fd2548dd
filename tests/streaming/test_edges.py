"""Edges of streams: odd characters, odd sizes, odd moments."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Agent, Runtime
from overwinter.cli.heard import _events
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
