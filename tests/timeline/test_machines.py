"""The timeline of a state machine has its states: those that wait too, and what a Map or a Parallel holds."""

from __future__ import annotations

import asyncio
from typing import Any

from overwinter.orchestrator.machine.function import StateMachine
from overwinter.orchestrator.timeline.timeline import Timeline
from overwinter.testing.world import World

from .living import folds, lines, lived, one, since, told, waits

TRIES: list[Any] = []


async def third(given: Any) -> Any:
    TRIES.append(given)
    await asyncio.sleep(1)
    if len(TRIES) < 3:
        raise RuntimeError("not yet")
    return [1, 2]


async def work(given: Any) -> Any:
    await asyncio.sleep(2)
    return given


def task(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": name, "End": True, **more}


AGAIN = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 20, "MaxAttempts": 5, "BackoffRate": 1}]
ITEMS = {"StartAt": "I", "States": {"I": task("work")}}
DEFINITION: dict[str, Any] = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Wait", "Seconds": 60, "Next": "P"},
        "P": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "B", "States": {"B": task("third", Retry=AGAIN)}},
                {"StartAt": "C", "States": {"C": {"Type": "Pass", "End": True}}},
            ],
            "Next": "M",
        },
        "M": {"Type": "Map", "ItemProcessor": ITEMS, "Next": "Z"},
        "Z": {"Type": "Wait", "Seconds": 600, "End": True},
    },
}


def test_states_as_they_were_entered_tried_and_left() -> None:
    async def act(world: World) -> Timeline:
        TRIES.clear()
        await (await world.start(machine, 1, id="x")).result()
        return await told(world, "x")

    machine = StateMachine("m", DEFINITION, [work, third])
    found = lived([machine], act)
    assert lines(found) == [
        ("1", "wait", "A", 0, 60, "done"),
        ("2", "parallel", "P", 60, 103, "done"),
        ("2.0", "branch", "0", 60, 103, "done"),
        ("2.0.1", "task", "B", 60, 103, "done"),
        ("2.1", "branch", "1", 60, 60, "done"),
        ("2.1.1", "pass", "C", 60, 60, "done"),
        ("3", "map", "M", 103, 105, "done"),
        ("3.0", "item", "[0]", 103, 105, "done"),
        ("3.0.1", "task", "I", 103, 105, "done"),
        ("3.1", "item", "[1]", 103, 105, "done"),
        ("3.1.1", "task", "I", 103, 105, "done"),
        ("4", "wait", "Z", 105, 705, "done"),
        ("", "completed", "", 705, 705, "done"),
    ]
    tried = one(found, "2.0.1")
    spans = [(since(found, one.begin), since(found, one.end)) for one in tried.attempts]
    assert spans == [(60, 61), (81, 82), (102, 103)] and tried.entry
    assert folds(found) == [
        (0, 60, "wait A"),
        (61, 81, "another try of task B"),
        (82, 102, "another try of task B"),
        (105, 705, "wait Z"),
    ]


def test_a_wait_under_way_says_until_when() -> None:
    async def act(world: World) -> Timeline:
        await world.start(machine, 1, id="x")
        await waits(world, "x", "t")
        await asyncio.sleep(20)
        return await told(world, "x")

    machine = StateMachine("m", DEFINITION, [work, third])
    found = lived([machine], act)
    (bar,) = found.rows
    assert (bar.kind, bar.end, bar.status, bar.wait, since(found, bar.until)) == ("wait", None, "open", True, 60)
    assert folds(found) == [(0, 20, "wait A")]
