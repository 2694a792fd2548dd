"""The watchdog names what holds the event loop, in whatever code that is, and readiness fails for a while."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from overwinter import Context, Runtime, Settings, tool, workflow
from overwinter.orchestrator.engine import watchdog as watchdog_module
from overwinter.orchestrator.engine.standing import standing
from overwinter.orchestrator.engine.watchdog import Watchdog

PATIENCE = 30.0
QUICK = Settings(watchdog="80ms")


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    with caplog.at_level(logging.WARNING, "overwinter"):
        yield caplog.messages


class Blocking:
    """Code that does not await until the watchdog has barked."""

    heard: Callable[[], list[str]]

    def __call__(self) -> None:
        until = time.monotonic() + PATIENCE
        while not any("has stood" in message for message in self.heard()) and time.monotonic() < until:
            time.sleep(0.005)


blocking = Blocking()


async def fetch() -> str:
    """An async step that does not await."""
    blocking()
    return "fetched"


@workflow
async def in_a_step(ctx: Context) -> str:
    return await ctx.step(fetch)


@workflow
async def in_its_code(ctx: Context) -> str:
    blocking()
    return "computed"


@workflow
async def after_a_step(ctx: Context) -> str:
    await ctx.sleep("1ms")
    blocking()
    return "computed"


@tool
async def by_itself() -> str:
    """A tool that does not await."""
    blocking()
    return "called"


def line_of(function: Any) -> tuple[int, int]:
    lines, first = inspect.getsourcelines(function)
    return first, first + len(lines)


@pytest.mark.parametrize(
    ("function", "told"),
    [(in_a_step, "called as 'fetch', by e-1"), (in_its_code, "by e-1"), (after_a_step, "by e-1")],
)
def test_what_holds_the_loop_is_named_with_its_execution(
    function: Any, told: str, heard: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    blocking.heard = lambda: list(caplog.messages)

    async def main() -> None:
        async with Runtime([function], "memory://", QUICK) as runtime:
            handle = await runtime.start(function, id="e-1")
            await handle.result()
            async with asyncio.timeout(PATIENCE):
                while not any("goes on" in message for message in caplog.messages):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            barked = [message for message in caplog.messages if "has stood" in message]
            assert len(barked) == 1
            found = re.search(r"Blocking\.__call__ \(test_watchdog\.py:(\d+)\)", barked[0])
            assert found is not None and told in barked[0], barked
            first, last = line_of(Blocking.__call__)
            assert first <= int(found[1]) < last
            reasons = await runtime.engine.health.reasons()
            assert "Blocking.__call__" in reasons["loop"] and "e-1" in reasons["loop"]
            numbers = runtime.engine.health.numbers()["loop"]
            assert numbers["stood"] == 1 and numbers["last"]["execution"] == "e-1"  # type: ignore[index]

    asyncio.run(main())


def test_a_tool_that_is_called_by_itself_is_named(heard: list[str], caplog: pytest.LogCaptureFixture) -> None:
    blocking.heard = lambda: list(caplog.messages)

    async def main() -> None:
        async with Runtime([by_itself], "memory://", QUICK) as runtime:
            assert await runtime.invoke(by_itself) == "called"

    asyncio.run(main())
    assert any("Blocking.__call__ (test_watchdog.py:" in message for message in caplog.messages)


def test_an_idle_loop_a_busy_one_and_one_that_is_not_running_are_let_be(heard: list[str]) -> None:
    async def busy(runtime: Runtime) -> None:
        for _ in range(200):
            await asyncio.sleep(0.001)

    with asyncio.Runner() as runner:
        runtime = Runtime([in_its_code], "memory://", Settings(watchdog="40ms"))
        runner.run(runtime.__aenter__())
        runner.run(asyncio.sleep(0.2))
        time.sleep(0.2)  # nobody runs the loop
        runner.run(busy(runtime))
        runner.run(runtime.close())
    assert not heard


def test_readiness_comes_back_after_as_long_as_the_loop_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    times = [1000.0]
    monkeypatch.setattr(watchdog_module, "monotonic", lambda: times[0])
    watchdog = Watchdog(5.0)
    ident = threading.get_ident()

    def stands(seconds: float) -> None:
        watchdog._asked, watchdog._ticks = times[0], 0
        times[0] += seconds
        watchdog._watched = ident
        for _ in range(round(seconds / watchdog._pause)):
            watchdog._look(times[0] - seconds)
        watchdog._answer()

    stands(3.0)
    assert watchdog.reason() == "" and watchdog.numbers()["stood"] == 0
    for seconds, unready in ((8.0, 8.0), (600.0, watchdog_module.AFTERWARDS)):
        stands(seconds)
        assert "stands (test_watchdog.py:" in watchdog.reason()
        times[0] += unready - 0.1
        assert watchdog.reason()
        times[0] += 0.2
        assert watchdog.reason() == ""


def test_a_process_that_was_stopped_as_a_whole_did_not_hold_its_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    watchdog = Watchdog(5.0)
    watchdog._watched = threading.get_ident()
    watchdog._asked = time.monotonic() - 1000  # SIGSTOP: this thread did not run either
    watchdog._look(watchdog._asked)
    assert watchdog._held is None


def test_a_thread_that_waits_in_an_event_loop_stands_nowhere() -> None:
    entered = threading.Event()

    async def idle() -> None:
        entered.set()
        await asyncio.sleep(0.5)

    thread = threading.Thread(target=lambda: asyncio.run(idle()))
    thread.start()
    entered.wait(PATIENCE)
    while standing(thread.ident).where and thread.is_alive():
        time.sleep(0.01)
    assert thread.is_alive(), "it never was seen waiting"
    thread.join()
    assert standing(thread.ident) == standing(None) == ("", "", "")


def test_no_watchdog_when_none_is_wanted() -> None:
    async def main() -> None:
        async with Runtime([in_its_code], "memory://", Settings(watchdog=None)) as runtime:
            assert "loop" not in runtime.engine.health.numbers()

    asyncio.run(main())
