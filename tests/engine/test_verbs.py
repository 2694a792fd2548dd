"""Pause, resume, cancel, terminate and retry, also where children are at work and while calls run."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from overwinter.functions.runtime import Runtime
from overwinter.functions.workflow import workflow
from overwinter.orchestrator.workflow.completion import Completion
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.errors import AlreadyFinished, ExecutionCancelled, ExecutionTerminated, InvalidInput
from overwinter.state.records import Filter
from overwinter.testing import Faults, Moment
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain, Child, Sleep


async def _act(runtime: Runtime, verb: str, id: str) -> None:
    await runtime.act(verb, id)


class Steps:
    """Calls that take a second each and are counted."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def call(self, name: str) -> Call:
        async def step(_: list[Any]) -> str:
            self.made.append(name)
            await asyncio.sleep(1)
            return name

        return Call(step)


def test_a_paused_execution_records_what_runs_and_starts_nothing_until_it_is_resumed() -> None:
    async def work(bench: Bench) -> None:
        steps = Steps()
        process = await bench.process(Chain("chain", [steps.call("a"), steps.call("b"), steps.call("c")]))
        await bench.start(process, "chain", "e")
        await asyncio.sleep(0.5)
        await process.call(lambda runtime: runtime.pause("e", by="ann", reason="look"))
        await bench.status("e", "paused")
        await asyncio.sleep(3600)
        assert steps.made == ["a"]
        assert bench.kinds("e").count("step") == 1
        process.kill()
        process = await bench.process(Chain("chain", [steps.call("a"), steps.call("b"), steps.call("c")]))
        await asyncio.sleep(60)
        assert steps.made == ["a"]  # paused also for the next process
        await process.call(lambda runtime: runtime.resume("e"))
        assert (await bench.ended("e"))["value"] == ["a", "b", "c"]
        assert steps.made == ["a", "b", "c"]

    at_bench(work)


def test_a_pause_and_its_end_within_one_process() -> None:
    async def work(bench: Bench) -> None:
        steps = Steps()
        process = await bench.process(Chain("chain", [steps.call("a"), steps.call("b")]))
        for id, pause in (("long", 5.0), ("short", 0.1)):
            await bench.start(process, "chain", id)
            await asyncio.sleep(0.5)
            await process.call(partial(_act, verb="pause", id=id))
            await asyncio.sleep(pause)
            await process.call(partial(_act, verb="resume", id=id))
            assert (await bench.ended(id))["value"] == ["a", "b"]
        assert steps.made == ["a", "b", "a", "b"]

    at_bench(work)


def test_a_pause_that_ends_before_the_next_commit_starts_what_was_held_back() -> None:
    async def work(bench: Bench) -> None:
        steps = Steps()

        class Slow(Faults):
            async def at(self, moment: Moment) -> None:
                if moment.operation == "append" and moment.when == "before":
                    await asyncio.sleep(3)

        process = await bench.process(Chain("chain", [steps.call("a"), steps.call("b")]), faults=Slow())
        await bench.start(process, "chain", "e")
        await asyncio.sleep(0.5)
        await process.call(partial(_act, verb="pause", id="e"))
        await asyncio.sleep(4)
        await process.call(partial(_act, verb="resume", id="e"))
        assert (await bench.ended("e"))["value"] == ["a", "b"]

    at_bench(work)


def test_an_operation_that_nobody_wants_any_more_is_stopped() -> None:
    traces: list[str] = []

    async def slow() -> str:
        try:
            await asyncio.sleep(5)
            return "slow"
        finally:
            traces.append(f"slow ended at {asyncio.get_running_loop().time():.0f}")

    async def quick() -> str:
        await asyncio.sleep(1)
        return "quick"

    @workflow
    async def race(ctx: Context) -> list[str]:
        results = await ctx.parallel(ctx.step(slow), ctx.step(quick), completion=Completion.first())
        await ctx.step(asyncio.sleep, 10, name="rest")
        return results.values

    async def work(bench: Bench) -> None:
        process = await bench.process(race)
        await bench.start(process, "race", "e")
        assert (await bench.ended("e"))["value"] == ["quick"]
        assert traces == ["slow ended at 1"]

    at_bench(work)


def test_a_timer_that_is_over_during_a_pause_fires_after_it() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(Chain("chain", [Sleep(1000)]))
        await bench.start(process, "chain", "e")
        await process.call(lambda runtime: runtime.pause("e"))
        await asyncio.sleep(10)
        assert bench.ledger.head_now("e").status == "paused"  # type: ignore[union-attr]
        await process.call(lambda runtime: runtime.resume("e"))
        assert (await bench.ended("e"))["type"] == "completed"

    at_bench(work)


def test_cancelling_cancels_children_and_abandons_calls() -> None:
    async def work(bench: Bench) -> None:
        steps = Steps()
        leaf = Chain("leaf", [steps.call("a"), Sleep(3_600_000)])
        middle = Chain("middle", [Child("leaf")])
        top = Chain("top", [Child("middle")])
        process = await bench.process(leaf, middle, top)
        await bench.start(process, "top", "e")
        await asyncio.sleep(0.5)
        await process.call(lambda runtime: runtime.cancel("e", reason="enough"))
        for id in ("e", "e/0", "e/0/0"):
            assert (await bench.ended(id))["type"] == "cancelled"
        assert bench.loop.time() < 10
        with pytest.raises(ExecutionCancelled, match="enough"):
            await process.call(lambda runtime: runtime.result("e"))
        with pytest.raises(AlreadyFinished):
            await process.call(lambda runtime: runtime.cancel("e"))

    at_bench(work)


def test_terminating_ends_at_once_with_all_children() -> None:
    async def work(bench: Bench) -> None:
        steps = Steps()
        leaf = Chain("leaf", [steps.call("a"), steps.call("b")])
        top = Chain("top", [Child("leaf"), steps.call("c")])
        process = await bench.process(leaf, top)
        await bench.start(process, "top", "e")
        await asyncio.sleep(0.5)
        await process.call(lambda runtime: runtime.terminate("e", reason="fire"))
        for id in ("e", "e/0"):
            assert (await bench.ended(id))["type"] == "terminated"
        await asyncio.sleep(10)
        assert steps.made == ["a"]
        with pytest.raises(ExecutionTerminated, match="fire"):
            await process.call(lambda runtime: runtime.result("e"))

    at_bench(work)


def test_children_are_told_also_when_the_process_dies_right_after_the_end() -> None:
    async def work(bench: Bench) -> None:
        leaf = Chain("leaf", [Sleep(3_600_000)])
        top = Chain("top", [Child("leaf")])
        for verb, number in (("cancel", 1), ("terminate", 2)):
            process = await bench.process(leaf, top)
            await bench.start(process, "top", f"e{number}")
            await bench.status(f"e{number}/0", "waiting")
            act = asyncio.ensure_future(process.call(partial(_act, verb=verb, id=f"e{number}")))
            while bench.ledger.head_now(f"e{number}").status not in ("cancelled", "terminated"):  # type: ignore[union-attr]
                await bench.ledger.changed()
            process.kill()
            act.cancel()
            other = await bench.process(leaf, top)
            assert (await bench.ended(f"e{number}/0"))["type"] in ("cancelled", "terminated")
            await bench.ended(f"e{number}")
            other.kill()

    at_bench(work)


def test_a_failed_execution_is_retried_from_the_failed_call_and_its_parent_hears_of_it_once() -> None:
    async def work(bench: Bench) -> None:
        steps = Steps()
        broken = [True]

        async def fails(_: list[Any]) -> str:
            steps.made.append("b")
            if broken[0]:
                raise ValueError("not yet")
            return "b"

        process = await bench.process(Chain("chain", [steps.call("a"), Call(fails), steps.call("c")]))
        await bench.start(process, "chain", "e")
        assert (await bench.ended("e"))["type"] == "failed"
        broken[0] = False
        process.kill()
        process = await bench.process(Chain("chain", [steps.call("a"), Call(fails), steps.call("c")]))
        await process.call(lambda runtime: runtime.retry("e"))
        await bench.status("e", "completed")
        assert await process.call(lambda runtime: runtime.result("e")) == ["a", "b", "c"]
        assert steps.made == ["a", "b", "b", "c"]
        with pytest.raises(InvalidInput, match="only a failed execution"):
            await process.call(lambda runtime: runtime.retry("e"))

    at_bench(work)


def test_verbs_in_bulk_meet_all_that_can_take_them() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(Chain("slow", [Sleep(3_600_000)]), Chain("quick", []))
        for number in range(250):
            await bench.start(process, "slow", f"s{number}")
        for number in range(5):
            await bench.start(process, "quick", f"q{number}")
            await bench.ended(f"q{number}")
        done = await process.call(lambda runtime: runtime.bulk("pause", Filter(function="slow")))
        assert done == 250
        await bench.status("s249", "paused")
        done = await process.call(lambda runtime: runtime.bulk("cancel", Filter(prefix="s")))
        assert done == 250
        assert await process.call(lambda runtime: runtime.bulk("cancel", Filter(function="quick"))) == 0

    at_bench(work)


def test_a_retry_that_comes_while_the_parent_is_being_told_is_not_lost() -> None:
    async def work(bench: Bench) -> None:
        broken = [True]

        async def fails(_: list[Any]) -> str:
            if broken[0]:
                raise ValueError("not yet")
            return "well"

        class Slow(Faults):
            async def at(self, moment: Moment) -> None:
                if moment.operation == "accept" and moment.subject == "e" and moment.when == "before":
                    await asyncio.sleep(5)

        chains = Chain("leaf", [Call(fails)]), Chain("top", [Child("leaf")])
        process = await bench.process(*chains, faults=Slow())
        await bench.start(process, "top", "e")
        while bench.ledger.head_now("e/0") is None or bench.ledger.head_now("e/0").status != "failed":  # type: ignore[union-attr]
            await bench.ledger.changed()
        broken[0] = False
        await process.call(lambda runtime: runtime.retry("e/0"))
        assert (await bench.ended("e"))["type"] == "failed"  # it heard of the failure
        await bench.status("e/0", "completed")

    at_bench(work)


def test_a_parent_is_told_also_when_mail_came_with_the_end_and_the_process_died() -> None:
    async def work(bench: Bench) -> None:
        class Slow(Faults):
            async def at(self, moment: Moment) -> None:
                if moment.subject == "e/0" and moment.operation == "append" and bench.loop.time() > 10:
                    await asyncio.sleep(5)  # there is time for mail before the end, and to die after it

        async def slow(_: list[Any]) -> int:
            await asyncio.sleep(20)
            return 7

        chains = Chain("leaf", [Call(slow)]), Chain("top", [Child("leaf")])
        first = await bench.process(*chains, faults=Slow())
        second = await bench.process()
        await bench.start(first, "top", "e")
        await asyncio.sleep(22)
        await second.call(lambda runtime: runtime.signal("e/0", "late"))
        while bench.ledger.head_now("e/0").status != "completed":  # type: ignore[union-attr]
            await bench.ledger.changed()
        assert bench.ledger.waiting_mail("e/0") == 1
        first.kill()
        await bench.process(*chains)
        assert (await bench.ended("e"))["value"] == [[7]]

    at_bench(work)
