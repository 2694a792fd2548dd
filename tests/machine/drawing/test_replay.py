"""The course of an execution is what its history tells, for every case of the corpus, without one of its functions."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any
from unittest import mock

import pytest

from overwinter import Context, InvalidInput, Settings, tool, workflow
from overwinter.orchestrator.machine import decider as deciding
from overwinter.orchestrator.machine.decider import MachineDecider
from overwinter.orchestrator.machine.drawing.course import Course, Taken
from overwinter.orchestrator.machine.drawing.replay import followed
from overwinter.orchestrator.machine.function import StateMachine
from overwinter.orchestrator.machine.running.recorder import Recorder
from overwinter.state.codec import loads
from overwinter.state.errors import ExecutionError
from overwinter.testing.clock import VirtualLoop, run_virtual
from overwinter.testing.world import World
from overwinter.tests.machine.running import functions
from overwinter.tests.machine.running.cases import alone

ALL = dict(alone())
Entries = list[dict[str, Any]]


def journal(served: StateMachine, input: Any, *, until: float | None = None) -> Entries:
    """Of an execution that ended, or went on for so many seconds."""

    async def played(loop: VirtualLoop) -> Entries:
        world = World(loop, [served], Settings())
        try:
            run = await world.start(served, input, id="x")
            if until is not None:
                await world.sleep(until)
            else:
                with suppress(ExecutionError):
                    await run.result()
            return [loads(text) for text in await world.ledger.history("x")]
        finally:
            world.end()

    return run_virtual(played)


def drawn(served: StateMachine, entries: Entries, now: int = 0) -> Course:
    return followed(served.name, "x", entries, "completed", now)[1]


def counted(served: StateMachine, entries: Entries) -> Counter[str]:
    """How often each state was entered, by AWS's history and those of a distributed Map's items."""
    recorder = Recorder()
    MachineDecider(served, "x", recorder).replay("", 1, entries, 0)
    return Counter(event["name"] for event in recorder.everything if event["type"].endswith("StateEntered"))


@pytest.mark.parametrize("id", ALL)
def test_it_is_what_the_history_tells(id: str) -> None:
    case = ALL[id]
    if "resources" in case:
        pytest.skip("what a name of its own stands for is not in the journal")
    served = StateMachine("m", case["definition"], functions.ALL)
    entries = journal(served, case.get("input", {}))
    course = drawn(served, entries)
    assert course.problem == ""
    assert {name: stay.entered for name, stay in course.stays.items()} == counted(served, entries)
    for name, stay in course.stays.items():
        assert stay.inside == 0 and stay.entered == stay.succeeded + stay.caught + stay.failed + stay.stopped, name
    ways = Counter[str]()
    for way, times in course.taken.items():
        ways[way.kind] += times
    entered, left = (
        sum(counted(served, entries).values()),
        sum(stay.succeeded + stay.caught for stay in course.stays.values()),
    )
    assert ways["start"] + ways["next"] + ways["rule"] + ways["default"] + ways["catch"] == entered
    fails = sum(times for way, times in course.taken.items() if way.kind == "end") - (left - (entered - ways["start"]))
    assert fails == sum(course.stays[name].failed for name in course.stays if _fails(case["definition"], name))


def _fails(value: Any, name: str) -> bool:
    """Whether the state of that name is a Fail."""
    if isinstance(value, dict):
        state = value.get("States", {}).get(name) if isinstance(value.get("States"), dict) else None
        found = isinstance(state, dict) and state.get("Type") == "Fail"
        return found or any(_fails(inner, name) for inner in value.values())
    return isinstance(value, list) and any(_fails(inner, name) for inner in value)


async def picky(given: Any) -> Any:
    if given in (2, 4):
        raise ValueError("no")
    return given


async def lame(given: Any) -> Any:
    raise TimeoutError("slow")


PICKY = {
    "Type": "Map",
    "ItemsPath": "$.list",
    "ToleratedFailureCount": 5,
    "ItemProcessor": {
        "StartAt": "One",
        "States": {
            "One": {
                "Type": "Task",
                "Resource": "picky",
                "Catch": [{"ErrorEquals": ["Other"], "Next": "Odd?"}, {"ErrorEquals": ["ValueError"], "Next": "Odd?"}],
                "Next": "Odd?",
            },
            "Odd?": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.Cause", "IsPresent": True, "Next": "No"},
                    {"Variable": "$", "NumericEquals": 3, "Next": "Yes"},
                    {"Variable": "$", "NumericEquals": 5, "Next": "Yes"},
                ],
                "Default": "Yes",
            },
            "Yes": {"Type": "Wait", "Seconds": 2, "End": True},
            "No": {"Type": "Fail", "Error": "Nope"},
        },
    },
}
WHOLE = {
    "StartAt": "Each",
    "States": {
        "Each": {**PICKY, "Next": "Lame"},
        "Lame": {
            "Type": "Task",
            "Resource": "lame",
            "Retry": [{"ErrorEquals": ["TimeoutError"], "IntervalSeconds": 10, "MaxAttempts": 2}],
            "End": True,
        },
    },
}


def machine() -> StateMachine:
    return StateMachine("m", WHOLE, [picky, lame])


def test_counts_times_and_ways() -> None:
    served = machine()
    course = drawn(served, journal(served, {"list": [1, 2, 3, 4, 5]}))
    one, lost, yes, failing = (course.stays[name] for name in ("One", "No", "Yes", "Lame"))
    assert (one.entered, one.succeeded, one.caught, one.status, one.error) == (5, 3, 2, "caught", "ValueError")
    assert (lost.failed, lost.status, lost.error) == (2, "failed", "Nope")
    assert (yes.succeeded, yes.lasted, yes.status) == (3, 6000, "succeeded")
    assert (failing.retries, failing.failed, failing.status) == (2, 1, "failed")
    assert failing.lines(course.now) == ("30.0s · 2 retries", "TimeoutError")
    assert one.lines(course.now) == ("5×", "2 caught · ValueError")
    assert course.taken[Taken("One", "catch", 1)] == 2 and Taken("One", "catch", 0) not in course.taken
    assert [course.taken.get(Taken("Odd?", "rule", number)) for number in range(3)] == [2, 1, 1]
    assert course.taken[Taken("Odd?", "default")] == 1 and course.taken[Taken("No", "end")] == 2
    assert course.taken[Taken("One", "start")] == 5 and course.taken[Taken("Each", "next")] == 1
    assert Taken("Lame", "end") not in course.taken


def test_what_runs_now_and_what_it_waits_for() -> None:
    served = machine()
    entries = journal(served, {"list": [1, 2]}, until=1)
    began = entries[0]["at"]
    course = drawn(served, entries, began + 1000)
    yes, each = course.stays["Yes"], course.stays["Each"]
    assert (yes.status, yes.inside, yes.since, yes.until) == ("running", 1, began, began + 2000)
    assert yes.lines(course.now) == ("running for 1.0s · goes on in 1.0s",)
    assert each.status == "running" and "Lame" not in course.stays
    entries = journal(served, {"list": []}, until=5)
    lame = drawn(served, entries, began + 5000).stays["Lame"]
    assert lame.lines(began + 5000) == ("running for 5.0s · 1 retry · goes on in 5.0s", "TimeoutError")


def test_what_was_stopped() -> None:
    waits = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}
    falls = {"StartAt": "F", "States": {"F": {"Type": "Wait", "Seconds": 1, "Next": "G"}, "G": {"Type": "Fail"}}}
    both = {"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [waits, falls], "End": True}}}
    served = StateMachine("m", both)
    course = drawn(served, journal(served, {}))
    assert [course.stays[name].status for name in ("P", "W", "F", "G")] == ["failed", "stopped", "succeeded", "failed"]
    assert course.stays["W"].lasted == 1000
    served = StateMachine("m", {**waits, "TimeoutSeconds": 5})
    course = drawn(served, journal(served, {}))
    assert (course.stays["W"].status, course.stays["W"].lasted) == ("stopped", 5000)


def test_a_checkpoint_hides_nothing() -> None:
    served = machine()
    with mock.patch.object(deciding, "FRESH", 4):
        entries = journal(served, {"list": [1, 2, 3, 4, 5]})
    assert any(entry["type"] == "checkpoint" for entry in entries)
    whole = drawn(served, entries)
    assert whole.stays["One"].entered == 5 and whole.problem == ""
    rest = entries[next(at for at, entry in enumerate(entries) if entry["type"] == "checkpoint") :]
    assert drawn(served, rest).problem == ""  # what was before it was taken away


def test_it_is_drawn_as_far_as_it_can_be_followed() -> None:
    served = machine()
    entries = journal(served, {"list": [1]})
    at = next(at for at, entry in enumerate(entries) if entry["type"] == "timer")
    course = drawn(served, [*entries[:at], {"type": "child", "id": "stranger", "at": entries[at]["at"]}])
    assert "(child) does not follow" in course.problem and course.stays["One"].succeeded == 1


def test_what_is_no_state_machine() -> None:
    with pytest.raises(InvalidInput, match="no definition stands in its journal"):
        followed("f", "x", [{"type": "start", "seed": "s", "at": 1}, {"type": "completed", "at": 2}], "completed", 3)
    lost = {"$blob": "sha256:0", "size": 9}
    for entry in ({"type": "checkpoint", "at": 2, "state": lost}, {"type": "machine", "at": 2, "definition": lost}):
        with pytest.raises(InvalidInput, match=r"is gone|can't be read"):
            followed("m", "x", [entry], "waiting", 3)
    with pytest.raises(InvalidInput, match="can't be read"):
        followed("f", "x", [{"type": "machine", "at": 2, "definition": {"StartAt": "A"}}], "waiting", 3)


@tool(effect="irreversible")
async def pay() -> str:
    """Once."""
    return "paid"


@workflow
async def greets(ctx: Context, given: Any) -> str:
    await ctx.sleep("1s")
    return "hello"


async def keep(given: Any) -> None:
    KEPT.append(given)


KEPT: list[str] = []
ONCE: list[int] = []


async def fails_once(given: Any) -> int:
    ONCE.append(1)
    if len(ONCE) == 1:
        raise ValueError("not yet")
    return 1


def chain(*states: dict[str, Any]) -> dict[str, Any]:
    """States A, B, C … one after another."""
    names = [chr(65 + number) for number in range(len(states))]
    follow = [{"Next": name} for name in names[1:]] + [{"End": True}]
    return {"StartAt": "A", "States": {n: {**s, **f} for n, s, f in zip(names, states, follow, strict=True)}}


def task(resource: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, **fields}


ASK = {"FunctionName": "keep", "Payload.$": "$$.Task.Token"}
STARTED = {"StateMachineArn": "inner", "Input": {}}
FAR = chain(
    task("pay", Parameters={}),
    task("greets"),
    task("inner"),
    task("arn:aws:states:::states:startExecution.sync:2", Parameters=STARTED),
    task("arn:aws:states:::states:startExecution", Parameters=STARTED),
    task("arn:aws:states:::lambda:invoke", Parameters={"FunctionName": "keep", "Payload": "no token"}),
    task("arn:aws:states:::lambda:invoke.waitForTaskToken", Parameters=ASK),
    task("fails_once"),
)


def test_calls_children_tokens_and_what_goes_on_after_a_failure() -> None:
    inner = StateMachine("inner", chain({"Type": "Wait", "Seconds": 1}))
    served = StateMachine("m", FAR, [pay, greets, inner, keep, fails_once])

    async def played(loop: VirtualLoop) -> list[Entries]:
        found: list[Entries] = []
        world = World(loop, [served, greets, inner, pay], Settings())
        try:
            run = await world.start(served, {}, id="x")
            await world.sleep(60)
            found.append([loads(text) for text in await world.ledger.history("x")])
            await world.call(lambda runtime: runtime.callback(KEPT[-1], value=1))
            with suppress(ExecutionError):
                await run.result()
            found.append([loads(text) for text in await world.ledger.history("x")])
            await world.call(lambda runtime: runtime.retry("x"))
            await world.sleep(60)
            found.append([loads(text) for text in await world.ledger.history("x")])
        finally:
            world.end()
        return found

    KEPT.clear()
    ONCE.clear()
    waiting, failed, done = (drawn(served, entries) for entries in run_virtual(played))
    assert waiting.problem == failed.problem == done.problem == ""
    assert {name: stay.status for name, stay in waiting.stays.items()} == {
        **dict.fromkeys("ABCDEF", "succeeded"),
        "G": "running",
    }
    assert waiting.stays["D"].lasted >= 1000
    assert [failed.stays[name].status for name in "GH"] == ["succeeded", "failed"]
    last = done.stays["H"]
    assert (last.status, last.entered, last.retries, last.failed) == ("succeeded", 1, 1, 0)
    assert done.taken[Taken("H", "end")] == 1
