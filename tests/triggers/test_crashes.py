"""A source under a crash at every single operation of the store: all that it tells of begins, and begins once."""

from __future__ import annotations

from typing import Any

from overwinter import workflow
from overwinter.functions.event import CloudEvent
from overwinter.functions.events.intake import digest_of
from overwinter.functions.trigger import Found, Source, trigger
from overwinter.functions.triggers.watching import id_of
from overwinter.testing import World, crash_everywhere


class Shelf(Source):
    """Two things, and a third when those were confirmed."""

    def __init__(self) -> None:
        super().__init__("shelf", "1h")
        self.confirmed: set[str] = set()

    async def look(self, since: Any) -> Found:
        there = ["0", "1"] + ["2"] * ({"0", "1"} <= self.confirmed)
        left = [one for one in there if one not in self.confirmed]
        return Found([CloudEvent(type="put", source="/shelf", id=one, data=one) for one in left], None, receipts=left)

    async def confirm(self, receipts: list[str]) -> None:
        self.confirmed |= set(receipts)


shelf = Shelf()


@trigger(shelf)
@workflow
async def take(ctx: Any, item: str) -> str:
    return f"took {item}"


def id(item: str) -> str:
    return f"take-{digest_of('trigger', '/shelf', item)}"


async def all_taken(world: World) -> list[Any]:
    def look() -> bool | None:
        heads = [world.head(id(item)) for item in "012"]
        return all(head is not None and head.status == "completed" for head in heads) or None

    await world.until(look)
    for item in "012":
        starts = [entry for entry in world.journal(id(item)) if entry["type"] == "start"]
        assert len(starts) == 1
    assert world.head(id_of("take", "shelf")) is not None
    return [await world.result(id(item)) for item in "012"]


def test_everything_begins_once_wherever_a_process_dies() -> None:
    report = crash_everywhere(all_taken, functions=[take], fresh=shelf.confirmed.clear, limit="20d")
    assert report.outcome.value == ["took 0", "took 1", "took 2"]
    assert report.points > 15


def test_several_crashes() -> None:
    crash_everywhere(all_taken, functions=[take], fresh=shelf.confirmed.clear, limit="20d", kills=15)
