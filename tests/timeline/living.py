"""Executions in virtual time, and their timelines with times in seconds from the beginning: a timer may fire a
millisecond late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from overwinter import Settings
from overwinter.orchestrator.timeline.bar import Bar
from overwinter.orchestrator.timeline.timeline import Timeline
from overwinter.testing.clock import VirtualLoop, run_virtual
from overwinter.testing.world import World

Act = Callable[[World], Awaitable[Timeline]]


def lived(functions: Sequence[object], act: Act) -> Timeline:
    """What ``act`` gives, in a world that serves the functions."""

    async def go(loop: VirtualLoop) -> Timeline:
        world = World(loop, functions, Settings())
        try:
            return await asyncio.wait_for(act(world), 100_000_000)
        finally:
            world.end()

    return run_virtual(go)


async def told(world: World, id: str) -> Timeline:
    return await world.call(lambda runtime: runtime.timeline(id))


async def waits(world: World, id: str, what: str) -> None:
    """Until the head of the execution says that it waits for that."""

    def look() -> bool | None:
        head = world.head(id)
        return True if head is not None and head.awaits.startswith(what) else None

    await world.until(look)


def since(found: Timeline, at: int | None) -> int | None:
    return None if at is None else round((at - found.begin) / 1000)


def lines(found: Timeline) -> list[tuple[Any, ...]]:
    """Operation, kind, name, begin, end, status."""
    return [
        (bar.op, bar.kind, bar.name, since(found, bar.begin), since(found, bar.end), bar.status)
        for bar in found.rows
        if bar.kind != "start"
    ]


def folds(found: Timeline) -> list[tuple[int | None, int | None, str]]:
    return [(since(found, fold.begin), since(found, fold.end), fold.why) for fold in found.folds]


def one(found: Timeline, op: str, kind: str = "") -> Bar:
    (bar,) = [bar for bar in found.rows if bar.op == op and (not kind or bar.kind == kind)]
    return bar
