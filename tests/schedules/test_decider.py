"""The decider of schedules: each time once, runs meet as they may, missed ones are made up for exactly as told, and a
process that dies anywhere changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.orchestrator.schedule.decider import LATE, ScheduleDecider
from overwinter.orchestrator.schedule.naming import moment
from overwinter.orchestrator.schedule.spec import Missed, Overlap, Spec
from overwinter.orchestrator.schedule.state import State

from .driver import NAME, Driver

MINUTE = 60_000
START = 1_790_000_000_000 // MINUTE * MINUTE
SPECS = st.builds(
    Spec,
    function=st.just("report"),
    kind=st.just("workflow"),
    cron=st.just(""),
    at=st.just(0),
    zone=st.just("UTC"),
    input=st.just(None),
    every=st.sampled_from([MINUTE, 2 * MINUTE, 7 * MINUTE]),
    overlap=st.sampled_from(["skip", "queue", "cancel", "allow"]),
    missed=st.sampled_from(["none", "last", "all"]),
    most=st.integers(1, 5),
    jitter=st.sampled_from([0, 0, 30_000, MINUTE]),
)
DOINGS = st.lists(
    st.one_of(
        st.tuples(st.just("wake"), st.sampled_from([1_000, 20_000, MINUTE, 5 * MINUTE, 40 * MINUTE])),
        st.tuples(st.sampled_from(["deliver", "end", "fail", "die", "pause", "resume", "run"]), st.just(0)),
    ),
    max_size=60,
)


def play(driver: Driver, doings: list[tuple[str, int]]) -> None:
    asked = 0
    for what, pause in doings:
        if what == "wake":
            driver.wake(driver.now + pause)
        elif what in ("end", "fail"):
            if driver.going and not driver.paused:
                driver.end(next(iter(driver.going)), "completed" if what == "end" else "failed")
        elif what == "run":
            if not driver.paused:
                asked += 1
                driver.take({"type": "run", "at": driver.now, "id": f"{NAME}@by-hand-{asked}"})
        elif what == "deliver":
            if not driver.paused:
                driver.deliver()
        else:
            getattr(driver, what)()


@given(SPECS, DOINGS)
def test_whatever_happens_each_time_is_run_once_and_runs_meet_as_they_may(
    spec: Spec, doings: list[tuple[str, int]]
) -> None:
    driver = Driver(spec, START)
    play(driver, doings)
    assert not driver.sound()
    planned = driver.planned
    assert len(set(planned)) == len(planned) and planned == sorted(planned)
    ids = [entry["id"] for entry in driver.entries("ordered")]
    assert len(set(ids)) == len(ids)
    assert len(set(driver.begun)) == len(driver.begun)
    assert all(time % spec.every == 0 and time > START for time in planned)
    if spec.overlap != "allow":
        assert driver.crowds <= 1


@given(SPECS, DOINGS, st.data())
def test_a_death_anywhere_changes_nothing(spec: Spec, doings: list[tuple[str, int]], data: st.DataObject) -> None:
    """With deaths in between, all that was ordered is the same, once everything has been delivered."""
    doings = [(what, pause) for what, pause in doings if what != "die"]
    at = data.draw(st.sets(st.integers(0, max(0, len(doings) - 1)), max_size=4))
    mortal = [one for number, doing in enumerate(doings) for one in ([("die", 0)] if number in at else []) + [doing]]
    calm, shaken = Driver(spec, START), Driver(spec, START)
    play(calm, doings)
    play(shaken, mortal)
    assert shaken.journal == calm.journal


@given(SPECS, DOINGS)
def test_a_journal_says_all_there_is(spec: Spec, doings: list[tuple[str, int]]) -> None:
    driver = Driver(spec, START)
    play(driver, doings)
    before: Any = driver.decider._state.checkpoint()
    driver.die()
    assert driver.decider._state.checkpoint() == before


def expected(spec: Spec, now: int) -> list[int]:
    """What is made up for at ``now``, of the times since START, by an independent reading of the rule."""
    past = [time for time in range(START + MINUTE, now + 1, MINUTE) if time + spec.delay(NAME, time) <= now]
    if spec.jitter:  # a later time may be drawn before an earlier one, but is never begun before it
        ripe: list[int] = []
        for time in range(START + MINUTE, now + 1, MINUTE):
            if time + spec.delay(NAME, time) > now and time > now - spec.jitter:
                break
            ripe.append(time)
        past = ripe
    if spec.missed == "all":
        return past[-spec.most :]
    last = past[-1:]
    in_time = spec.missed == "last" or any(now - time - spec.delay(NAME, time) <= LATE for time in last)
    return last if in_time else []


@given(
    st.sampled_from(["none", "last", "all"]),
    st.integers(1, 30),
    st.sampled_from([0, 1000, MINUTE]),
    st.integers(MINUTE, 50 * MINUTE),
)
def test_what_was_missed_is_made_up_for_as_told(missed: Missed, most: int, jitter: int, away: int) -> None:
    spec = Spec("report", every=MINUTE, missed=missed, most=most, jitter=jitter, overlap="queue")
    driver = Driver(spec, START)
    driver.wake(START + away)
    for _ in range(100):
        driver.deliver()
        for id in list(driver.going):
            driver.end(id)
    assert driver.planned == expected(spec, START + away)
    if driver.entries("due"):
        first = driver.entries("due")[0]
        assert first.get("missed", 0) + len(first["planned"]) == min(first["until"] - START, most * MINUTE) // MINUTE


def test_late_by_more_than_a_while_is_missed() -> None:
    for late, runs in ((LATE, 1), (LATE + 1, 0)):
        driver = Driver(Spec("report", every=60 * MINUTE, missed="none"), START)
        first = (START // (60 * MINUTE) + 1) * 60 * MINUTE
        driver.wake(first + late)
        assert len(driver.planned) == runs
        assert driver.last.wake == first + 60 * MINUTE


@pytest.mark.parametrize(
    ("overlap", "begun", "skipped"),
    [("skip", [1], [2, 3]), ("queue", [1], []), ("cancel", [1, 3], [2]), ("allow", [1, 2, 3], [])],
)
def test_runs_that_meet(overlap: Overlap, begun: list[int], skipped: list[int]) -> None:
    driver = Driver(Spec("report", every=MINUTE, overlap=overlap), START)
    driver.wake(START + MINUTE)
    driver.deliver()
    driver.wake(START + 2 * MINUTE)  # the first is still going on, and is not told to end yet
    driver.wake(START + 3 * MINUTE)
    driver.deliver()
    driver.deliver()

    def ids(numbers: list[int]) -> list[str]:
        return [f"{NAME}@{moment(START + number * MINUTE)}" for number in numbers]

    assert driver.begun == ids(begun)
    assert [entry["id"] for entry in driver.entries("skipped")] == ids(skipped)
    if overlap == "queue":
        for number in (1, 2):
            driver.end(driver.begun[-1])
            driver.deliver()
            assert driver.begun == ids([1, 2, 3][: number + 1])


def test_runs_made_up_for_wait_for_each_other() -> None:
    driver = Driver(Spec("report", every=MINUTE, missed="all"), START)
    driver.wake(START + 3 * MINUTE)
    for number in range(3):
        driver.deliver()
        assert len(driver.begun) == number + 1 and driver.crowds == 1
        driver.end(driver.begun[-1])
    assert len(driver.planned) == 3


def test_with_cancel_the_latest_takes_the_place_of_all_before_it() -> None:
    driver = Driver(Spec("report", every=MINUTE, missed="all", overlap="cancel"), START)
    driver.wake(START + 4 * MINUTE)
    driver.deliver()
    driver.wake(START + 5 * MINUTE)
    for _ in range(3):
        driver.die()
        driver.deliver()
    assert driver.begun == [f"{NAME}@{moment(START + number * MINUTE)}" for number in (1, 5)]
    assert len(driver.entries("skipped")) == 3


def test_what_passes_during_a_pause_is_nobodys_loss() -> None:
    driver = Driver(Spec("report", every=MINUTE, missed="all"), START)
    driver.pause()
    driver.wake(START + 10 * MINUTE + 5)
    driver.die()
    driver.resume()
    assert driver.planned == []
    driver.wake(START + 11 * MINUTE)
    assert driver.planned == [START + 11 * MINUTE]


def test_the_millionth_run_costs_what_the_first_did() -> None:
    driver = Driver(Spec("report", every=MINUTE, input={"big": "x" * 100}), START)
    for number in range(1, 400):
        driver.wake(START + number * MINUTE)
        driver.deliver()
        driver.end(driver.begun[-1])
        if number % 7 == 0:
            driver.die()
    assert len(driver.planned) == 399
    assert driver.longest < 210  # entries that are read
    assert len(driver.last.state) < 600
    assert not driver.sound()


def test_once_is_once() -> None:
    driver = Driver(Spec("report", at=START + MINUTE), START)
    driver.wake(START + MINUTE)
    driver.deliver()
    assert driver.last.wake is None and driver.last.awaits == f"child {driver.begun[0]}"
    driver.die()
    driver.end(driver.begun[0])
    assert driver.last.status == "completed"
    assert driver.entries("completed")[0]["value"] == {"runs": 1}


def test_what_is_withdrawn_ends_with_what_is_going_on() -> None:
    driver = Driver(Spec("report", every=MINUTE, overlap="queue"), START)
    driver.wake(START + MINUTE)
    driver.deliver()
    driver.wake(START + 2 * MINUTE)
    driver.take({"type": "withdrawn", "at": driver.now})
    driver.wake(START + 9 * MINUTE)
    assert len(driver.planned) == 1 and driver.last.status == "waiting"
    driver.end(driver.begun[0])
    assert driver.last.status == "completed"


def test_what_is_wanted_again_goes_on() -> None:
    spec = Spec("report", every=MINUTE)
    driver = Driver(spec, START)
    driver.wake(START + MINUTE)
    driver.deliver()
    driver.take({"type": "withdrawn", "at": driver.now})
    driver.change(spec)
    driver.end(driver.begun[0])
    driver.wake(START + 2 * MINUTE)
    assert len(driver.planned) == 2


def test_a_cancelled_schedule_takes_its_runs_along() -> None:
    driver = Driver(Spec("report", every=MINUTE), START)
    driver.wake(START + MINUTE)
    driver.deliver()
    driver.take({"type": "cancel", "at": driver.now, "reason": "enough"})
    driver.die()
    assert [post.id for post in driver.posts] == driver.begun
    driver.deliver()
    assert driver.last.status == "cancelled" and driver.entries("cancelled")[0]["reason"] == "enough"


def test_a_change_counts_from_when_it_was_made() -> None:
    driver = Driver(Spec("report", every=MINUTE), START)
    driver.now += 90_000
    driver.change(Spec("report", every=2 * MINUTE))
    driver.change(Spec("report", every=2 * MINUTE))
    assert len(driver.entries("changed")) == 1  # the same again says nothing
    driver.wake(START + 10 * MINUTE)
    assert len(driver.planned) == 1 and driver.planned[0] % (2 * MINUTE) == 0


def test_what_this_release_does_not_know_is_stuck_and_changes_mend_it() -> None:
    decider = ScheduleDecider(f"schedule/{NAME}")
    told: Any = {"spec": {"function": "report", "moon": "full"}, "input": None}
    decider.offer({"type": "start", "at": START, "input": told, "seed": "s"})
    decision = decider.decide()
    assert decision.status == "stuck" and "'moon'" in decision.error
    state = State(NAME)
    state.apply({"type": "start", "at": START, "input": told})
    assert state.apply({"type": "changed", "at": START, "spec": Spec("report", every=MINUTE).written()})
    assert not state.wrong


class BeforeTheRecord(ScheduleDecider):
    """A mutant: what follows is begun without being written down."""

    def _write(self, entry: Any) -> None:
        entry.setdefault("at", self._state.at)
        self._state.apply(entry)
        if entry["type"] != "ordered":
            self._pending.append(entry)
            self._number += 1


class FromNow(ScheduleDecider):
    """A mutant: times are reckoned from when somebody looked."""

    def _due(self, spec: Spec, at: int) -> Any:
        return {"type": "due", "planned": [at], "until": at}


class Impatient(ScheduleDecider):
    """A mutant: what is going on is not asked for."""

    def _meets(self, spec: Spec, due: Any) -> Any:
        return self._ordered(spec, due)


def broken(driver: Driver) -> bool:
    """Whether what the tests above look at shows that something is wrong."""
    planned = driver.planned
    unlike = any(time % MINUTE for time in planned) or len(set(planned)) < len(planned)
    lost = len(driver.begun) > len(driver.entries("ordered"))
    return unlike or lost or driver.crowds > 1 or bool(driver.sound())


@pytest.mark.parametrize("mutant", [BeforeTheRecord, FromNow, Impatient])
def test_a_broken_decider_is_found_out(mutant: type[ScheduleDecider]) -> None:
    for decider, wrong in ((ScheduleDecider, False), (mutant, True)):
        driver = Driver(Spec("report", every=MINUTE), START, decider)
        for number in range(1, 6):
            driver.wake(START + number * MINUTE + 7_000 * number)
            driver.deliver()
            driver.die()
            if number % 2 and driver.going:
                driver.end(next(iter(driver.going)))
        assert broken(driver) is wrong
