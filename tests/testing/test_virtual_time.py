"""Virtual time jumps, is the same every time, and never hangs; a killed process does nothing more at all."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any

import pytest

from overwinter.testing import Deadlock, VirtualLoop, run_virtual
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain


def test_days_pass_at_once_and_in_order() -> None:
    async def main(loop: VirtualLoop) -> list[Any]:
        began, order = loop.clock(), list[Any]()

        async def wait(seconds: float) -> None:
            await asyncio.sleep(seconds)
            order.append((seconds, loop.clock() - began))

        await asyncio.gather(*(wait(seconds) for seconds in (86400.0, 0.001, 3.5, 0.0, 864000.0)))
        return order

    expected = [(0.0, 0), (0.001, 1), (3.5, 3500), (86400.0, 86_400_000), (864000.0, 864_000_000)]
    assert run_virtual(main) == expected


def test_a_wait_without_end_is_an_error_that_names_the_waiter() -> None:
    async def forgotten() -> None:
        await asyncio.get_running_loop().create_future()

    async def main(loop: VirtualLoop) -> None:
        await forgotten()

    with pytest.raises(Deadlock, match=r"nothing can ever happen.*\n.*main at .*test_virtual_time"):
        run_virtual(main)


def test_a_wait_over_the_limit_is_an_error() -> None:
    async def main(loop: VirtualLoop) -> None:
        while True:  # noqa: ASYNC110  # that is the point
            await asyncio.sleep(60)

    with pytest.raises(Deadlock, match="not over after 2h00m"):
        run_virtual(main, "2h")


def test_threads_run_one_after_the_other_and_keep_time_still() -> None:
    async def main(loop: VirtualLoop) -> None:
        def work() -> tuple[int, bool]:
            time.sleep(0.001)
            return asyncio.run(inner()), threading.current_thread() is threading.main_thread()

        async def inner() -> int:
            return 5

        assert await asyncio.to_thread(work) == (5, False)
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        assert loop.time() == 0

    run_virtual(main)


def test_the_network_is_refused_by_name() -> None:
    async def main(loop: VirtualLoop) -> None:
        await asyncio.open_connection("127.0.0.1", 9)

    with pytest.raises(RuntimeError, match="virtual time has no network"):
        run_virtual(main)


def test_what_is_left_over_is_dropped_without_a_word() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(10)

    async def main(loop: VirtualLoop) -> None:
        task = loop.create_task(stubborn())
        await asyncio.sleep(1)
        assert not task.done()

    run_virtual(main)
    gc.collect()


def test_a_killed_process_runs_no_finally_and_no_timer() -> None:
    async def work(bench: Bench) -> None:
        traces: list[str] = []

        async def careful(_: list[Any]) -> str:
            traces.append("begun")
            try:
                await asyncio.sleep(5)
            except BaseException:
                traces.append("except")
                raise
            finally:
                traces.append("finally")
            return "done"

        chain = Chain("chain", [Call(careful)])
        first = await bench.process(chain)
        await first.call(lambda runtime: runtime.start("chain", id="e"))
        await asyncio.sleep(1)
        first.kill()
        gc.collect()
        await asyncio.sleep(60)
        assert traces == ["begun"]
        await bench.process(chain)
        assert (await bench.ended("e"))["value"] == ["done"]
        assert traces == ["begun", "begun", "finally"]

    at_bench(work)


def test_a_process_that_hung_past_its_lease_is_fenced() -> None:
    async def work(bench: Bench) -> None:
        made: list[str] = []

        async def slow(_: list[Any]) -> str:
            made.append("call")
            await asyncio.sleep(1)
            return f"call {len(made)}"

        chain = Chain("chain", [Call(slow), Call(slow)])
        first = await bench.process(chain)
        await first.call(lambda runtime: runtime.start("chain", id="e"))
        await asyncio.sleep(0.5)
        await first.hang(30)
        second = await bench.process(chain)
        assert (await bench.ended("e"))["value"] == ["call 2", "call 3"]
        length = bench.ledger.head_now("e").length  # type: ignore[union-attr]
        await asyncio.sleep(60)
        assert first.alive and second.alive
        assert bench.ledger.head_now("e").length == length  # type: ignore[union-attr]
        assert bench.ledger.conflicts >= 1

    at_bench(work)
