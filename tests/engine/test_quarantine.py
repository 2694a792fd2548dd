"""An execution that kills its processes is set aside with the operation named; those that were there go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from overwinter.functions.runtime import Runtime
from overwinter.orchestrator.engine.quarantine import Suspects, pause
from overwinter.orchestrator.engine.trials import SCOPE, Trials, quiet
from overwinter.orchestrator.usercode.resilience import Policy, Retry
from overwinter.state.records import Accepted, Head, NewMail
from overwinter.testing import Died
from overwinter.testing.clock import gate
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain, Sleep


class Poison:
    """A function that kills the process it runs in, until it is cured."""

    def __init__(self) -> None:
        self.cured = False
        self.deaths: list[float] = []

    async def after(self, deaths: int) -> None:
        """Wait until so many processes have died of it."""
        while len(self.deaths) < deaths:  # noqa: ASYNC110  # who dies sets no event
            await asyncio.sleep(0.1)

    async def __call__(self, _: list[Any]) -> str:
        if self.cured:
            return "cured"
        self.deaths.append(asyncio.get_running_loop().time())
        await gate.get().__self__.die()  # type: ignore[union-attr]
        return "never"


async def supervise(bench: Bench, *functions: object, **settings: Any) -> None:
    """Start a process whenever there is none, as systemd does."""
    while True:
        process = await bench.process(*functions, **settings)
        await process.death()
        await asyncio.sleep(0.05)


async def quarantined(bench: Bench, id: str) -> Head:
    await bench.status(id, "stuck")
    head = bench.ledger.head_now(id)
    assert head is not None
    return head


def head_of(id: str, deaths: int, owner: str | None = None, updated: int = 0) -> Head:
    return Head(id, "f", "workflow", "waiting", 0, 0, 1, 0, owner, None, None, 0, updated, "", "", "", deaths)


def test_a_call_that_kills_is_quarantined_by_name_and_twenty_innocents_complete() -> None:
    poison = Poison()

    async def slow(values: list[Any]) -> int:
        await asyncio.sleep(1.5)
        return len(values)

    async def work(bench: Bench) -> None:
        bad = Chain("bad", [Call(slow, name="slow"), Call(poison, name="poison")])
        good = Chain("good", [Call(slow, name="slow"), Call(slow, name="slow")])
        supervisor = asyncio.create_task(supervise(bench, bad, good))
        await asyncio.sleep(0.01)
        for number in range(20):
            await bench.start(bench.processes[0], "good", f"g{number}")
        await bench.start(bench.processes[0], "bad", "b")
        head = await quarantined(bench, "b")
        assert head.awaits == (
            "quarantined in step poison (1): 5 processes in a row died with it. "
            "Find out why, then try again: overwinter resume b"
        )
        assert head.deaths == 0  # trying again begins anew
        assert len(poison.deaths) == 5
        for number in range(20):
            assert (await bench.ended(f"g{number}"))["value"] == [0, 1]
            assert "stuck" not in bench.kinds(f"g{number}")
        pauses = [later - earlier for earlier, later in zip(poison.deaths, poison.deaths[1:], strict=False)]
        assert pauses[1] >= 0.5
        assert pauses[3] >= 2  # the others have the machine meanwhile

        poison.cured = True
        await bench.processes[-1].call(lambda runtime: runtime.resume("b"))
        assert (await bench.ended("b"))["value"] == [0, "cured"]
        supervisor.cancel()

    at_bench(work)


def test_the_first_call_is_named_though_nothing_is_in_the_journal_yet() -> None:
    async def work(bench: Bench) -> None:
        supervisor = asyncio.create_task(supervise(bench, Chain("bad", [Call(Poison(), name="boom")]), deaths=2))
        await asyncio.sleep(0.01)
        await bench.start(bench.processes[0], "bad", "b")
        assert (
            "quarantined in step boom (0): 2 processes in a row died with it" in (await quarantined(bench, "b")).awaits
        )
        assert bench.kinds("b") == ["stuck"]
        supervisor.cancel()

    at_bench(work)


def test_a_poison_among_steps_that_take_long_is_condemned_all_the_same() -> None:
    """It can't be had alone for long: each death that proves nothing makes the next trial twice as quiet."""
    poison = Poison()

    async def long(_: list[Any]) -> str:
        await asyncio.sleep(300)
        return "done"

    async def lingering(values: list[Any]) -> str:
        await asyncio.sleep(10)
        return await poison(values)

    async def work(bench: Bench) -> None:
        bad, good = Chain("bad", [Call(lingering, name="boom")]), Chain("good", [Call(long), Call(long)])
        supervisor = asyncio.create_task(supervise(bench, bad, good, deaths=2))
        await asyncio.sleep(0.01)
        for number in range(3):
            await bench.start(bench.processes[0], "good", f"g{number}")
        await bench.start(bench.processes[0], "bad", "b")
        assert "in step boom (0)" in (await quarantined(bench, "b")).awaits
        assert len(poison.deaths) <= 2 + 5  # it lives for 10 s: 1, 2, 4, 8, 16
        for number in range(3):
            assert (await bench.ended(f"g{number}"))["value"] == ["done", "done"]
            assert "stuck" not in bench.kinds(f"g{number}")
        await asyncio.sleep(1)
        assert await bench.ledger.keys(SCOPE) == []
        supervisor.cancel()

    at_bench(work)


def test_others_go_on_beside_a_suspect_that_is_on_trial_for_long() -> None:
    async def work(bench: Bench) -> None:
        async def hour(_: list[Any]) -> str:
            await asyncio.sleep(3600)
            return "done"

        functions = Chain("long", [Call(hour)]), Chain("short", [Call(lambda _: 1)])
        process = await bench.process(*functions, deaths=2)
        await bench.start(process, "long", "e")
        await asyncio.sleep(10)
        process.kill()
        process = await bench.process(*functions, deaths=2)
        await asyncio.sleep(0.5)
        assert await bench.ledger.keys(SCOPE) == ["e"]  # it is on trial
        began = asyncio.get_running_loop().time()
        await bench.start(process, "short", "s")
        assert (await bench.ended("s"))["value"] == [1]
        assert asyncio.get_running_loop().time() - began < 2  # of virtual time
        assert await bench.ledger.keys(SCOPE) == []  # whatever happens now proves nothing
        process.kill()
        await bench.process(*functions, deaths=2)
        assert (await bench.ended("e"))["value"] == ["done"]

    at_bench(work)


def test_what_is_quarantined_stays_so_whatever_arrives_until_it_is_resumed_or_terminated() -> None:
    poison = Poison()

    async def work(bench: Bench) -> None:
        supervisor = asyncio.create_task(supervise(bench, Chain("bad", [Call(poison)]), deaths=1))
        await asyncio.sleep(0.01)
        await bench.start(bench.processes[0], "bad", "b")
        await quarantined(bench, "b")
        died = len(poison.deaths)
        for verb in ("cancel", "pause"):
            await bench.processes[-1].call(lambda runtime, verb=verb: runtime.act(verb, "b"))  # type: ignore[misc]
        await bench.processes[-1].call(lambda runtime: runtime.signal("b", "news"))
        await asyncio.sleep(5)
        assert len(poison.deaths) == died
        await bench.processes[-1].call(lambda runtime: runtime.terminate("b"))
        assert (await bench.ended("b"))["type"] == "terminated"
        assert len(poison.deaths) == died
        supervisor.cancel()

    at_bench(work)


@pytest.mark.parametrize("before", [[], ["pause"], ["cancel"] * 150, ["pause"] + ["cancel"] * 250])
def test_it_is_resumed_wherever_that_stands_in_its_mailbox(before: list[str]) -> None:
    """Mail is read in pages, and mail of a quarantined execution that is no verb waits."""
    poison = Poison()

    async def work(bench: Bench) -> None:
        bad = Chain("bad", [Call(poison)])
        supervisor = asyncio.create_task(supervise(bench, bad, deaths=1))
        await asyncio.sleep(0.01)
        await bench.start(bench.processes[0], "bad", "b")
        await quarantined(bench, "b")
        died = len(poison.deaths)
        for number, verb in enumerate(before):
            await bench.processes[-1].call(lambda runtime, verb=verb: runtime.act(verb, "b"))  # type: ignore[misc]
            if number % 50 == 0:
                await asyncio.sleep(1)
        await asyncio.sleep(5)
        assert len(poison.deaths) == died
        poison.cured = True
        await bench.processes[-1].call(lambda runtime: runtime.resume("b"))
        assert (await bench.ended("b"))["type"] in ("completed", "cancelled")
        assert bench.kinds("b").count("stuck") == 1
        supervisor.cancel()

    at_bench(work)


def test_it_is_resumed_also_while_another_mail_is_dealt_with() -> None:
    poison = Poison()

    async def work(bench: Bench) -> None:
        bad = Chain("bad", [Call(poison)])
        supervisor = asyncio.create_task(supervise(bench, bad, deaths=1))
        await asyncio.sleep(0.01)
        await bench.start(bench.processes[0], "bad", "b")
        await quarantined(bench, "b")
        poison.cured = True

        async def both(runtime: Any) -> None:
            await asyncio.gather(runtime.act("cancel", "b"), runtime.signal("b", "news"), runtime.resume("b"))

        await bench.processes[-1].call(both)
        assert (await bench.ended("b"))["type"] in ("completed", "cancelled")
        supervisor.cancel()

    at_bench(work)


def test_resuming_what_still_kills_leads_back_to_quarantine() -> None:
    poison = Poison()

    async def work(bench: Bench) -> None:
        supervisor = asyncio.create_task(supervise(bench, Chain("bad", [Call(poison)]), deaths=2))
        await asyncio.sleep(0.01)
        await bench.start(bench.processes[0], "bad", "b")
        await quarantined(bench, "b")
        await bench.processes[-1].call(lambda runtime: runtime.resume("b"))
        await poison.after(4)
        await quarantined(bench, "b")
        assert len(poison.deaths) == 4
        supervisor.cancel()

    at_bench(work)


def test_code_that_kills_between_its_calls_is_quarantined_without_being_run_again() -> None:
    class Deadly(Chain):
        def decider(self, id: str) -> Any:
            made = super().decider(id)
            decide = made.decide

            def die() -> Any:
                deaths.append(id)
                gate.get().__self__.kill()  # type: ignore[union-attr]
                return decide()

            made.decide = die  # type: ignore[method-assign]
            return made

    deaths: list[str] = []

    async def work(bench: Bench) -> None:
        deadly = Deadly("bad", [Call(lambda _: 1)])
        supervisor = asyncio.create_task(supervise(bench, deadly, deaths=3))
        await asyncio.sleep(0.01)
        with suppress(Died):
            await bench.start(bench.processes[0], "bad", "b")
        assert (
            "in its own code: 4 processes in a row died with it, the last one when it looked"
            in (await quarantined(bench, "b")).awaits
        )
        supervisor.cancel()

    at_bench(work)


def test_processes_that_leave_in_order_are_no_deaths() -> None:
    async def work(bench: Bench) -> None:
        async def long(_: list[Any]) -> str:
            await asyncio.sleep(60)
            return "done"

        chain = Chain("long", [Call(long)])
        process = await bench.process(chain, deaths=2)
        await bench.start(process, "long", "e")
        for _ in range(6):
            await asyncio.sleep(2)
            await process.stop()
            process = await bench.process(chain, deaths=2, grace="0s")
        assert (await bench.ended("e"))["value"] == ["done"]

    at_bench(work)


def test_an_execution_that_gets_on_survives_any_number_of_deaths() -> None:
    async def work(bench: Bench) -> None:
        async def step(values: list[Any]) -> int:
            await asyncio.sleep(0.9)
            return len(values)

        chain = Chain("long", [Call(step) for _ in range(12)])
        process = await bench.process(chain, deaths=2)
        await bench.start(process, "long", "e")
        for _ in range(9):
            await asyncio.sleep(1)
            process.kill()
            process = await bench.process(chain, deaths=2)
        assert (await bench.ended("e"))["value"] == list(range(12))

    at_bench(work)


def test_pauses_between_attempts_of_a_call_do_not_end_the_count() -> None:
    """Waiting in the store for the next attempt is written down, so it ends the count: each death stands for itself."""

    async def work(bench: Bench) -> None:
        failed: list[int] = []

        async def fails(_: list[Any]) -> str:
            failed.append(1)
            if len(failed) < 3:
                raise ConnectionError
            return "done"

        policy = Policy(retry=Retry(attempts=5, first="10s", in_process="1s"))
        process = await bench.process(Chain("f", [Call(fails, policy), Sleep(1000)]), deaths=1)
        await bench.start(process, "f", "e")
        await bench.status("e", "waiting")
        process.kill()
        await bench.process(Chain("f", [Call(fails, policy), Sleep(1000)]), deaths=1)
        assert (await bench.ended("e"))["value"][0] == "done"

    at_bench(work)


def test_zero_deaths_means_that_nothing_is_quarantined() -> None:
    poison = Poison()

    async def work(bench: Bench) -> None:
        supervisor = asyncio.create_task(supervise(bench, Chain("bad", [Call(poison)]), deaths=0))
        await asyncio.sleep(0.01)
        await bench.start(bench.processes[0], "bad", "b")
        await poison.after(12)
        poison.cured = True
        assert (await bench.ended("b"))["value"] == ["cured"]
        supervisor.cancel()

    at_bench(work)


class Notes:
    """A sweeper that does nothing but write down what it is told."""

    def __init__(self) -> None:
        self.left: dict[str, int] = {}
        self.ready: list[str] = []

    def leave(self, id: str, ms: int) -> None:
        self.left[id] = ms

    def again(self, ids: Iterable[str]) -> None:
        self.ready += ids


class Process:
    """A process in which nothing is active but what is said."""

    store: Any = None

    def __init__(self) -> None:
        self.active: dict[str, object] = {}
        self.asking: dict[str, object] = {}

    def spawn(self, work: Any) -> None:
        work.close()

    async def post(self, id: str, mail: NewMail | None) -> Accepted:
        raise AssertionError


async def at_once(work: Any, execution: str) -> Any:
    return await work()


def suspected(limit: int, clock: Callable[[], int], notes: Notes) -> Suspects:
    return Suspects(limit, clock, notes, nothing, Trials(Process(), limit, at_once))


async def nothing(head: Head, texts: Sequence[str] | None) -> list[dict[str, Any]]:
    return []


@pytest.mark.parametrize(("deaths", "most"), [(1, 1000), (2, 100), (3, 10), (4, 1), (5, 1)])
def test_the_more_deaths_the_fewer_at_a_time(deaths: int, most: int) -> None:
    suspects = suspected(5, lambda: 10**9, Notes())
    begun = sum(suspects.may_begin(f"e{number}", deaths) for number in range(1500))
    assert begun == most


def test_a_suspect_that_waited_has_its_turn_when_another_is_cleared() -> None:
    notes = Notes()
    suspects = suspected(3, lambda: 10**9, notes)
    assert suspects.may_take(head_of("a", 2))
    assert not suspects.may_take(head_of("b", 2))
    assert not suspects.may_take(head_of("c", 1))  # it would be beside one that must be alone
    assert suspects.may_take(head_of("new", 0))
    assert list(notes.left) == ["b", "c"]
    suspects.gone("new")
    assert notes.ready == []
    suspects.gone("a")
    assert notes.ready == ["b", "c"]
    assert suspects.may_take(head_of("c", 1))
    assert not suspects.may_take(head_of("b", 2))


def test_who_holds_a_due_execution_counts_as_a_death_and_pauses_grow() -> None:
    notes = Notes()
    suspects = suspected(5, lambda: 1_000, notes)
    assert suspects.may_take(head_of("first", 0, owner="dead", updated=1_000))
    assert not suspects.may_take(head_of("second", 1, owner="dead", updated=900))
    assert notes.left == {"second": 400}
    assert [pause(deaths) for deaths in range(6)] == [0, 0, 500, 1000, 2000, 4000]
    assert pause(100) == 60_000


def test_how_long_a_trial_is_quiet() -> None:
    assert [quiet(deaths, 5) for deaths in range(4, 9)] == [1_000, 2_000, 4_000, 8_000, 16_000]


def test_nothing_is_begun_beside_one_on_trial_and_a_trial_waits_for_others() -> None:
    process = Process()
    trials = Trials(process, 3, at_once)
    process.active["long"] = object()
    assert not trials.may_begin("a", 2)
    assert trials.making_way
    assert trials.shut
    assert trials.closed("new")
    assert not trials.closed("a")
    other = Trials(Process(), 3, at_once)
    assert other.may_begin("a", 2)
    assert other.may_begin("a", 2)  # it is asked again when it was granted
    assert not other.may_begin("b", 2)
    assert other.closed("new")
    other.gone("a")
    assert not other.closed("new")


def test_what_was_about_to_be_begun_when_a_trial_began_waits_for_its_end() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(Chain("short", [Call(lambda _: 1)]), deaths=2)
        engine = process.runtime.engine
        looked = engine.leases.look

        async def free(runtime: Runtime) -> None:
            runtime.engine.suspects.gone("suspect")

        async def look() -> None:
            await looked()
            assert engine.trials.may_begin("suspect", 1)

        engine.leases.look = look  # type: ignore[method-assign]
        await bench.start(process, "short", "s")
        engine.leases.look = looked  # type: ignore[method-assign]
        head = bench.ledger.head_now("s")
        assert head is not None
        assert head.owner is None
        await process.call(free)
        assert (await bench.ended("s"))["value"] == [1]

    at_bench(work)
