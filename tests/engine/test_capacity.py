"""A bounded number of executions is active, and a process that ends hands over what it holds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter import Context, workflow
from overwinter.orchestrator.usercode.resilience import Policy, Retry
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain, Child


def test_only_max_active_executions_are_active_and_the_rest_wait_in_the_store() -> None:
    async def work(bench: Bench) -> None:
        now = most = 0

        async def busy(_: list[Any]) -> int:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(1)
            now -= 1
            return 1

        process = await bench.process(Chain("busy", [Call(busy), Call(busy)]), max_active=5)
        for number in range(60):
            await bench.start(process, "busy", f"e{number}")
            assert len(process.engine.active) <= 5
        assert bench.ledger.head_now("e59").status == "pending"  # type: ignore[union-attr]
        for number in range(60):
            assert (await bench.ended(f"e{number}"))["value"] == [1, 1]
        assert most == 5
        assert bench.loop.time() < 60 / 5 * 2 + 2  # places are filled as they become free, not by polling

    at_bench(work)


def test_parents_that_wait_for_children_leave_room_for_them() -> None:
    async def work(bench: Bench) -> None:
        leaf = Chain("leaf", [Call(lambda _: 7)])
        parent = Chain("parent", [Child("leaf")])
        process = await bench.process(parent, leaf, max_active=2)
        for number in range(20):
            await bench.start(process, "parent", f"e{number}")
        for number in range(20):
            assert (await bench.ended(f"e{number}"))["value"] == [[7]]

    at_bench(work)


def test_a_running_call_may_end_within_the_grace_period() -> None:
    async def work(bench: Bench) -> None:
        made: list[float] = []

        async def slow(_: list[Any]) -> str:
            made.append(bench.loop.time())
            await asyncio.sleep(3)
            return "done"

        chain = Chain("chain", [Call(slow), Call(slow)])
        first = await bench.process(chain)
        await bench.start(first, "chain", "e")
        await asyncio.sleep(1)
        await first.call(lambda runtime: runtime.close("4s"))
        assert bench.kinds("e").count("step") == 1
        second = await bench.process(chain)
        assert (await bench.ended("e"))["value"] == ["done", "done"]
        assert second.alive
        assert bench.ledger.head_now("e").owner is None  # type: ignore[union-attr]

    at_bench(work)


def test_what_does_not_end_in_time_is_taken_up_at_once_by_the_next_process() -> None:
    async def work(bench: Bench) -> None:
        made: list[float] = []

        async def slow(_: list[Any]) -> str:
            made.append(bench.loop.time())
            await asyncio.sleep(100)
            return "done"

        chain = Chain("chain", [Call(slow)])
        first = await bench.process(chain, lease="1h")
        await bench.start(first, "chain", "e")
        await asyncio.sleep(1)
        second = await bench.process(chain, lease="1h")
        await first.call(lambda runtime: runtime.close("2s"))
        first.kill(noticed=False)
        assert (await bench.ended("e"))["value"] == ["done"]
        assert second.alive
        assert len(made) == 2
        assert made[1] - made[0] < 4  # the grace period and one look at the due index, not the lease

    at_bench(work)


def test_nothing_new_is_begun_by_a_process_that_is_closing() -> None:
    async def work(bench: Bench) -> None:
        async def slow(_: list[Any]) -> str:
            await asyncio.sleep(5)
            return "done"

        chain = Chain("chain", [Call(slow)])
        first = await bench.process(chain)
        await bench.start(first, "chain", "e")
        closing = asyncio.ensure_future(first.call(lambda runtime: runtime.close("8s")))
        await asyncio.sleep(1)
        await bench.start(first, "chain", "late")
        await asyncio.sleep(1)
        head = bench.ledger.head_now("late")
        assert head is not None
        assert (head.status, head.owner, head.length) == ("pending", None, 0)
        await closing
        await bench.process(chain)
        assert (await bench.ended("late"))["value"] == ["done"]

    at_bench(work)


def test_what_follows_a_call_that_ends_while_closing_is_the_next_process_s_to_begin() -> None:
    async def work(bench: Bench) -> None:
        began: list[tuple[str, float]] = []

        async def nap(name: str, duration: float) -> str:
            began.append((name, bench.loop.time()))
            await asyncio.sleep(duration)
            return name

        @workflow
        async def two_lanes(ctx: Context) -> list[str]:
            async def lane(*naps: float) -> str:
                return "".join([await ctx.step(nap, f"{naps[0]}-{n}", duration) for n, duration in enumerate(naps)])

            return list(await asyncio.gather(lane(2, 3), lane(4, 1)))

        first = await bench.process(two_lanes)
        await bench.start(first, "two_lanes", "e")
        await asyncio.sleep(1)
        closing = bench.loop.time()
        await first.call(lambda runtime: runtime.close("30s"))
        assert bench.loop.time() - closing == pytest.approx(3, abs=0.1)  # as long as the calls that were running
        assert [name for name, _ in began] == ["2-0", "4-0"]
        head = bench.ledger.head_now("e")
        assert head is not None
        assert head.owner is None
        assert head.wake is not None
        await bench.process(two_lanes)
        assert (await bench.ended("e"))["value"] == ["2-02-1", "4-04-1"]
        assert sorted(name for name, _ in began) == ["2-0", "2-1", "4-0", "4-1"]

    at_bench(work)


def test_a_process_that_is_closing_leaves_pauses_between_attempts_to_the_store() -> None:
    async def work(bench: Bench) -> None:
        tries: list[float] = []

        async def flaky(_: list[Any]) -> str:
            tries.append(bench.loop.time())
            await asyncio.sleep(1)
            if len(tries) == 1:
                raise ConnectionError("no answer")
            return "done"

        chain = Chain("chain", [Call(flaky, Policy(retry=Retry(first="1900ms", jitter=False)))])
        first = await bench.process(chain)
        await bench.start(first, "chain", "e")
        await asyncio.sleep(0.5)
        await first.call(lambda runtime: runtime.close("10s"))
        assert bench.loop.time() < 1.5
        assert bench.kinds("e") == ["start", "retrying"]
        await bench.process(chain)
        assert (await bench.ended("e"))["value"] == ["done"]

    at_bench(work)
