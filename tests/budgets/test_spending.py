"""What was spent is the sum of what the journals say, to the last record: failed attempts, what was lost, each once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from overwinter import Agent, Retry, Runtime, Scripted
from overwinter.functions.model import Answer, Request, Unreadable, Usage
from overwinter.orchestrator.reading import Reading
from overwinter.orchestrator.spending import By, Span, page, spending
from overwinter.state.errors import InvalidInput
from overwinter.state.memory import MemoryStore
from overwinter.state.records import EVERYTHING
from overwinter.tests.budgets.world import START, World

DAY = 24 * 3_600_000


def used(tokens: int, cost: str | None) -> dict[str, Any]:
    return {"usage": {"input": tokens}, "cost": cost}


def model(op: str, tokens: int, cost: str | None, **more: Any) -> dict[str, Any]:
    name = more.pop("name", "m-1")
    return {"type": "model", "op": op, "name": name, "value": {"model": "m-2026", **used(tokens, cost), **more}}


def failed(op: str, first: int, tokens: int, cost: str, type: str = "retrying") -> dict[str, Any]:
    return {
        "type": type,
        "op": op,
        "name": "m-1",
        "error": {"data": {"billed": {"first": first, **used(tokens, cost)}}},
    }


STORY: list[dict[str, Any]] = [
    {"type": "start", "caller": {"user": "ana", "tenant": "acme"}},
    failed("1", 1, 10, "0.1"),
    failed("1", 1, 30, "0.3"),  # the sum of this process: the ten are in it
    failed("1", 3, 5, "0.05"),  # another process goes on
    model("1", 100, "1", billed={"first": 3, **used(7, "0.07")}),
    {"type": "tool", "op": "t", "error": {"data": {"billed": used(999, "9")}}},  # no attempt of a model call
    {"type": "handoff", "op": "h", "name": "tech"},
    model("2", 40, None, name="m-2"),
    failed("3", 1, 3, "0.03", "model"),
    {"type": "lost", "op": "4", "tokens": 11, "cost": "0.11"},
    {"type": "summary", "op": "5", "name": "m-3", "value": used(2, "0.02")},
]
SUMS: dict[By, dict[str, tuple[int, str, int, int]]] = {
    "agent": {"agent": (137, "1.37", 1, 0), "tech": (56, "0.16", 2, 1)},
    "user": {"ana": (193, "1.53", 3, 1)},
    "tenant": {"acme": (193, "1.53", 3, 1)},
    "model": {"m-1": (140, "1.40", 1, 0), "m-2": (40, "0", 1, 1), "": (11, "0.11", 0, 0), "m-3": (2, "0.02", 1, 0)},
    "day": {"2026-12-02": (137, "1.37", 1, 0), "2026-12-03": (56, "0.16", 2, 1)},
}


async def told(world: World) -> None:
    process = await world.process()
    await world.begin(process, "a")
    for number, entry in enumerate(STORY):
        at = START + (DAY if number > 5 else 0)
        world.now = at
        await world.write(process, "a", [json.dumps({"at": at, **entry})])


def sums(found: Any) -> dict[str, Any]:
    return {
        one.of: (one.usage.tokens, format(one.usage.cost, "f"), one.usage.iterations, one.usage.unpriced)
        for one in found
    }


@pytest.mark.parametrize("by", list(SUMS))
def test_every_record_counts_once(by: By) -> None:
    async def whole() -> None:
        world = World(MemoryStore(), ())
        await told(world)
        assert sums(await spending(Reading(world.store), by)) == SUMS[by]

    asyncio.run(whole())


@pytest.mark.parametrize("most", [1, 3, 12, 13, 1000])
def test_pages_add_up_however_little_one_looks_at_and_whatever_begins_or_goes(most: int) -> None:
    async def whole() -> None:
        world = World(MemoryStore(), ())
        process = await world.process()
        for id in ("a", "b", "c"):
            await world.begin(process, id)
            await world.write(process, id, [json.dumps({"at": START, **entry}) for entry in STORY])
            world.now += 1
        reading, cursor, pages = Reading(world.store), None, 0
        total: Counter[str] = Counter()
        while True:
            found = await page(reading, "agent", Span(), cursor, most)
            assert found.scanned <= most + len(STORY) + 1
            total.update({one.of: one.usage.tokens for one in found.spent})
            cursor, pages = found.cursor, pages + 1
            if cursor is None:
                break
            await world.begin(process, f"later-{pages}")
            await world.write(process, f"later-{pages}", [json.dumps({"at": START, **entry}) for entry in STORY])
            world.now += 1
        assert total == {"agent": 3 * 137, "tech": 3 * 56}
        assert pages == {1: 4, 3: 4, 12: 4, 13: 2, 1000: 1}[most]
        with pytest.raises(InvalidInput, match="no cursor"):
            await page(reading, "agent", Span(), "x", most)

    asyncio.run(whole())


def test_a_span_begins_and_ends_with_records() -> None:
    async def whole() -> None:
        world = World(MemoryStore(), ())
        await told(world)
        reading = Reading(world.store)
        assert sums(await spending(reading, "agent", Span(START, START + DAY))) == {"agent": (137, "1.37", 1, 0)}
        assert sums(await spending(reading, "agent", Span(START + 1))) == {"tech": (56, "0.16", 2, 1)}
        assert await spending(reading, "agent", Span(START + DAY + 1)) == []
        assert await spending(reading, "agent", Span(None, START)) == []
        with pytest.raises(InvalidInput):
            await spending(reading, "colour")  # type: ignore[arg-type]  # as users may ask

    asyncio.run(whole())


def test_it_agrees_with_what_agents_count_and_reports_its_way() -> None:
    class Flaky(Scripted):
        """Its first answer of each run can't be read, and was paid for."""

        asked = 0

        async def complete(self, request: Request) -> Answer:
            self.asked += 1
            if self.asked % 2:
                error = Unreadable("garbled")
                error.billed = {"usage": {"input": 9, "output": 4}, "cost": "0.01"}
                raise error
            return Answer("yes " * 30_000, (), Usage(100, 20), "0.25", "m-1")

    async def whole() -> None:
        desk = Agent("desk", Flaky([]), retry=Retry(attempts=3, first="1ms"))
        store = MemoryStore()
        async with Runtime([desk], store) as runtime:
            for number in range(3):
                await (await runtime.start(desk, f"question {number}")).result()
            reports: list[tuple[str, int, int]] = []
            (one,) = await spending(runtime, "agent", Span(), lambda *said: reports.append(said))
            heads = [head async for head in runtime.all(EVERYTHING)]
        assert (one.of, one.usage.tokens, str(one.usage.cost), one.usage.iterations) == ("desk", 3 * 133, "0.78", 3)
        assert reports[-1][1:] == (3, 3) and len(heads) == 3

    asyncio.run(whole())
