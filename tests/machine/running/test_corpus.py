"""Every case of the corpus, run whole, with its history, and with a crash at every transition."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from overwinter import Settings
from overwinter.orchestrator.machine.decider import MachineDecider
from overwinter.orchestrator.machine.function import StateMachine
from overwinter.orchestrator.machine.running.recorder import Recorder
from overwinter.state.codec import loads
from overwinter.state.errors import ExecutionError
from overwinter.testing import crash_everywhere
from overwinter.testing.clock import VirtualLoop, run_virtual
from overwinter.testing.world import World
from overwinter.tests.machine.running import functions

from .cases import cases

ALL = dict(cases())


def machine(case: dict[str, Any]) -> StateMachine:
    return StateMachine("m", case["definition"], functions.ALL, resources=case.get("resources", {}))


async def played(loop: VirtualLoop, served: StateMachine, input: Any) -> tuple[dict[str, Any], list[str]]:
    """The final entry, and the history."""
    world = World(loop, [served], Settings())
    try:
        run = await world.start(served, input, id="x")
        with suppress(ExecutionError):
            await run.result()
        entries = [loads(text) for text in await world.ledger.history("x")]
    finally:
        world.end()
    recorder = Recorder()
    MachineDecider(served, "x", recorder).replay("", 1, entries, 0)
    return entries[-1], [event["type"] for event in recorder.events]


def strict(value: Any) -> str:
    """Booleans are not numbers, 1 is not 1.0, and the order of keys counts."""
    return json.dumps(value)


@pytest.mark.parametrize("id", ALL)
def test_it_comes_to_what_it_should(id: str) -> None:
    case = ALL[id]
    served = machine(case)
    ending, history = run_virtual(lambda loop: played(loop, served, case.get("input", {})))
    if "error" in case:
        assert ending["type"] == "failed", ending
        said = ending["error"]["data"]
        assert said["error"] == case["error"]
        assert said["cause"] == case.get("cause", said["cause"])
    else:
        assert ending["type"] == "completed", ending
        assert strict(ending["value"]) == strict(case["output"])
    assert history == case.get("history", history)
    report = crash_everywhere(served, case.get("input", {}))
    assert report.lost == report.repeated == 0
