"""One case of the corpus, run: in memory or on a real store, undisturbed or with the process dying on the way.

What comes of it must be what the case says, to the digit and to the last event of the history, however often the
process died. The ledger that it runs over audits every commit besides.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from overwinter import Settings
from overwinter.orchestrator.machine.decider import MachineDecider
from overwinter.orchestrator.machine.function import StateMachine
from overwinter.orchestrator.machine.running.recorder import Recorder
from overwinter.orchestrator.protocol import failure_log
from overwinter.state.codec import loads
from overwinter.state.errors import ExecutionError
from overwinter.state.records import FINAL
from overwinter.testing.clock import VirtualLoop, run_virtual
from overwinter.testing.faults import Faults, Moment
from overwinter.testing.ledger import Ledger
from overwinter.testing.world import World
from overwinter.tests.machine.running import functions

CHANGES = ("accept", "append")
"""The operations of a store that change an execution: between two of them a death makes no difference to another."""
UNHURRIED = replace(Settings(), lease="7d", poll="1d")


class Played(NamedTuple):
    """``entries`` of the journal; ``changes``: how many moments the first process could have died at."""

    entries: list[dict[str, Any]]
    changes: int
    died: int
    broken: list[str]


class DiesAt(Faults):
    """The process dies at its n-th moment before or after a change, or never. With ``each``, of any operation."""

    def __init__(self, number: int, each: bool, kill: Callable[[], Awaitable[None]]) -> None:
        self.seen = 0
        self._number = number
        self._each = each
        self._kill = kill

    async def at(self, moment: Moment) -> None:
        if self._each or moment.operation in CHANGES:
            self.seen += 1
            if self.seen == self._number:
                await self._kill()


def machine(case: dict[str, Any]) -> StateMachine:
    return StateMachine("m", case["definition"], functions.ALL, resources=case.get("resources", {}))


def play(
    case: dict[str, Any], ledger: Ledger | None = None, deaths: Sequence[int] = (), *, each: bool = False
) -> Played:
    """Run it to its end. ``deaths``: the moment at which each process in turn dies."""
    served = machine(case)
    others = [StateMachine(name, inner, functions.ALL) for name, inner in case.get("machines", {}).items()]
    books = Ledger() if ledger is None else ledger
    made: list[DiesAt] = []
    died: list[int] = []

    def faults(number: int, world: World) -> Faults:
        async def kill() -> None:
            died.append(number)
            await world.processes[number].die()

        made.append(DiesAt(deaths[number] if number < len(deaths) else 0, each, kill))
        return made[-1]

    async def main(loop: VirtualLoop) -> list[dict[str, Any]]:
        functions.TOKENS.clear()
        world = World(loop, [served, *others], UNHURRIED, faults, ledger=books)
        try:
            run = await world.start(served, case.get("input", {}), id="x")
            for given in case.get("callbacks", ()):
                await _called_back(world, given)
            with suppress(ExecutionError):
                await run.result()
            await world.until(lambda: _over(world) or None)  # what it has begun ends too, whoever waits for it
            return [loads(text) for text in await world.ledger.history("x")]
        finally:
            world.end()

    with failure_log.told_elsewhere():
        entries = run_virtual(main)
    return Played(entries, made[0].seen, len(died), books.audit())


def _over(world: World) -> bool:
    return all(head.status in FINAL and head.owner is None for head in world.ledger.heads_now())


async def _called_back(world: World, given: dict[str, Any]) -> None:
    """Somebody who has the task token says something: that he is alive, a value, or an error."""
    token = await world.until(lambda: functions.TOKENS.get("token"))
    await asyncio.sleep(given.get("after", 0))
    if "beat" in given:
        await world.heartbeat(token)
    elif "error" in given:
        await world.fail(token, given["error"])
    else:
        await world.complete(token, given["value"])


def check(case: dict[str, Any], played: Played) -> None:
    """Assert that it is what the case says. A death may cost time: a state that was not recorded is entered later."""
    ending = played.entries[-1]
    assert played.broken == []
    if "error" in case:
        assert ending["type"] == "failed", ending
        said = ending["error"]["data"]
        assert said["error"] == case["error"], said
        assert said["cause"] == case.get("cause", said["cause"])
    else:
        assert ending["type"] == "completed", ending
        assert strict(ending["value"]) == strict(case["output"])
    if "history" in case:
        assert history(case, played) == case["history"]
    if "seconds" in case:
        late = ending["at"] - played.entries[0]["at"] - case["seconds"] * 1000
        assert late >= 0 if played.died else 0 <= late <= 10  # milliseconds, of which each timer may be one late


def history(case: dict[str, Any], played: Played) -> list[str]:
    """The types of its events, as the journal gives them again."""
    recorder = Recorder()
    MachineDecider(machine(case), "x", recorder).replay("", 1, played.entries, 0)
    return [str(event["type"]) for event in recorder.events]


def strict(value: Any) -> str:
    """Booleans are not numbers, 1 is not 1.0, and the order of keys counts."""
    return json.dumps(value)
