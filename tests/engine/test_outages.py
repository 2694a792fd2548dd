"""The store may be away, slow or full for a while: nothing acknowledged is lost and nothing is done twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter.state.errors import StoreFull, StoreUnavailable
from overwinter.testing import Faults, Moment
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain, Child, Sleep


class Away(Faults):
    """Every operation is refused while ``error`` is set."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.lose_appends = 0

    async def at(self, moment: Moment) -> None:
        if moment.when == "before" and self.error is not None:
            raise self.error
        if moment.when == "after" and moment.operation == "append" and self.lose_appends:
            self.lose_appends -= 1
            raise StoreUnavailable("the answer was lost")


@pytest.mark.parametrize("error", [StoreUnavailable("away"), StoreFull("full")])
def test_an_outage_during_commits_and_deliveries_loses_nothing(error: Exception) -> None:
    async def work(bench: Bench) -> None:
        made: list[str] = []

        async def step(_: list[Any]) -> str:
            made.append("step")
            await asyncio.sleep(1)
            return "done"

        away = Away()
        leaf = Chain("leaf", [Call(step)])
        top = Chain("top", [Call(step), Child("leaf"), Call(step)])
        process = await bench.process(leaf, top, faults=away)
        await bench.start(process, "top", "e")
        for _ in range(4):
            await asyncio.sleep(0.6)
            away.error = error
            await asyncio.sleep(7)
            away.error = None
        assert (await bench.ended("e"))["value"] == ["done", ["done"], "done"]
        assert len(made) == 3

    at_bench(work)


def test_a_start_that_was_refused_is_not_half_done() -> None:
    async def work(bench: Bench) -> None:
        away = Away()
        process = await bench.process(Chain("chain", [Call(lambda _: 1)]), faults=away)
        away.error = StoreUnavailable("away")
        with pytest.raises(StoreUnavailable):
            await bench.start(process, "chain", "e")
        away.error = None
        assert bench.ledger.head_now("e") is None
        handle = await bench.start(process, "chain", "e")
        assert handle.created
        assert (await bench.ended("e"))["value"] == [1]

    at_bench(work)


def test_a_lost_answer_to_a_commit_costs_a_moment_and_nothing_else() -> None:
    async def work(bench: Bench) -> None:
        made: list[str] = []

        async def step(_: list[Any]) -> str:
            made.append("step")
            await asyncio.sleep(0.1)
            return "done"

        away = Away()
        process = await bench.process(Chain("chain", [Call(step), Call(step), Call(step)]), faults=away)
        for lost in (1, 2):
            await bench.start(process, "chain", f"e{lost}")
            away.lose_appends = lost
            assert (await bench.ended(f"e{lost}"))["value"] == ["done"] * 3
        assert len(made) == 6
        assert bench.loop.time() < 20

    at_bench(work)


def test_a_lease_whose_answer_is_on_its_way_is_not_given_back() -> None:
    """The store refused to tell whether it granted a lease, so that is looked after while the execution is asked for
    again. What is found then is the new lease, of which nobody has heard yet: it is not an old one to give back."""

    class Slow(Faults):
        def __init__(self) -> None:
            self.asked: list[str] = []

        async def at(self, moment: Moment) -> None:
            if moment.subject != "e" or moment.operation not in ("head", "accept"):
                return
            if moment.when == "before":
                self.asked.append(moment.operation)
            if self.asked == ["head", "accept"]:
                raise StoreUnavailable("away")
            if self.asked == ["head", "accept", "head"] and moment.when == "before":
                await asyncio.sleep(0.5)  # the look after the lease comes to the store between the grant
            if moment.operation == "accept" and moment.when == "after":
                await asyncio.sleep(1)  # and its answer

    async def work(bench: Bench) -> None:
        made: list[str] = []

        async def step(_: list[Any]) -> str:
            made.append("step")
            await asyncio.sleep(0.1)
            return "done"

        chain, slow = Chain("chain", [Call(step)]), Slow()
        await bench.start(await bench.process(chain, onlooker=True), "chain", "e")
        await bench.process(chain, faults=slow)
        assert (await bench.ended("e"))["value"] == ["done"]
        assert slow.asked[:5] == ["head", "accept", "head", "head", "accept"]
        assert made == ["step"]

    at_bench(work)


def test_an_execution_survives_any_number_of_processes() -> None:
    async def work(bench: Bench) -> None:
        made: list[int] = []

        async def step(values: list[Any]) -> int:
            made.append(len(values))
            await asyncio.sleep(0.5)
            return len(values)

        chain = Chain("chain", [*[Call(step)] * 20, Sleep(10_000)])
        process = await bench.process(chain)
        await bench.start(process, "chain", "e")
        while bench.ledger.head_now("e").status != "completed":  # type: ignore[union-attr]
            await asyncio.sleep(0.7)
            process.kill()
            process = await bench.process(chain)
        assert (await bench.ended("e"))["value"] == [*range(20), None]
        assert sorted(set(made)) == list(range(20))

    at_bench(work)
