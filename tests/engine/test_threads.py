"""Plain functions in threads: places and their order, calls that are given up, and what is said when none is free."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import overwinter
from overwinter import Context, Retry, Runtime, Settings, tool, workflow
from overwinter.orchestrator.usercode import threads as threads_module
from overwinter.orchestrator.usercode.threads import Threads
from overwinter.state.daemons import Daemons
from overwinter.state.errors import StepFailed, TimedOut

HOME = str(Path(overwinter.__file__).absolute().parent.parent)
PATIENCE = 30.0


class Held:
    """A plain function that stands until it is let go."""

    def __init__(self, value: Any = None) -> None:
        self.value = value
        self.began = threading.Event()
        self.free = threading.Event()

    def __call__(self) -> Any:
        self.began.set()
        self.free.wait(PATIENCE)
        return self.value


async def until(true: Callable[[], Any]) -> None:
    """Wait for something that another thread brings about."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110  # threads tell of nothing
            await asyncio.sleep(0.005)


def counted(threads: Threads, *names: str) -> tuple[Any, ...]:
    told = threads.numbers()
    return tuple(told[name] for name in names or ("busy", "abandoned", "waiting"))


def go(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def test_the_time_of_a_call_begins_when_the_function_does() -> None:
    async def main() -> None:
        threads, first, second = Threads(1, 1), Held("one"), Held()
        one = asyncio.create_task(threads.run("one", first))
        await until(first.began.is_set)
        two = asyncio.create_task(threads.run("two", second, timeout="50ms"))
        await asyncio.sleep(0.2)
        assert not two.done() and counted(threads) == (1, 0, 1)
        first.free.set()
        assert await one == "one"
        with pytest.raises(TimedOut, match="'two' took longer than 50ms"):
            await two
        assert second.began.is_set()
        second.free.set()

    go(main)


def test_a_call_that_is_given_up_leaves_its_place_to_others_up_to_a_bound(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        threads, stuck = Threads(2, 2), [Held() for _ in range(4)]
        for number in range(2):
            with pytest.raises(TimedOut):
                await threads.run(f"stuck{number}", stuck[number], timeout="1ms")
        assert counted(threads) == (0, 2, 0) and not threads.exhausted()
        assert await asyncio.gather(*(threads.run("quick", lambda: 1) for _ in range(10))) == [1] * 10
        assert not caplog.messages
        for number in range(2, 4):
            with pytest.raises(TimedOut):
                await threads.run(f"stuck{number}", stuck[number], timeout="1ms")
        assert ["3 calls" in message and "'stuck2'" in message for message in caplog.messages] == [True]
        assert threads.exhausted().startswith("all 2 threads for plain functions are taken, 0 calls wait for one, 4 ")
        last = asyncio.create_task(threads.run("last", lambda: "done"))
        await asyncio.sleep(0.05)
        assert not last.done() and counted(threads) == (0, 4, 1)
        stuck[0].free.set()
        assert await last == "done"
        assert not threads.exhausted()
        for held in stuck:
            held.free.set()
        await until(lambda: counted(threads) == (0, 0, 0))

    go(main)


def test_a_queue_that_stands_is_told_once_and_again_after_it_has_moved(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threads_module, "STALLED", 0.01)

    async def main() -> None:
        threads, held = Threads(1, 1), Held()
        running = asyncio.create_task(threads.run("render", held))
        waiting = asyncio.create_task(threads.run("next", lambda: None))
        await until(lambda: caplog.messages)
        assert "all 1 threads" in caplog.messages[0] and "1 calls wait" in caplog.messages[0]
        assert "'render' has run for" in caplog.messages[0] and "timeout" in caplog.messages[0]
        assert threads.exhausted() and threads.numbers()["longest"]["name"] == "render"  # type: ignore[index]
        threads._tell()
        assert len(caplog.messages) == 1
        held.free.set()
        await asyncio.gather(running, waiting)
        assert not threads.exhausted()
        threads._tell()
        assert not threads._told

    with caplog.at_level(logging.ERROR, "overwinter"):
        go(main)


def test_whatever_a_function_raises_comes_back_and_its_context_reaches_it() -> None:
    mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark")

    class Panic(BaseException):
        """As libraries in other languages raise it."""

    def fails(error: BaseException) -> Callable[[], Any]:
        def call() -> Any:
            raise error

        return call

    async def main() -> None:
        threads = Threads(1, 0)
        mark.set("seen")
        assert await threads.run("mark", mark.get) == "seen"
        for error in (ValueError("wrong"), Panic("out of bounds")):
            with pytest.raises(type(error)):
                await threads.run("fails", fails(error))
        for unusual in (StopIteration(1), asyncio.CancelledError("from within")):  # these would mean something else
            with pytest.raises(StepFailed, match=type(unusual).__name__):
                await threads.run("fails", fails(unusual))
        assert counted(threads) == (0, 0, 0)

    go(main)


def test_a_call_that_was_cut_off_is_not_begun_again_beside_itself() -> None:
    async def main() -> None:
        threads, first, other = Threads(4, 4), Held("late"), Held("other")
        running = asyncio.create_task(threads.run("step", first, key="e/1"))
        await until(first.began.is_set)
        running.cancel()
        await asyncio.wait([running])
        second = Held("second")
        again = asyncio.create_task(threads.run("step", second, key="e/1"))
        beside = asyncio.create_task(threads.run("step", other, key="e/2"))
        await until(other.began.is_set)
        assert not second.began.is_set()
        with pytest.raises(TimedOut, match="not begun again beside it"):
            await threads.run("step", second, key="e/1", timeout="10ms")
        first.free.set()
        await until(second.began.is_set)
        second.free.set()
        other.free.set()
        assert (await again, await beside) == ("second", "other")

    go(main)


def test_a_call_whose_time_was_over_is_begun_again() -> None:
    async def main() -> None:
        threads, first = Threads(4, 4), Held()
        with pytest.raises(TimedOut):
            await threads.run("step", first, key="e/1", timeout="1ms")
        assert await threads.run("step", lambda: "fine", key="e/1") == "fine"
        first.free.set()

    go(main)


def test_one_event_loop_after_the_other_sees_the_same_threads() -> None:
    threads, held = Threads(1, 0), Held()

    async def cut() -> None:
        running = asyncio.create_task(threads.run("step", held, key="e/1"))
        await until(held.began.is_set)
        running.cancel()
        await asyncio.wait([running])
        threads.close()

    async def again() -> None:
        assert counted(threads) == (0, 1, 0) and "all 1 threads" in threads.exhausted()
        held.free.set()
        await until(lambda: counted(threads) == (0, 0, 0))
        assert await threads.run("step", lambda: "fine", key="e/1") == "fine"

    go(cut)
    go(again)


Step = tuple[str, int]
STEPS = st.lists(st.tuples(st.sampled_from(["call", "end", "give up"]), st.integers(0, 20)), max_size=25)


@settings(max_examples=40, deadline=None, phases=[Phase.generate])  # what hangs would be shrunk for hours
@given(limit=st.integers(1, 3), spare=st.integers(0, 2), steps=STEPS)
def test_places_are_counted_whatever_happens(limit: int, spare: int, steps: list[Step]) -> None:
    """Against a model: calls that wait, run, or run though they were given up."""

    async def main() -> None:
        threads = Threads(limit, spare)
        calls: dict[int, tuple[Held, asyncio.Task[Any]]] = {}
        waiting: list[int] = []
        running: list[int] = []
        abandoned: list[int] = []

        def admit() -> None:
            while waiting and len(running) + max(0, len(abandoned) - spare) < limit:
                running.append(waiting.pop(0))

        for number, (verb, which) in enumerate(steps):
            if verb == "call":
                held = Held()
                calls[number] = held, asyncio.create_task(threads.run("f", held))
                waiting.append(number)
            elif verb == "end" and (open := running + abandoned):
                one = open[which % len(open)]
                calls[one][0].free.set()
                (running if one in running else abandoned).remove(one)
            elif verb == "give up" and (open := running + waiting):
                one = open[which % len(open)]
                if one in running:
                    await until(calls[one][0].began.is_set)
                    abandoned.append(one)
                calls[one][1].cancel()
                (running if one in running else waiting).remove(one)
            admit()
            await until(lambda: counted(threads) == (len(running), len(abandoned), len(waiting)))
            await until(lambda: all(calls[one][0].began.is_set() for one in running))
            assert not any(calls[one][0].began.is_set() for one in waiting)
        for held, _ in calls.values():
            held.free.set()
        await asyncio.wait([task for _, task in calls.values()] or [asyncio.create_task(asyncio.sleep(0))])
        await until(lambda: counted(threads) == (0, 0, 0))
        threads.close()

    go(main)


# -- the pool ----------------------------------------------------------------------------------------------


def test_the_pool_is_bounded_keeps_the_order_and_reuses_its_threads() -> None:
    pool, seen, held = Daemons(2, "test"), list[int](), [Held(), Held()]
    first = [pool.submit(one) for one in held]
    later = [pool.submit(seen.append, number) for number in range(20)]
    assert not seen
    held[0].free.set()
    for future in later:
        future.result(PATIENCE)
    assert seen == list(range(20))
    held[1].free.set()
    first[1].result(PATIENCE)
    assert len({pool.submit(threading.get_ident).result(PATIENCE) for _ in range(10)}) <= 2
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit(print)


def test_a_pool_that_stands_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, held = Daemons(1, "standing"), Held()
    running, waiting = pool.submit(held), pool.submit(print)
    told = {"threads": 1, "idle": 0, "limit": 1, "waiting": 1}
    assert {name: pool.numbers()[name] for name in told} == told and not pool.exhausted()
    monkeypatch.setattr("overwinter.state.daemons.STALLED", 0.0)
    assert pool.exhausted() == "all 1 threads of the pool standing are taken, 1 jobs wait for one"
    held.free.set()
    running.result(PATIENCE)
    waiting.result(PATIENCE)
    assert not pool.exhausted() and pool.numbers()["waiting"] == 0


def test_what_waits_can_be_cancelled_at_the_end_and_threads_go() -> None:
    pool, held = Daemons(1, "leaving"), Held("value")
    running, waiting = pool.submit(held), pool.submit(print)
    assert waiting.cancel()
    last = pool.submit(print)
    pool.shutdown(cancel_futures=True)
    assert last.cancelled()
    held.free.set()
    assert running.result(PATIENCE) == "value"
    for thread in threading.enumerate():
        if thread.name.startswith("leaving"):
            thread.join(PATIENCE)
            assert not thread.is_alive()


# -- through the runtime -----------------------------------------------------------------------------------

STUCK = """
import asyncio, sys, time
from overwinter import Runtime, Settings, workflow

def sleeps(): time.sleep(1000)

@workflow
async def slow(ctx):
    await ctx.step(sleeps)

async def main():
    async with Runtime([slow], "memory://", Settings(grace="10ms")) as runtime:
        await runtime.start(slow, id="s")
        while not runtime.engine.performer.threads.numbers()["busy"]:
            await asyncio.sleep(0.01)
    print("closed")

asyncio.run(main())
"""


def test_a_function_that_never_returns_keeps_no_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], env={"PYTHONPATH": HOME}, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "closed\n" and done.stderr == ""


def test_all_threads_taken_is_not_ready_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads_module, "STALLED", 0.01)
    held = Held("freed")

    def hangs() -> str:
        return str(held())

    @workflow
    async def slow(ctx: Context) -> str:
        return await ctx.step(hangs)

    @tool
    def check() -> str:
        """A plain tool."""
        return "checked"

    async def main() -> None:
        async with Runtime([slow, check], "memory://", Settings(threads=2)) as runtime:
            handles = [await runtime.start(slow) for _ in range(3)]
            await until(lambda: counted(runtime.engine.performer.threads) == (2, 0, 1))
            direct = asyncio.create_task(runtime.invoke(check))
            await until(lambda: counted(runtime.engine.performer.threads, "waiting") == (2,))
            await until(runtime.engine.performer.threads.exhausted)
            reasons = await runtime.engine.health.reasons()
            assert "'hangs' has run for" in reasons["threads"] and "2 calls wait" in reasons["threads"]
            numbers = runtime.engine.health.numbers()["threads"]
            assert (numbers["busy"], numbers["limit"], numbers["waiting"]) == (2, 2, 2)
            held.free.set()
            assert [await handle.result() for handle in handles] == ["freed"] * 3
            assert await direct == "checked"
            assert await runtime.engine.health.reasons() == {}

    go(main)


def test_a_step_that_hangs_uses_no_more_threads_than_it_has_attempts() -> None:
    helds = [Held() for _ in range(3)]
    left = list(helds)

    def hangs() -> None:
        left.pop(0)()

    @workflow
    async def slow(ctx: Context) -> str:
        try:
            await ctx.step(hangs, retry=Retry(attempts=3, first="1ms"), timeout="20ms")
        except TimedOut as error:
            return str(error)
        return "no error"

    async def main() -> None:
        async with Runtime([slow], "memory://") as runtime:
            assert await (await runtime.start(slow)).result() == "'hangs' took longer than 20ms"
            assert left == [] and counted(runtime.engine.performer.threads) == (0, 3, 0)
            for held in helds:
                held.free.set()

    go(main)
