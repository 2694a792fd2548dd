"""Named branches: told with what lies in them, and no part of what a replay compares."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter import Completion, Context, Runtime, workflow
from overwinter.cli.view.lines import columns, line
from overwinter.cli.view.timeline import Timeline
from overwinter.orchestrator.engine.extensions import Extension, Notice
from overwinter.orchestrator.workflow.completion import Results
from overwinter.state.errors import ExecutionFailed, InvalidInput

from .world import World


def book(what: str = "it") -> str:
    if what == "full":
        raise ValueError("no room")
    return what


async def air(ctx: Context) -> str:
    async def seat(ctx: Context) -> str:
        return await ctx.step(book, "seat")

    await ctx.sleep("1m")
    (found,) = await ctx.parallel(seat, names=["seat"])
    return found


async def hotel(ctx: Context) -> str:
    await ctx.approve("the hotel")
    return await ctx.step(book, "room")


async def trip(ctx: Context) -> tuple[str, str, str]:
    return await ctx.parallel(air, hotel, book, names=("air", "hotel", "car"))


async def nameless(ctx: Context) -> tuple[str, str, str]:
    return await ctx.parallel(air, hotel, book)


def to_its_end(world: World) -> World:
    while "ordered" not in {entry["type"] for entry in world.journal}:
        world.perform()
    world.mail({"type": "decided", "op": "0.1.0", "approved": True})
    return world.run()


def test_every_entry_of_a_branch_names_it() -> None:
    world = to_its_end(World(trip))
    assert world.value == ["seat", "room", "it"]
    told = {
        entry["op"]: (entry["type"], entry.get("branch"))
        for entry in world.journal
        if entry["type"] != "decided" and "op" in entry
    }
    assert told == {
        "0.0.0": ("timer", "air"),
        "0.0.1.0.0": ("step", "air/seat"),
        "0.1.0": ("ordered", "hotel"),
        "0.1.1": ("step", "hotel"),
        "0.2": ("step", "car"),
    }
    assert {entry.get("branch") for entry in to_its_end(World(nameless)).journal} == {None, "seat"}


@pytest.mark.parametrize(("before", "after"), [(trip, nameless), (nameless, trip)])
def test_names_may_come_and_go_under_a_running_execution(before: Any, after: Any) -> None:
    journal = to_its_end(World(before)).journal
    for length in range(1, len(journal)):
        assert World(after, journal=journal[:length]).status != "stuck", journal[length - 1]


def test_a_replay_from_every_prefix_names_the_same() -> None:
    world = to_its_end(World(trip))
    named = {entry["op"]: entry.get("branch") for entry in world.journal if entry["type"] == "step"}
    for length in range(1, len(world.journal)):
        again = World(trip, journal=world.journal[:length])
        for effect in again.open.values():
            assert getattr(effect, "extra", {}).get("branch") == named.get(effect.op)


def test_outcomes_and_errors_say_which() -> None:
    async def some(ctx: Context) -> list[Any]:
        results: Results[str] = await ctx.parallel(
            lambda: book("full"), lambda: book("room"), names=("air", "hotel"), completion=Completion.tolerate(count=1)
        )
        return [[one.name, one.status] for one in results] + [getattr(results[0].error, "__notes__", [])]

    value = World(some).run().value
    assert value == [["air", "failed"], ["hotel", "succeeded"], ["in the branch 'air' (operation 0.0)"]]


async def first(ctx: Context) -> None:
    await ctx.parallel(lambda: book("full"), names=["air"])


def test_the_recorded_error_has_the_note() -> None:
    failed = World(first).run().journal[-1]
    assert failed["type"] == "failed" and "in the branch 'air' (operation 0.0)" in failed["error"]["notes"]


def test_a_branch_by_itself_has_a_name_too() -> None:
    async def flow(ctx: Context) -> str:
        return await ctx.branch(hotel, name="beside")

    world = World(flow)
    assert world.journal[-1]["branch"] == "beside"


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", ""], "ab", 3, ["a", 3]])
def test_names_that_are_none_are_refused(names: Any) -> None:
    async def flow(ctx: Context) -> str:
        with pytest.raises(InvalidInput, match="names"):
            ctx.parallel(book, book, names=names)
        return "refused"

    assert World(flow).run().value == "refused"


def test_show_and_extensions_name_the_branch() -> None:
    notices: list[Notice] = []

    class Watching(Extension):
        def started(self, notice: Notice) -> None:
            notices.append(notice)

        def ended(self, notice: Notice) -> None:
            notices.append(notice)

    named = workflow(first)

    async def main() -> list[dict[str, Any]]:
        async with Runtime([named], "memory://", extensions=[Watching()]) as runtime:
            with pytest.raises(ExecutionFailed):
                await (await runtime.start(named, id="t")).result("20s")
            return [entry async for entry in runtime.entries("t")]

    timeline = Timeline()
    for number, entry in enumerate(asyncio.run(main()), 1):
        timeline.add(number, entry)
    (step,) = [row for row in timeline.rows() if row.kind == "step"]
    assert "air · " in line(step, columns([step], 120), 0, now=0).plain
    assert {notice.branch for notice in notices if notice.subject in ("operation", "attempt")} == {"air"}
    assert len([notice for notice in notices if notice.subject in ("operation", "attempt")]) == 4
