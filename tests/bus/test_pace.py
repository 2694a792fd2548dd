"""Subscriptions that go at a pace: so many at a time, so many in a time, one of a key at a time, again when it fails,
and set aside at last; whatever crashes."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overwinter import Context, Final, InvalidInput, Retry, Runtime, subscribe, tool, workflow
from overwinter.functions.bus.subscription import from_json, subscriptions_of
from overwinter.functions.event import CloudEvent
from overwinter.orchestrator.protocol.decider import Access, Fact, Spawn, Verdict
from overwinter.orchestrator.queue.decider import ROOM
from overwinter.orchestrator.queue.pace import Pace
from overwinter.orchestrator.queue.queue import Queue
from overwinter.orchestrator.upkeep.retention import prune
from overwinter.state.errors import Unfit
from overwinter.state.records import FINAL, Filter
from overwinter.testing import World, crash_everywhere
from overwinter.tests.apart.place import on_a_loop, until

AT_WORK: Counter[str] = Counter()
MOST: Counter[str] = Counter()
DONE: list[str] = []
TRIED: Counter[str] = Counter()


@subscribe(type="job", concurrency=2, order="partitionkey", retry=Retry(attempts=3, first="5ms", factor=1))
@tool(retry=Retry(attempts=1))
async def job(id: str, key: str = "", fails: int = 0) -> str:
    """Do it."""
    AT_WORK["all"] += 1
    AT_WORK[key] += 1
    MOST["all"] = max(MOST["all"], AT_WORK["all"])
    MOST[key] = max(MOST[key], AT_WORK[key])
    try:
        await asyncio.sleep(0.002)
        TRIED[id] += 1
        if TRIED[id] <= fails:
            raise ConnectionError(f"{id} fails")
        DONE.append(id)
        return id
    finally:
        AT_WORK["all"] -= 1
        AT_WORK[key] -= 1


@pytest.fixture(autouse=True)
def _fresh() -> None:
    fresh()


def fresh() -> None:
    for one in (AT_WORK, MOST, TRIED):
        one.clear()
    DONE.clear()


def work(id: str, key: str, fails: int = 0) -> CloudEvent:
    data = {"id": id, "key": key, "fails": fails}
    return CloudEvent(id=id, source="/jobs", type="job", data=data, extensions={"partitionkey": key})


@on_a_loop
async def test_so_many_at_a_time_and_one_of_a_key() -> None:
    async with asyncio.timeout(60), Runtime([job], "memory://") as runtime:
        for number in range(30):
            await runtime.publish(work(f"{number:02}", "abc"[number % 3]))
            await runtime.publish(work(f"{number:02}", "abc"[number % 3]))
        await until(lambda: len(DONE) == 30)
        assert MOST["all"] == 2 and MOST["a"] == MOST["b"] == MOST["c"] == 1
        for key in range(3):
            assert [id for id in DONE if int(id) % 3 == key] == [f"{number:02}" for number in range(key, 30, 3)]
        while (await runtime.show("job~queue")).status != "idle":  # noqa: ASYNC110  # only the store knows
            await asyncio.sleep(0.005)
        assert not await runtime.bus.dead_letters.all()


@on_a_loop
async def test_what_fails_is_tried_again_and_set_aside_and_holds_nobody_else_up() -> None:
    async with asyncio.timeout(60), Runtime([job], "memory://") as runtime:
        await runtime.publish(work("mended", "a", fails=2))
        await runtime.publish(work("poison", "b", fails=99))
        await runtime.publish(work("after", "b"))
        await runtime.publish(CloudEvent(id="unfit", source="/jobs", type="job", data={"wrong": 1}))
        for number in range(5):
            await runtime.publish(work(f"{number}", "c"))
        await until(lambda: len(DONE) == 7)
        assert TRIED["mended"] == 3 and TRIED["poison"] == 3
        while len(letters := await runtime.bus.dead_letters.all()) < 2:  # noqa: ASYNC110  # only the store knows
            await asyncio.sleep(0.005)
        assert len(letters) == 2
        by_id = {letter.event["id"]: letter for letter in letters}
        assert (by_id["poison"].attempts, by_id["unfit"].attempts) == (3, 1)
        assert by_id["poison"].reason == "poison fails" and by_id["poison"].event["data"]["fails"] == 99
        TRIED["poison"] = 99
        await runtime.bus.dead_letters.send(by_id["poison"].id)
        await until(lambda: "poison" in DONE)


@on_a_loop
async def test_a_queue_can_not_be_ended_since_what_waits_in_it_is_confirmed() -> None:
    async with asyncio.timeout(60), Runtime([job], "memory://") as runtime:
        await runtime.publish(work("before", "a"))
        await until(lambda: DONE == ["before"])
        for end in (runtime.terminate, runtime.cancel):
            with pytest.raises(Unfit, match="overwinter pause"):
                await end("job~queue")
        while (await runtime.show("job~queue")).status != "idle":  # noqa: ASYNC110  # only the store knows
            await asyncio.sleep(0.005)
        with pytest.raises(Unfit, match="Nothing was sent"):
            await runtime.signal("job~queue", "event")
        assert await runtime.bulk("terminate", Filter(function="job~queue")) == 0
        await runtime.publish(work("after", "a"))
        await until(lambda: DONE == ["before", "after"])


@subscribe(type="bill", retry=Retry(attempts=2, first="1h", factor=1))
@tool(retry=Retry(attempts=1))
async def bill(id: str) -> str:
    """Write a bill."""
    if id == "wrong":
        raise ValueError(id)
    DONE.append(id)
    return id


@on_a_loop
async def test_what_a_queue_has_begun_goes_with_retention_though_the_queue_goes_on() -> None:
    async with asyncio.timeout(60), Runtime([bill], "memory://") as runtime:
        for id in ("wrong", "1", "2"):
            await runtime.publish(CloudEvent(id=id, source="/jobs", type="bill", data={"id": id}))
        while len(await runtime.list(function="bill", status="completed")) < 2:  # noqa: ASYNC110  # only the store knows
            await asyncio.sleep(0.005)
        while (await runtime.show("bill~queue")).awaits != "0 at work, 1 waiting":  # noqa: ASYNC110  # only the store knows
            await asyncio.sleep(0.005)
        assert await prune(runtime.store, 1, FINAL, runtime.clock() + 1000) == 3
        assert [head.id for head in await runtime.list()] == ["bill~queue"]


def remind(function: Any, **pace: Any) -> Any:
    """``function`` as a release has it that goes at this pace."""
    return subscribe(type="job", **pace)(tool(name="remind")(function))


@on_a_loop
async def test_what_lies_in_a_queue_comes_out_when_the_pace_is_taken_away(tmp_path: Path) -> None:
    """Also an event that is published once more meanwhile is taken once."""
    store = f"sqlite:///{tmp_path / 'queue.db'}"
    begun, done = asyncio.Event(), list[str]()

    async def slow(id: str) -> str:
        """Remind."""
        begun.set()
        await asyncio.sleep(3600)
        return id

    async def quick(id: str) -> str:
        """Remind."""
        done.append(id)
        return id

    def event(id: str) -> CloudEvent:
        return CloudEvent(id=id, source="/jobs", type="job", data={"id": id})

    async with asyncio.timeout(60), Runtime([remind(slow, concurrency=1)], store) as runtime:
        for id in "abcd":
            await runtime.publish(event(id))
        await begun.wait()
    async with asyncio.timeout(60), Runtime([remind(quick)], store) as runtime:
        for id in "cde":
            await runtime.publish(event(id))
        await until(lambda: len(set(done)) == 5)
        while (await runtime.show("remind~queue")).status != "idle":  # noqa: ASYNC110  # only the store knows
            await asyncio.sleep(0.005)
        assert not await runtime.bus.dead_letters.all()
    assert sorted(done) == ["a", "b", "c", "d", "e"]


@on_a_loop
async def test_a_dead_letter_of_a_queue_can_be_sent_again_and_again() -> None:
    """Each time it is another attempt, and what fails anew is a dead letter again."""
    async with asyncio.timeout(60), Runtime([job], "memory://") as runtime:
        await runtime.publish(work("wrong", "a", fails=9))
        desk = runtime.bus.dead_letters
        for attempts in (3, 6, 9):
            while not (letters := await desk.all()):  # noqa: ASYNC110  # only the store knows
                await asyncio.sleep(0.005)
            (letter,) = letters
            assert letter.attempts == TRIED["wrong"] == attempts
            sent = await desk.send(letter.id)
            assert sent.endswith(f"~{attempts + 1}")
        await until(lambda: DONE == ["wrong"])
        assert await runtime.result(sent) == "wrong"


SEEN: list[int] = []


@subscribe(type="tick", rate="2/10s")
@workflow
async def ticked(ctx: Context) -> int:
    SEEN.append(int(ctx.now().timestamp()))
    return 1


async def ticks(world: World) -> Any:
    for number in range(5):
        event = CloudEvent(id=f"{number}", source="/clock", type="tick")
        await world.call(lambda runtime, event=event: runtime.publish(event))  # type: ignore[misc]  # mypy sees no default
    return await ended(world, "ticked", 5)


async def ended(world: World, function: str, count: int) -> Any:
    def look() -> Any:
        heads = [head for head in world.ledger.heads_now() if head.function == function]
        return heads if len(heads) == count and all(head.status == "completed" for head in heads) else None

    async with asyncio.timeout(3600):
        heads = await world.until(look)
    starts = sorted(head.created for head in heads)
    return [starts[index + 2] - starts[index] >= 9_999 for index in range(len(starts) - 2)]


def test_so_many_in_a_time_whatever_crashes() -> None:
    report = crash_everywhere(ticks, functions=[ticked], kills=12)
    assert report.outcome.value == [True] * 3


@subscribe(type="job", order="partitionkey", concurrency=1, retry=Retry(attempts=2, first="1s"))
@workflow
async def steady(ctx: Context, data: dict[str, Any]) -> str:
    if data["fails"]:
        raise ConnectionError("always")
    return str(data["id"])


async def jobs(world: World) -> Any:
    for number in range(4):
        event = work(f"{number}", "k", fails=int(number == 1))
        await world.call(lambda runtime, event=event: runtime.publish(event))  # type: ignore[misc]  # mypy sees no default

    def look() -> Any:
        heads = [head for head in world.ledger.heads_now() if head.function == "steady"]
        over = [head for head in heads if head.status in ("completed", "failed")]
        return heads if len(over) == 5 else None

    async with asyncio.timeout(3600):
        heads = await world.until(look)
    letters: Any = []
    while not letters:
        letters = await world.call(lambda runtime: runtime.bus.dead_letters.all())
        await asyncio.sleep(1)
    order = [head.id for head in sorted(heads, key=lambda head: head.created)]
    return order, [(letter.event["id"], letter.attempts) for letter in letters]


def test_a_queue_survives_a_crash_at_every_operation() -> None:
    report = crash_everywhere(jobs, functions=[steady], limit="30d")
    assert report.points > 30
    assert report.outcome.value[1] == [("1", 2)]
    assert len(report.outcome.value[0]) == 5


# -- the decider by itself --------------------------------------------------------------------------------


class Bench:
    """A decider with everything that it asks for done in any order, and replayed now and then."""

    def __init__(self, pace: Pace, seed: int) -> None:
        self.queue = Queue("s", "f", "workflow", pace, "letters")
        self.decider = self.queue.decider("q")
        self.draw = random.Random(seed)
        self.journal: list[Fact] = []
        self.base = 1
        self.state = ""
        self.now = 1000
        self.wake: int | None = None
        self.open: dict[str, Any] = {}
        self.running: dict[str, Spawn] = {}
        self.begun: list[tuple[int, str]] = []
        self.letters: list[str] = []
        self.done: list[str] = []

    def offer(self, fact: Fact) -> Verdict:
        fact = {"at": self.now, **fact}
        verdict = self.decider.offer(json.loads(json.dumps(fact)))
        if verdict is Verdict.TAKEN:
            self.journal.append(fact)
        self.decide()
        return verdict

    def decide(self) -> None:
        decision = self.decider.decide()
        self.journal += json.loads(json.dumps(decision.entries))
        self.base, self.state, self.wake = decision.base or self.base, decision.state, decision.wake
        for effect in decision.perform:
            self.open[effect.op] = effect

    def die(self) -> None:
        self.decider = self.queue.decider("q")
        self.open.clear()
        entries = json.loads(json.dumps(self.journal[self.base - 1 :]))
        self.decider.replay(self.state, self.base, entries, self.now)
        self.decide()

    def go_on(self, fails: dict[str, int]) -> bool:
        """One thing that may happen. False: nothing can."""
        if self.draw.random() < 0.1:
            self.die()
        ways = [*self.open, *self.running]
        if not ways:
            if self.wake is None:
                return False
            self.now = max(self.now, self.wake)
            self.decider.expire(self.now)
            self.decide()
            return True
        way = self.draw.choice(ways)
        effect = self.open.pop(way, None)
        if isinstance(effect, Spawn):
            if effect.id not in self.running and effect.id not in self.done:
                self.running[effect.id] = effect
                self.begun.append((self.now, effect.id))
            self.offer({"type": "sent", "op": effect.op})
        elif isinstance(effect, Access):
            if effect.key not in self.letters:
                self.letters.append(effect.key)
            self.offer({"type": "step", "op": effect.op, "name": effect.name, "value": "etag"})
        else:
            child = self.running.pop(way)
            self.done.append(way)
            failed = self.done.count(way) and int(way.partition("~")[2] or 1) <= fails[way.partition("~")[0]]
            outcome = (
                {"status": "failed", "error": {"kind": "x", "message": "no"}} if failed else {"status": "completed"}
            )
            self.offer({"type": "child", "id": child.id, **outcome})
        return True


@settings(max_examples=120, deadline=None)
@given(
    pace=st.builds(
        Pace,
        concurrency=st.integers(0, 3),
        rate=st.integers(0, 2),
        per=st.just(1000),
        ordered=st.booleans(),
        attempts=st.integers(1, 3),
        first=st.just(50),
        factor=st.floats(1, 100),
        most=st.integers(50, 24 * 3_600_000),  # later times are no exact milliseconds any more
    ),
    keys=st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=12),
    fails=st.lists(st.integers(0, 4), min_size=12, max_size=12),
    seed=st.integers(0, 9999),
)
def test_any_pace_is_kept_whatever_happens_in_whatever_order(
    pace: Pace, keys: list[str], fails: list[int], seed: int
) -> None:
    bench = Bench(pace, seed)
    failing = {f"d{number}": fails[number] for number in range(len(keys))}
    waiting = list(enumerate(keys))
    for _ in range(5000):
        if waiting and (bench.draw.random() < 0.4 or not (bench.open or bench.running)):
            number, key = waiting.pop(0)
            fact: Fact = {"type": "deliver", "id": f"d{number}", "event": {"id": f"{number}"}}
            assert bench.offer(fact | ({"key": key} if key else {})) is Verdict.TAKEN
        elif not bench.go_on(failing) and not waiting:
            break
        if pace.concurrency:
            assert len(bench.running) <= pace.concurrency
        if pace.ordered:
            at_work = [keys[int(id.partition("~")[0][1:])] for id in bench.running]
            assert all(count == 1 for key, count in Counter(at_work).items() if key)
    assert not bench.open and not bench.running and not waiting
    for number in range(len(keys)):
        tries = min(fails[number] + 1, pace.attempts)
        ids = [id for _, id in bench.begun if id.partition("~")[0] == f"d{number}"]
        assert ids == [f"d{number}" + (f"~{one}" if one > 1 else "") for one in range(1, tries + 1)]
    assert sorted(bench.letters) == sorted(id for id, count in failing.items() if count >= pace.attempts)
    if pace.ordered:
        for key in ("a", "b"):
            firsts = [id for _, id in bench.begun if "~" not in id and keys[int(id[1:])] == key]
            assert firsts == sorted(firsts, key=lambda id: int(id[1:]))
    if pace.rate:
        times = [at for at, _ in bench.begun]
        assert all(later - sooner >= pace.per - 2 for sooner, later in zip(times, times[pace.rate :], strict=False))


def test_a_full_queue_leaves_the_rest_in_the_mailbox() -> None:
    bench = Bench(Pace(concurrency=1), 1)
    for number in range(ROOM):
        assert bench.offer({"type": "deliver", "id": f"d{number}", "event": {}}) is Verdict.TAKEN
    assert bench.offer({"type": "deliver", "id": "more", "event": {}}) is Verdict.LATER
    assert bench.offer({"type": "cancel"}) is Verdict.IGNORED


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0}, {"rate": "ten"}, {"rate": "0/s"}, {"order": "data"},
        {"retry": Retry(final=(KeyError,))}, {"rate": 5},
        {"rate": "1/99999999999d"}, {"retry": 3}, {"retry": "3"},
    ],
)  # fmt: skip
def test_paces_that_can_not_be(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        subscribe(type="x", **wrong)


def test_a_pace_is_told_of_as_data() -> None:
    (one,) = subscriptions_of({"job": job.__overwinter__}).values()  # type: ignore[attr-defined]  # what stands behind it
    assert from_json("job", json.loads(json.dumps(one.as_json()))) == one
    assert one.pace == Pace(2, 0, 1000, True, 3, 5, 1.0, 3_600_000)
    assert Pace(first=10, factor=10.0, most=500).pause(9) == 500
    assert issubclass(Final, Exception)
