"""Times from outside are finite and bounded: what an error, a header or asyncio asks for never holds an execution."""

from __future__ import annotations

import asyncio
import math
import random
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Context, workflow
from overwinter.orchestrator.protocol.decider import Fact
from overwinter.orchestrator.usercode.resilience import Policy, Retry, retry_after, wait_of
from overwinter.state.errors import Retryable
from overwinter.state.quantities import LATEST, LONGEST, asked, deadline
from overwinter.state.records import Head
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain

ODD: list[Any] = [
    *("inf", "-inf", "1e400", "1e30", "nan", 1e30, math.inf, -math.inf, math.nan, 10**400, -(10**400), True, b"7", ""),
    *("31536000", 31_536_000, object(), "soon", [], timedelta(days=400_000_000), lambda: 3, "\ud800"),
    *("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 -0000", "Mon, 99 Foo 2001 00:00:00 GMT"),
]


class Refusal(Exception):
    """As HTTP clients raise it."""

    def __init__(self, **headers: Any) -> None:
        self.response = SimpleNamespace(headers={key.replace("_", "-"): value for key, value in headers.items()})


@pytest.mark.parametrize("wanted", ODD)
def test_what_is_asked_for_is_bounded_by_the_policy(wanted: Any) -> None:
    retry = Retry(attempts=3, most="1m")
    for error in (Retryable("busy", retry_after=wanted), Refusal(retry_after=wanted), Refusal(retry_after_ms=wanted)):
        found = retry_after(error)
        assert found is None or 0 <= found <= LONGEST
        assert 0 <= retry.pause(1, error, random.Random(1)) <= 60


@given(st.one_of(st.floats(), st.integers(), st.text(), st.decimals(), st.fractions(), st.binary(), st.timedeltas()))
def test_any_time_that_is_asked_for_is_finite(wanted: object) -> None:
    found = asked(wanted)
    assert found is None or 0 <= found <= LONGEST


@given(st.floats(allow_nan=False))
def test_any_deadline_is_one_that_every_store_can_keep(when: float) -> None:
    assert 0 <= deadline(when) <= LATEST
    assert deadline(when) >= min(when * 1000 - 1e-3, LATEST)


def test_headers_say_how_long() -> None:
    assert wait_of({"retry-after": "7"}) == wait_of({"Retry-After": "7"}) == 7
    assert wait_of({"retry-after-ms": "1500", "retry-after": "7"}) == 1.5
    assert wait_of({"retry-after-ms": "soon", "retry-after": "7"}) == 7
    assert wait_of({}) is None and wait_of(None) is None and wait_of(["retry-after"]) is None
    assert retry_after(Refusal(retry_after_ms="250")) == 0.25


@pytest.mark.parametrize("wanted", ODD)
def test_a_call_that_is_asked_to_wait_for_any_time_ends(wanted: Any) -> None:
    async def work(bench: Bench) -> None:
        tries: list[float] = []

        async def busy(_: list[Any]) -> str:
            tries.append(bench.loop.time())
            if len(tries) < 3:
                raise Retryable("busy", retry_after=wanted)
            return "fine"

        process = await bench.process(Chain("chain", [Call(busy, Policy(Retry(attempts=3, most="10m")))]))
        await bench.start(process, "chain", "e")
        assert (await bench.ended("e"))["value"] == ["fine"]
        assert tries[-1] - tries[0] <= 2 * 600 + 1

    at_bench(work)


@pytest.mark.parametrize("delay", [1e12, 1e300, math.inf, LONGEST])
def test_a_sleep_longer_than_any_calendar_waits_and_can_be_ended(delay: float) -> None:
    @workflow
    async def flow(ctx: Context) -> str:
        async with asyncio.timeout(delay):
            sleeping = asyncio.create_task(asyncio.sleep(delay))
            await ctx.wait_for("go")
            sleeping.cancel()
        return "gone"

    async def work(bench: Bench) -> None:
        process = await bench.process(flow)
        await bench.start(process, "flow", "e")
        await bench.status("e", "waiting")
        head = bench.ledger.head_now("e")
        assert isinstance(head, Head) and head.wake is not None and head.wake <= LATEST
        await process.call(lambda runtime: runtime.signal("e", "go"))
        assert (await bench.ended("e"))["value"] == "gone"

    at_bench(work)


def test_a_time_that_is_none_fails_the_workflow_by_name() -> None:
    @workflow
    async def flow(ctx: Context) -> None:
        asyncio.get_running_loop().call_at(math.nan, print)

    async def work(bench: Bench) -> None:
        process = await bench.process(flow)
        await bench.start(process, "flow", "e")
        ending: Fact = await bench.ended("e")
        assert ending["type"] == "failed" and "nan is no time" in ending["error"]["message"]

    at_bench(work)
