"""Both tiers of retries walk one schedule: short pauses here, long ones in the store, never multiplied."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from overwinter.orchestrator.engine.performing import current_call
from overwinter.orchestrator.usercode.resilience import Breaker, Policy, Retry
from overwinter.state.errors import Final, Retryable, StepFailed, TimedOut
from overwinter.state.records import Head
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain, Sleep


class Flaky:
    """Fails the first ``failures`` times; notes when it was called."""

    def __init__(self, bench: Bench, failures: int, error: Exception | None = None) -> None:
        self.bench = bench
        self.failures = failures
        self.error = error or ConnectionError("no answer")
        self.times: list[float] = []

    async def __call__(self, _: list[Any]) -> str:
        self.times.append(self.bench.loop.time())
        if len(self.times) <= self.failures:
            raise self.error
        return "fine"

    def pauses(self) -> list[float]:
        return [after - before for before, after in zip(self.times, self.times[1:], strict=False)]


def policy(attempts: int, **retry: Any) -> Policy:
    return Policy(retry=Retry(attempts=attempts, **retry))


def test_a_short_pause_is_waited_for_in_the_process() -> None:
    async def work(bench: Bench) -> None:
        flaky = Flaky(bench, 2)
        process = await bench.process(Chain("chain", [Call(flaky, policy(3, first="200ms"))]))
        await bench.start(process, "chain", "e")
        assert (await bench.ended("e"))["value"] == ["fine"]
        assert bench.kinds("e") == ["start", "step", "completed"]
        assert bench.ledger.journal_now("e")[1]["n"] == 3
        short, longer = flaky.pauses()
        assert 0.1 <= short <= 0.2 and 0.4 <= longer <= 0.8

    at_bench(work)


def test_a_long_pause_is_waited_for_in_the_store_and_total_attempts_are_the_policys() -> None:
    async def work(bench: Bench) -> None:
        flaky = Flaky(bench, 99)
        retry = policy(6, first="500ms", factor=4.0, most="1m", in_process="2s", jitter=False)
        process = await bench.process(Chain("chain", [Call(flaky, retry)]), cache=0)
        await bench.start(process, "chain", "e")
        await asyncio.sleep(4)
        head = bench.ledger.head_now("e")
        assert isinstance(head, Head)
        assert (head.owner, head.status) == (None, "waiting") and head.wake is not None
        ending = await bench.ended("e")
        assert ending["type"] == "failed" and ending["error"]["kind"] == "builtins.ConnectionError"
        assert len(flaky.times) == 6
        entries = bench.ledger.journal_now("e")
        assert [fact["n"] for fact in entries if fact["type"] == "retrying"] == [3, 4, 5]
        assert [round(pause, 1) for pause in flaky.pauses()] == [0.5, 2.0, 8.0, 32.0, 60.0]

    at_bench(work)


def test_a_durable_retry_goes_on_in_another_process_where_the_first_left_off() -> None:
    async def work(bench: Bench) -> None:
        flaky = Flaky(bench, 4)
        retry = policy(5, first="10s", factor=1.0, jitter=False)
        chain = Chain("chain", [Call(flaky, retry)])
        first = await bench.process(chain)
        await bench.start(first, "chain", "e")
        await asyncio.sleep(25)
        first.kill()
        await bench.process(chain)
        assert (await bench.ended("e"))["value"] == ["fine"]
        assert len(flaky.times) == 5

    at_bench(work)


def test_retry_after_is_a_minimum() -> None:
    async def work(bench: Bench) -> None:
        short = Flaky(bench, 1, Retryable("busy", retry_after=1.5))
        long = Flaky(bench, 1, Retryable("busy", retry_after=3600))
        process = await bench.process(Chain("chain", [Call(short), Call(long)]))
        await bench.start(process, "chain", "e")
        assert (await bench.ended("e"))["value"] == ["fine", "fine"]
        assert short.pauses() == [1.5]
        assert 3600 <= long.pauses()[0] <= 3601
        assert bench.kinds("e").count("retrying") == 1

    at_bench(work)


def test_final_errors_are_not_tried_again() -> None:
    async def work(bench: Bench) -> None:
        for number, error in enumerate((Final("no"), ValueError("wrong"), KeyError("gone"))):
            flaky = Flaky(bench, 1, error)
            name = f"chain{number}"
            process = await bench.process(Chain(name, [Call(flaky)]))
            await bench.start(process, name, name)
            assert (await bench.ended(name))["type"] == "failed"
            assert len(flaky.times) == 1

    at_bench(work)


def test_a_timeout_bounds_one_attempt_and_is_tried_again() -> None:
    async def work(bench: Bench) -> None:
        begun: list[float] = []

        async def hangs(_: list[Any]) -> None:
            begun.append(bench.loop.time())
            await asyncio.sleep(1000)

        timed = Policy(retry=Retry(attempts=3, first="100ms", jitter=False), timeout="5s")
        process = await bench.process(Chain("chain", [Call(hangs, timed)]))
        await bench.start(process, "chain", "e")
        ending = await bench.ended("e")
        assert ending["error"]["kind"] == f"{TimedOut.__module__}.TimedOut"
        assert [round(at, 1) for at in begun] == [0.0, 5.1, 10.5]

    at_bench(work)


def test_an_open_circuit_keeps_calls_away_and_costs_no_attempts() -> None:
    async def work(bench: Bench) -> None:
        flaky = Flaky(bench, 3)
        guarded = Policy(
            retry=Retry(attempts=5, first="100ms", factor=1.0, jitter=False),
            breaker=Breaker(failures=3, reset="1m"),
        )
        process = await bench.process(Chain("chain", [Call(flaky, guarded)]))
        await bench.start(process, "chain", "e")
        await bench.start(process, "chain", "other")
        assert (await bench.ended("e"))["value"] == ["fine"]
        assert (await bench.ended("other"))["value"] == ["fine"]
        assert len([at for at in flaky.times if at < 60]) == 3
        assert min(at for at in flaky.times if at > 1) >= 60

    at_bench(work)


def test_attempts_kept_away_by_the_circuit_are_not_counted() -> None:
    async def work(bench: Bench) -> None:
        made: Counter[str] = Counter()

        async def fails(_: list[Any]) -> None:
            made[current_call().execution] += 1
            raise ConnectionError("no answer")

        guarded = Policy(
            retry=Retry(attempts=4, first="100ms", factor=1.0, jitter=False),
            breaker=Breaker(failures=3, reset="1m"),
        )
        process = await bench.process(Chain("chain", [Call(fails, guarded)]))
        for id in ("e", "other"):
            await bench.start(process, "chain", id)
        for id in ("e", "other"):
            assert (await bench.ended(id))["error"]["kind"] == "builtins.ConnectionError"
        assert made == {"e": 4, "other": 4}

    at_bench(work)


def test_a_call_that_cancels_itself_has_failed() -> None:
    async def work(bench: Bench) -> None:
        async def cancels(_: list[Any]) -> None:
            raise asyncio.CancelledError

        process = await bench.process(Chain("chain", [Call(cancels, policy(1))]))
        await bench.start(process, "chain", "e")
        assert (await bench.ended("e"))["error"]["kind"] == f"{StepFailed.__module__}.StepFailed"

    at_bench(work)


def test_a_plain_function_may_run_its_own_loop() -> None:
    async def work(bench: Bench) -> None:
        async def inner() -> int:
            return 5

        process = await bench.process(
            Chain("chain", [Call(lambda _: asyncio.run(inner()), threaded=True), Sleep(1000)])
        )
        await bench.start(process, "chain", "e")
        assert (await bench.ended("e"))["value"] == [5, None]

    at_bench(work)


def test_an_at_most_once_call_that_died_is_in_doubt_and_not_repeated() -> None:
    async def work(bench: Bench) -> None:
        charged: list[str] = []

        async def charge(_: list[Any]) -> str:
            charged.append("50 €")
            await asyncio.sleep(10)
            return "paid"

        once = Policy(retry=Retry(attempts=1), at_most_once=True)
        chain = Chain("chain", [Call(charge, once)])
        first = await bench.process(chain)
        await bench.start(first, "chain", "e")
        await asyncio.sleep(1)
        assert bench.kinds("e") == ["start", "begun"]
        first.kill()
        await bench.process(chain)
        ending = await bench.ended("e")
        assert ending["type"] == "failed" and ending["error"]["kind"].endswith("InDoubt")
        assert charged == ["50 €"]

    at_bench(work)


def test_an_at_most_once_call_whose_time_is_over_is_in_doubt_and_not_repeated() -> None:
    """What it has begun may have happened, or may yet."""

    async def work(bench: Bench) -> None:
        charged: list[str] = []

        async def charge(_: list[Any]) -> str:
            charged.append("50 €")
            await asyncio.sleep(10)
            return "paid"

        once = Policy(retry=Retry(attempts=3, first="1ms"), timeout="50ms", at_most_once=True)
        process = await bench.process(Chain("chain", [Call(charge, once)]))
        await bench.start(process, "chain", "e")
        ending = await bench.ended("e")
        assert ending["type"] == "failed" and ending["error"]["kind"].endswith("InDoubt")
        assert "took longer than 50ms; it may have taken effect" in ending["error"]["message"]
        assert charged == ["50 €"]

    at_bench(work)


def test_an_at_most_once_call_begins_after_its_beginning_is_durable() -> None:
    async def work(bench: Bench) -> None:
        seen: list[list[str]] = []

        async def charge(_: list[Any]) -> str:
            seen.append(bench.kinds("e"))
            if len(seen) == 1:
                raise ConnectionError("no answer")
            return "paid"

        once = Policy(retry=Retry(attempts=2, first="100ms"), at_most_once=True)
        process = await bench.process(Chain("chain", [Call(charge, once)]))
        await bench.start(process, "chain", "e")
        assert (await bench.ended("e"))["value"] == ["paid"]
        assert seen == [["start", "begun"], ["start", "begun", "retrying", "begun"]]

    at_bench(work)
