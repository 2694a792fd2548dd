"""Streams under a crash at every single operation: a client that comes back with its last id never shows two halves of
different answers, misses nothing and sees nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, Limits, Runtime, tool
from overwinter.testing import World, crash_everywhere

from .screen import Moody, Screen

MODEL = Moody(words=5)
RESETS: list[str] = []
"""Answers that began anew in front of a client, over all runs."""
THINKER = Moody(words=4, reasons=True)


@tool
async def note(text: str) -> str:
    """Note something down."""
    return text


desk = Agent("desk", MODEL, tools=[note], limits=Limits(iterations=9))
thinker = Agent("thinker", THINKER, tools=[note])


def fresh() -> None:
    """Before every run."""
    MODEL.made = THINKER.made = 0


def followed(screen: Screen, execution: str, message: str = "") -> Callable[[Runtime], Any]:
    async def follow(runtime: Runtime) -> None:
        async for event in runtime.events(execution, message=message, after=screen.last):
            screen.take(event)

    return follow


async def asked(world: World, agent: Agent[Any], message: str) -> Screen:
    """A message whose answer is listened to, from whichever process lives."""
    screen = Screen()
    await world.call(lambda runtime: runtime.send(agent, "k", message, id=message, stream=True))
    execution = f"{agent.name}/k"
    while screen.ending is None:
        await world.call(followed(screen, execution, message))
    return screen


async def two_messages(world: World) -> list[Any]:
    screens = [await asked(world, desk, "first"), await asked(world, desk, "second")]
    journal = world.journal("desk/k")
    for screen in screens:
        assert not screen.against(journal)
        assert len(screen.whole) == 2 and len(screen.calls) == 1 and len(screen.observed) == 1
    RESETS.extend(op for screen in screens for op, _ in screen.resets)
    return [screen.kinds.count("reply") for screen in screens]


async def one_run(world: World) -> Any:
    screen = Screen()
    await world.call(lambda runtime: runtime.start(thinker, "go", id="run", stream=True))
    while screen.ending is None:
        await world.call(followed(screen, "run"))
    assert not screen.against(world.journal("run"))
    assert screen.messages == [""]
    return screen.ending["status"]


async def watched(world: World) -> Any:
    """Nobody has asked for pieces, somebody listens."""
    await world.call(lambda runtime: runtime.send(desk, "k", "first", id="first"))
    screen = Screen()

    async def follow(runtime: Runtime) -> None:
        async for event in runtime.events("desk/k", after=screen.last):
            screen.take(event)
            if event.type == "reply":
                return

    await world.call(follow)
    assert screen.messages == ["first"]
    wrong = screen.against(world.journal("desk/k"))
    assert not wrong, wrong
    return True


def test_a_conversation_is_shown_as_it_is_recorded() -> None:
    report = crash_everywhere(two_messages, functions=[desk], fresh=fresh)
    assert report.points > 15
    assert {"t1.m1", "t1.m2", "t2.m1", "t2.m2"} == set(RESETS)


def test_a_run_is_shown_as_it_is_recorded() -> None:
    report = crash_everywhere(one_run, functions=[thinker], fresh=fresh)
    assert report.outcome.value == "completed"


def test_who_merely_watches_is_shown_what_is_recorded() -> None:
    crash_everywhere(watched, functions=[desk], fresh=fresh)


@pytest.mark.parametrize("seed", range(3))
def test_several_crashes(seed: int) -> None:
    crash_everywhere(two_messages, functions=[desk], fresh=fresh, kills=6, seed=seed)


def test_on_a_real_store(tmp_path: Path) -> None:
    made: list[int] = []

    def store() -> str:
        made.append(1)
        return f"sqlite:///{tmp_path}/{len(made)}.db"

    crash_everywhere(two_messages, functions=[desk], fresh=fresh, kills=4, store=store)
