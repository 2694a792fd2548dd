"""Code lines of a timeline: which line of a workflow asked for what, learnt by replaying, which does nothing else."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from overwinter import Context, Runtime, tool, workflow
from overwinter.orchestrator.code_lines import CodeLines
from overwinter.orchestrator.reading import Reading
from overwinter.orchestrator.timeline.timeline import Timeline
from overwinter.orchestrator.workflow import lines as looking
from overwinter.orchestrator.workflow.function import Workflow
from overwinter.state.memory import MemoryStore

HERE = Path(__file__)
RAN: list[str] = []


async def work(what: str) -> str:
    RAN.append(what)
    return what


@tool(effect="irreversible", approval="desk")
async def pay(amount: int) -> int:
    """Pays."""
    return amount


async def inner(ctx: Context) -> str:
    return await ctx.step(work, "b")  # in a branch


@workflow
async def nap(ctx: Context) -> str:
    """Rests."""
    return "rested"


@workflow
async def trip(ctx: Context, what: str) -> str:
    """Does one of each."""
    await ctx.step(work, what)  # first
    await asyncio.sleep(0.001)  # a timer
    await ctx.sleep("1ms", name="pause")  # a pause
    await ctx.map(work, ["1", "2", "3"], concurrency=1)  # a map
    await ctx.parallel(inner, work_of("c"))
    await ctx.step(pay, 3)  # to pay
    await ctx.child(nap)  # a child
    paid = await ctx.wait_for("paid", type=str)  # an event
    await ctx.wait_for("more")  # open
    return paid


def work_of(what: str) -> Any:
    async def branch(ctx: Context) -> str:
        return await ctx.step(work, what)  # in another

    return branch


def line(mark: str) -> str:
    """The place in this file of the line that ends with this remark."""
    (found,) = [at for at, text in enumerate(HERE.read_text().splitlines(), 1) if text.endswith(f"  # {mark}")]
    return f"{HERE.name}:{found}"


async def until(runtime: Runtime, id: str, awaits: str) -> None:
    while awaits not in (head := await runtime.show(id)).awaits:
        assert head.status not in ("failed", "stuck"), head
        await asyncio.sleep(0.005)


async def travelled(runtime: Runtime) -> None:
    await runtime.start(trip, "a", id="x")
    await until(runtime, "x", "approval")
    await runtime.approve("x", by="ana")
    await until(runtime, "x", "event paid")
    await runtime.signal("x", "paid", "all")
    await until(runtime, "x", "event more")


def of(found: Timeline) -> dict[str, str]:
    return {f"{bar.op} {bar.kind} {bar.name}".strip(): bar.code.rpartition("/")[2] for bar in found.rows}


def test_each_operation_has_the_line_that_asked_for_it() -> None:
    async def main() -> None:
        async with Runtime([trip, nap, pay], "memory://") as runtime:
            await travelled(runtime)
            before, entries = list(RAN), (await runtime.show("x")).length
            plain = await runtime.timeline("x")
            assert plain.lines is None and not any(bar.code for bar in plain.rows)
            found = await CodeLines(runtime.functions).told(runtime, plain)
            assert found.lines == ""
            told = of(found)
            assert told["start"] == ""
            assert told["0 step work"] == line("first")
            assert told["t0 sleep"] == line("a timer")
            assert told["1 sleep pause"] == line("a pause")
            assert [told[f"2.{index} step work"] for index in range(3)] == [line("a map")] * 3
            assert told["2 group"] == line("a map")
            assert told["3.0.0 step work"] == line("in a branch") and told["3.1.0 step work"] == line("in another")
            assert told["4.0 approval pay"] == told["4.1 step pay"] == line("to pay")
            assert told["5 child nap"] == line("a child")
            assert told["event paid"] == line("an event") and told["event more"] == line("open")
            assert before == RAN and (await runtime.show("x")).length == entries

    asyncio.run(main())


@workflow
async def rounds(ctx: Context, left: int) -> str:
    """Begins anew."""
    if left:
        await asyncio.sleep(0.001)  # each round
        await ctx.step(work, str(left))  # in a round
        await ctx.checkpoint(left - 1)
    await asyncio.sleep(0.001)  # the last round
    await ctx.wait_for("end")
    return "done"


def test_what_began_anew_has_the_lines_of_each_life() -> None:
    async def main() -> None:
        async with Runtime([rounds], "memory://") as runtime:
            await runtime.start(rounds, 2, id="x")
            await until(runtime, "x", "event end")
            found = await CodeLines(runtime.functions).told(runtime, await runtime.timeline("x"))
            assert found.lines == ""
            slept = [bar.code.rpartition("/")[2] for bar in found.rows if bar.op == "t0"]
            assert slept == [line("each round"), line("each round"), line("the last round")]
            assert [bar.code.rpartition("/")[2] for bar in found.rows if bar.kind == "step"] == [line("in a round")] * 2

    asyncio.run(main())


@workflow(name="changing")
async def before(ctx: Context) -> str:
    """As it was."""
    await ctx.step(work, "a")  # as it was
    await ctx.step(work, "b")
    await ctx.wait_for("end")
    return ""


@workflow(name="changing")
async def after(ctx: Context) -> str:
    """As it is."""
    await ctx.step(work, "a")  # as before
    await ctx.sleep("1ms")
    await ctx.wait_for("end")
    return ""


def test_where_code_and_history_part_it_says_so_and_tells_what_is_before(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/s.db"

    async def main() -> None:
        async with Runtime([before], store) as runtime:
            await runtime.start(before, id="x")
            await until(runtime, "x", "event end")
        async with Runtime([after], store) as runtime:
            found = await CodeLines(runtime.functions).told(runtime, await runtime.timeline("x"))
            assert found.lines is not None and "but the journal recorded step 'work'" in found.lines
            told = of(found)
            assert told["0 step work"] == line("as before") and told["event end"] == ""
            assert (await runtime.show("x")).status == "waiting"  # nobody but the looker is stuck
        async with Runtime([nap], store) as runtime:
            found = await CodeLines(runtime.functions).told(runtime, await runtime.timeline("x"))
            assert found.lines == "changing is not served here" and not any(bar.code for bar in found.rows)

    asyncio.run(main())


def test_code_that_does_not_come_back_holds_up_nobody(tmp_path: Path) -> None:
    store, hanging, free = f"sqlite:///{tmp_path}/s.db", threading.Event(), threading.Event()

    @workflow(name="changing")
    async def hangs(ctx: Context) -> str:
        await ctx.step(work, "a")
        hanging.set()
        free.wait()
        return ""

    async def main() -> None:
        async with Runtime([before], store) as runtime:
            await runtime.start(before, id="x")
            await until(runtime, "x", "event end")
            told = await runtime.timeline("x")
            finder = CodeLines({"changing": hangs.__overwinter__}, 0.02)  # type: ignore[attr-defined]
            found = await finder.told(runtime, told)
            assert hanging.is_set() and found.lines == "the code of changing did not come back in time"
            free.set()

    asyncio.run(main())


@pytest.mark.parametrize("torn", [0, 1, 2])
@pytest.mark.parametrize("odd", ["", "[]", '{"type":"step","op":"0","name":"work","at":1e999,"value":1}'])
def test_of_a_damaged_journal_the_lines_before_are_known(torn: int, odd: str) -> None:
    async def main() -> None:
        async with Runtime([before], "memory://") as runtime:
            await runtime.start(before, id="x")
            await until(runtime, "x", "event end")
            dump, served = await runtime.store.dump("x"), dict(runtime.functions)
        assert dump is not None
        store = MemoryStore()
        await store.open()
        entries = [*dump.entries[:torn], odd, *dump.entries[torn + 1 :]]
        assert await store.restore(dump._replace(entries=tuple(entries)))
        reading = Reading(store)
        found = await CodeLines(served).told(reading, await reading.timeline("x"))
        assert found.lines and "long" not in found.lines and len(found.rows) >= len(entries)
        if torn == 2:
            assert of(found)["0 step work"] == line("as it was")

    asyncio.run(main())


@workflow
async def steps(ctx: Context, count: int) -> int:
    """Many small steps."""
    for number in range(count):
        await ctx.step(work, str(number))  # one of many
    return count


def test_a_long_history_is_looked_at_as_far_as_there_is_time(monkeypatch: Any) -> None:
    async def main() -> None:
        async with Runtime([steps], "memory://") as runtime:
            await runtime.start(steps, 30, id="x")
            assert await runtime.result("x") == 30
            told = await runtime.timeline("x")
            entries = await runtime.history("x")
            code: Workflow = runtime.functions["steps"]
            clock = iter(range(1000))
            monkeypatch.setattr(looking, "monotonic", lambda: next(clock))
            some = looking.lines(code, "x", 1, list(entries), 10)
            assert some.why == "there was no time to look beyond entry 10"
            monkeypatch.undo()
            assert [bool(some.of(str(op), op + 2)) for op in range(30)] == [True] * 10 + [False] * 20
            monkeypatch.setattr("overwinter.orchestrator.code_lines.MOST", 20)
            found = await CodeLines(runtime.functions).told(runtime, told)
            assert found.lines == "the history is long, and those after 20 were not looked at"
            assert [bool(bar.code) for bar in found.rows if bar.kind == "step"][:20] == [True] * 20

    asyncio.run(main())
