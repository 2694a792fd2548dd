"""Schedules in a runtime: declared, made, listed, changed, paused, run by hand and removed."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from overwinter import Context, InvalidInput, Runtime, schedule, tool, workflow
from overwinter.orchestrator.control import Control
from overwinter.orchestrator.engine.delivery import start_mail
from overwinter.orchestrator.protocol.catalogue import kind_of
from overwinter.orchestrator.protocol.media import Taken
from overwinter.orchestrator.schedule.naming import FUNCTION, KIND, moment
from overwinter.orchestrator.schedules import Schedule
from overwinter.orchestrator.upkeep.moving import move
from overwinter.orchestrator.upkeep.retention import prune
from overwinter.state.errors import AlreadyExists, Unfit, UnknownExecution, UnknownFunction
from overwinter.state.ids import SCHEDULES
from overwinter.state.memory import MemoryStore
from overwinter.state.records import FINAL, Filter, NewExecution
from overwinter.state.store import Store

DAILY = "0 7 * * *"


def on_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    return functools.wraps(test)(lambda: asyncio.run(test()))


@workflow
async def report(ctx: Context, about: str = "all") -> str:
    return f"{ctx.execution} about {about}"


@workflow
async def slow(ctx: Context) -> str:
    await ctx.wait_for("go")
    return "gone"


async def until(look: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    async with asyncio.timeout(20):
        while not (found := await look()):  # noqa: ASYNC110  # nobody would set an event
            await asyncio.sleep(0.005)
        return found


async def rests(runtime: Runtime, name: str) -> bool:
    head = await runtime.show(f"schedule/{name}")
    return head.status == "waiting" and head.owner is None


async def none_left(runtime: Runtime) -> bool:
    return not await runtime.schedules.list()


async def known(store: Store) -> list[str]:
    return [key.rpartition("/")[0] for key in await store.keys(SCHEDULES)]


@on_a_loop
async def test_a_time_comes_and_its_run_is_given_its_input() -> None:
    @schedule(every="1s", name="tick", input="news")
    @workflow
    async def tell(ctx: Context, about: str) -> str:
        return f"{ctx.execution} about {about}"

    async with Runtime([tell], MemoryStore()) as runtime:
        (found,) = await runtime.schedules.list()
        assert (found.name, found.function, found.status, found.when) == ("tick", "tell", "active", "every 1s")

        async def ran() -> Schedule | None:
            seen = await runtime.schedules.show("tick")
            return seen if seen.runs >= 2 and seen.last is not None else None

        seen = await until(ran)
        runs = await runtime.schedules.runs("tick")
        assert seen.failures == 0 and seen.last["status"] == "completed"
        assert runs[-1].id.startswith("tick@") and runs[-1].id.endswith("Z") and runs[-1].parent == "schedule/tick"
        assert await runtime.result(runs[-1].id) == f"{runs[-1].id} about news"


@on_a_loop
async def test_what_the_code_says_is_made_so_at_the_start() -> None:
    store = MemoryStore()

    def declaring(cron: str) -> Any:
        @schedule(cron, zone="Europe/Berlin", name="morning")
        @workflow(name="brief")
        async def brief(ctx: Context) -> None: ...

        return brief

    @workflow(name="brief")
    async def bare(ctx: Context) -> None: ...

    for _ in range(2):  # the same again writes nothing
        async with Runtime([declaring(DAILY)], store) as runtime:
            assert (await runtime.schedules.show("morning")).spec.cron == DAILY
            await until(partial(rests, runtime, "morning"))
    assert (await Control(store).show("schedule/morning")).length == 1
    async with Runtime([declaring(DAILY)], store) as runtime:  # what people change stays
        await runtime.schedules.change("morning", cron="0 9 * * *")
    async with Runtime([declaring(DAILY)], store) as runtime:
        assert (await runtime.schedules.show("morning")).spec.cron == "0 9 * * *"
    async with Runtime([declaring("0 8 * * *")], store) as runtime:  # until the code says something else
        assert (await runtime.schedules.show("morning")).spec.cron == "0 8 * * *"
        assert (await runtime.schedules.show("morning")).spec.zone == "Europe/Berlin"
    async with Runtime([report], store) as runtime:  # who does not serve the function has no say
        assert (await runtime.schedules.show("morning")).status == "active"
    async with Runtime([bare], store) as runtime:  # it says nothing any more
        await until(lambda: none_left(runtime))
    assert not await known(store)
    async with Runtime([declaring(DAILY)], store) as runtime:  # and again
        assert (await runtime.schedules.show("morning")).spec.cron == DAILY
        await runtime.schedules.remove("morning")
    async with Runtime([declaring(DAILY)], store) as runtime:  # what people have removed stays so
        await until(lambda: none_left(runtime))


@on_a_loop
async def test_in_a_store_that_has_moved_what_people_removed_stays_removed() -> None:
    @schedule(DAILY)
    @workflow
    async def brief(ctx: Context) -> None: ...

    here, there = MemoryStore(), MemoryStore()
    there.dsn = "memory://there"
    async with Runtime([brief], here) as runtime:
        await runtime.schedules.remove("brief")
        await until(lambda: none_left(runtime))
    await move(here, there, settle=0)
    async with Runtime([brief], there) as runtime:
        assert await known(there) == ["brief/brief"] and await none_left(runtime)


@on_a_loop
async def test_two_processes_at_once_make_one() -> None:
    store = MemoryStore()

    @schedule(DAILY)
    @workflow
    async def brief(ctx: Context) -> None: ...

    async def serve() -> None:
        async with Runtime([brief], store) as runtime:
            assert len(await runtime.schedules.list()) == 1
            await until(lambda: rests(runtime, "brief"))

    await asyncio.gather(*(serve() for _ in range(4)))
    entries = [fact async for fact in Control(store).entries("schedule/brief", 0)]
    assert [fact["type"] for fact in entries] == ["start"]


@on_a_loop
async def test_a_schedule_that_goes_over_to_another_function_begins_that() -> None:
    store = MemoryStore()
    for name in ("old", "new"):

        @schedule(DAILY, name="nightly")
        @workflow(name=name)
        async def brief(ctx: Context) -> None: ...

        async with Runtime([brief], store) as runtime:
            assert (await runtime.schedules.show("nightly")).function == name


@on_a_loop
async def test_an_input_that_does_not_fit_is_refused_at_once() -> None:
    @schedule(DAILY, input={"x": 1})
    @workflow
    async def brief(ctx: Context, n: int) -> None: ...

    with pytest.raises(InvalidInput, match="the input of brief is not valid"):
        Runtime([brief], MemoryStore())
    async with Runtime([report], MemoryStore()) as runtime:
        with pytest.raises(InvalidInput, match="the input of report is not valid"):
            await runtime.schedules.create(report, DAILY, input=5)
        assert await runtime.schedules.list() == []


@on_a_loop
async def test_a_tool_is_run_as_a_task() -> None:
    calls: list[str] = []

    @tool
    def sweep(room: str) -> str:
        calls.append(room)
        return room.upper()

    async with Runtime([sweep], MemoryStore()) as runtime:
        await runtime.schedules.create(sweep, DAILY, input={"room": "hall"})
        run = await runtime.schedules.run_now("sweep")
        await until(lambda: runtime.find(run))
        assert await runtime.result(run, timeout=20) == "HALL"
        assert calls == ["hall"] and (await runtime.show(run)).kind == "tool"


@on_a_loop
async def test_runs_go_with_retention_though_their_schedule_goes_on() -> None:
    async with Runtime([report, slow], MemoryStore()) as runtime:
        await runtime.schedules.create(report, DAILY)
        await runtime.schedules.create(slow, DAILY)
        ended, going = await runtime.schedules.run_now("report"), await runtime.schedules.run_now("slow")
        for run in (ended, going):
            await until(partial(runtime.find, run))
        await runtime.result(ended, timeout=20)
        await until(partial(rests, runtime, "report"))
        assert await prune(runtime.store, 1, FINAL, runtime.clock() + 1000) == 1
        assert await runtime.find(ended) is None and await runtime.find(going) is not None


@on_a_loop
async def test_making_is_idempotent_and_names_are_taken_once() -> None:
    async with Runtime([report, slow], MemoryStore()) as runtime:
        schedules = runtime.schedules
        first = await schedules.create("report", DAILY, input="a")
        assert (await schedules.create(report, DAILY, input="a")).spec == first.spec
        with pytest.raises(AlreadyExists, match="another schedule 'report', of report, 0 7"):
            await schedules.create("report", "0 8 * * *", input="a")
        with pytest.raises(AlreadyExists):
            await schedules.create(slow, DAILY, name="report")
        with pytest.raises(UnknownFunction, match="no process has served 'nobody'"):
            await schedules.create("nobody", DAILY)
        with pytest.raises(InvalidInput, match="is past"):
            await schedules.create(report, at="2020-01-01T00:00Z")
        with pytest.raises(InvalidInput, match="is no agent, workflow or tool"):
            await schedules.create(5, DAILY)
        await runtime.start(report, id="schedule/mine")
        with pytest.raises(AlreadyExists, match="the id of another execution"):
            await schedules.create(report, DAILY, name="mine")
        for ask in (schedules.show, schedules.pause, schedules.resume, schedules.remove, schedules.run_now):
            with pytest.raises(UnknownExecution, match="no schedule 'none'"):
                await ask("none")


@on_a_loop
async def test_without_any_function_it_may_be_asked_all_the_same() -> None:
    store = MemoryStore()
    async with Runtime([report], store):
        await until(lambda: kind_of(store, "report"))
    control = Control(store)
    await control.schedules.create("report", DAILY, input="a")
    assert (await control.schedules.show("report")).next is not None  # nobody has taken it up yet
    changed = await control.schedules.change("report", cron="0 8 * * *", input="b")
    assert (changed.spec.cron, changed.spec.input) == ("0 8 * * *", "b")
    run = await control.schedules.run_now("report", id="one")
    assert run == await control.schedules.run_now("report", id="one") == "report@one"
    async with Runtime([report], store) as runtime:
        assert await until(lambda: runtime.find(run))
        assert await runtime.result(run, timeout=20) == "report@one about b"
        assert (await runtime.schedules.show("report")).runs == 1


@on_a_loop
async def test_a_pause_holds_and_changes_wait_in_sight() -> None:
    async with Runtime([report], MemoryStore()) as runtime:
        schedules = runtime.schedules
        await schedules.create(report, every="1h")
        await schedules.pause("report", by="me")
        await until(lambda: paused(runtime))
        with pytest.raises(InvalidInput, match="is paused"):
            await schedules.run_now("report")
        assert (await schedules.change("report", every="2h")).when == "every 2h"
        assert (await schedules.change("report", overlap="queue")).spec.every == 7_200_000
        assert (await schedules.show("report")).next is None
        await schedules.resume("report")

        async def active() -> bool:
            seen = await schedules.show("report")
            return seen.status == "active" and seen.spec.overlap == "queue" and (seen.next or 1) % 7_200_000 == 0

        await until(active)
        for changes, says in (({}, "nothing is given"), ({"name": "x"}, "'name' can't be changed")):
            with pytest.raises(InvalidInput, match=says):
                await schedules.change("report", **changes)


@on_a_loop
async def test_a_change_is_told_with_its_own_next_time_and_no_run_takes_the_name_of_a_time() -> None:
    async with Runtime([report], MemoryStore(), clock=lambda: 1_800_000_000_000) as runtime:
        schedules = runtime.schedules
        await schedules.create(report, every="1h")
        await until(lambda: taken_up(runtime))
        changed = await schedules.change("report", cron="* * * * *")
        assert changed.next == 1_800_000_060_000
        for id in (moment(1_800_000_060_000), "2027-01-15T08:01:00.250Z", "a/b", "x" * 101):
            with pytest.raises(InvalidInput, match=r"id of (a|the) run"):
                await schedules.run_now("report", id=id)
        assert await schedules.run_now("report", id="by-hand") == "report@by-hand"


async def taken_up(runtime: Runtime) -> bool:
    head = await runtime.find("schedule/report")
    return head is not None and bool(head.state)


async def paused(runtime: Runtime) -> bool:
    return (await runtime.schedules.show("report")).status == "paused"


@on_a_loop
async def test_removing_waits_for_what_is_going_on_or_cancels_it() -> None:
    async with Runtime([slow], MemoryStore()) as runtime:
        schedules = runtime.schedules
        for cancel, status in ((False, "completed"), (True, "cancelled")):
            await schedules.create(slow, DAILY, name="s")
            run = await schedules.run_now("s")
            await until(partial(runtime.find, run))
            await schedules.remove("s", cancel=cancel)
            if not cancel:

                async def leaving() -> bool:
                    return [one.status for one in await schedules.list()] == ["leaving"]

                await until(leaving)
                await runtime.signal(run, "go")
            await until(lambda: none_left(runtime))
            assert (await runtime.show(run)).status == status


@on_a_loop
async def test_what_is_paused_or_stuck_can_be_removed() -> None:
    store = MemoryStore()
    async with Runtime([report], store) as runtime:
        await runtime.schedules.create(report, every="1s")
        await runtime.schedules.pause("report")
        await until(lambda: paused(runtime))
        await runtime.schedules.remove("report")
        await until(lambda: none_left(runtime))
        told = {"spec": {"function": "report", "every": 60_000, "moon": "full"}, "input": None}
        mail = start_mail(runtime.clock(), Taken(told))
        await runtime.engine.post("schedule/odd", mail, create=NewExecution(FUNCTION, KIND))

        async def stuck() -> bool:
            return (await runtime.show("schedule/odd")).status == "stuck"

        await until(stuck)
        (seen,) = await runtime.schedules.list()
        assert (seen.name, seen.status) == ("odd", "stuck") and "'moon'" in seen.note
        await runtime.schedules.remove("odd")
        await until(lambda: none_left(runtime))


@on_a_loop
async def test_an_event_is_refused_whoever_is_asked() -> None:
    store = MemoryStore()
    async with Runtime([report], store) as runtime:
        await runtime.schedules.create(report, DAILY)
        await until(lambda: rests(runtime, "report"))
        for desk in (runtime, Control(store)):
            with pytest.raises(Unfit, match="a schedule waits for no events"):
                await desk.signal("schedule/report", "news")
        assert await runtime.signal_all(Filter(prefix="schedule/"), "news") == 0


@on_a_loop
async def test_a_time_that_is_past_is_not_made_from_the_code() -> None:
    @schedule(at="2020-01-01T00:00Z")
    @workflow
    async def brief(ctx: Context) -> None: ...

    async with Runtime([brief], MemoryStore()) as runtime:
        assert await runtime.schedules.list() == []


@on_a_loop
async def test_a_run_that_fails_is_counted_and_the_next_one_comes() -> None:
    @workflow
    async def broken(ctx: Context) -> None:
        raise ValueError("no")

    async with Runtime([broken], MemoryStore()) as runtime:
        await runtime.schedules.create(broken, every="1s")

        async def failed() -> bool:
            seen = await runtime.schedules.show("broken")
            return seen.failures >= 2 and seen.last is not None and seen.last["status"] == "failed"

        await until(failed)


@on_a_loop
async def test_one_that_is_being_resumed_while_it_is_removed_is_removed() -> None:
    """Who removes it has read that it is paused; by the time it is to be resumed for that, it has gone."""
    async with Runtime([report], "memory://") as runtime:
        await runtime.schedules.create("report", every="1h", name="hourly")
        schedules: Any = runtime.schedules
        head, tell = schedules._head, schedules._tell

        async def read(name: str) -> Any:
            return (await head(name))._replace(status="paused")

        async def told(name: str, *more: Any) -> None:
            await tell(name, *more)
            await runtime.result("schedule/hourly", timeout=20)

        schedules._head, schedules._tell = read, told
        await schedules.remove("hourly")
        with pytest.raises(UnknownExecution):
            await runtime.schedules.show("hourly")
