"""One execution and two processes, step by step: a process that stood still beyond its lease writes nothing and
goes no further, and who waits for an answer gets it whichever process finds it.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from overwinter import Runtime
from overwinter.tests.engine.bench import Onlooker
from overwinter.tests.processes.audit import Audit, Findings
from overwinter.tests.processes.fleet import PATIENCE, Fleet, Node
from overwinter.tests.processes.notes import PLACE, Note, read_notes
from overwinter.tests.processes.places import PLACES, REMOTE, Place
from overwinter.tests.processes.shop import FUNCTIONS


class Scene(NamedTuple):
    """A store, a client that works nothing off itself, and a gate that calls wait for."""

    place: Place
    fleet: Fleet
    here: Runtime
    gate: Path

    async def start(self, **how: Any) -> Node:
        return await self.fleet.start(**{**self.place.alone(), **how})

    def noted(self, what: str, **fields: Any) -> list[Note]:
        wanted = {"what": what, **fields}.items()
        return [line for line in read_notes(self.fleet.notes) if wanted <= line.items()]

    async def until(self, true: Callable[[], object]) -> None:
        limit = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < limit, f"it did not come about; the processes said:\n{self.fleet.said()}"
            await asyncio.sleep(0.02)

    async def audit(self) -> Findings:
        return await Audit(self.here, read_notes(self.fleet.notes)).run()


@asynccontextmanager
async def scene(store: str, folder: Path) -> AsyncGenerator[Scene, None]:
    place = PLACES[store](folder)
    await place.open()
    try:
        async with Fleet(folder) as fleet, Runtime(FUNCTIONS, place.direct, Onlooker()) as here:
            yield Scene(place, fleet, here, folder / "gate")
    finally:
        await place.close()


@pytest.fixture(autouse=True)
def _notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLACE, str(tmp_path / "unused"))


@pytest.mark.parametrize("store", list(PLACES))
def test_a_process_that_stood_still_is_fenced(store: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with scene(store, tmp_path) as here:
            slow = await here.start()
            given = {"kind": "gate", "value": 1, "ms": 0, "gate": str(here.gate)}
            await slow.ask("start", input=given, id="x")
            await here.until(lambda: here.noted("called", name="gate", pid=slow.pid))
            slow.signal(signal.SIGSTOP)
            quick = await here.start()
            await here.until(lambda: here.noted("called", name="gate", pid=quick.pid))  # its lease has run out
            here.gate.touch()
            assert (await here.here.result("x", "60s"))["value"] == 11
            before = here.noted("called", id="x")
            slow.signal(signal.SIGCONT)
            await here.until(lambda: here.noted("conflict", id="x", owner=slow.owner))
            # It has done what it was at, and nothing that follows from that; and it is of use again.
            await quick.kill()
            await slow.ask("start", input={"kind": "timer", "value": 2, "ms": 0, "pauses": [10]}, id="y")
            assert (await here.here.result("y", "60s"))["value"] == 3
            assert here.noted("called", id="x") == before
            findings = await here.audit()
            assert findings.wrong == [] and findings.again and findings.conflicts

    asyncio.run(main())


@pytest.mark.parametrize("store", list(PLACES))
def test_an_answer_reaches_who_waits_for_it_whichever_process_finds_it(store: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with scene(store, tmp_path) as here:
            first = await here.start()
            given = {"kind": "gate", "value": 1, "ms": 0, "gate": str(here.gate)}
            await first.ask("start", input=given, id="x")
            waiting = asyncio.create_task(here.here.result("x"))
            asking = asyncio.create_task(first.ask("result", within=PATIENCE, id="x"))
            await here.until(lambda: here.noted("called", name="gate", pid=first.pid))
            sent = await here.here.send("desk", "c", "charge it", id="m")
            assert await here.here.reply(sent.execution, "m", "60s") == "charge it: 2 results"
            await first.kill()
            with pytest.raises(Exception, match="ended"):
                await asking
            second = await here.start()
            here.gate.touch()
            assert (await asyncio.wait_for(waiting, PATIENCE))["value"] == 11
            # Whoever was away comes back, to any process, at any time.
            assert (await second.ask("result", within=PATIENCE, id="x"))["value"] == 11
            assert await second.ask("reply", within=PATIENCE, execution=sent.execution, message="m") == (
                "charge it: 2 results"
            )
            assert (await here.audit()).wrong == []

    asyncio.run(main())


@pytest.mark.parametrize("store", list(REMOTE))
def test_clocks_ten_minutes_apart_end_no_lease_and_no_sleep_too_early(store: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with scene(store, tmp_path) as here:
            behind = await here.start(skew=-300_000, settings={"lease": "60s"})
            given = {"kind": "gate", "value": 1, "ms": 0, "gate": str(here.gate)}
            await behind.ask("start", within=PATIENCE, input=given, id="x")
            sleeper = {"kind": "timer", "value": 2, "ms": 0, "pauses": [120_000]}
            await behind.ask("start", within=PATIENCE, input=sleeper, id="y")
            await here.until(lambda: here.noted("called", id="x", name="gate"))
            ahead = await here.start(skew=300_000, settings={"lease": "60s"})
            await ahead.ask("start", within=PATIENCE, input={**sleeper, "pauses": [10]}, id="z")
            assert (await here.here.result("z", PATIENCE))["value"] == 3  # it works, and has looked for what is due
            await asyncio.sleep(1)
            here.gate.touch()
            assert (await here.here.result("x", PATIENCE))["value"] == 11
            assert [line["pid"] for line in here.noted("called", id="x", name="gate")] == [behind.pid]
            assert here.noted("called", id="y", name="last") == here.noted("conflict") == []
            head = await here.here.store.head("y")
            assert head is not None and head.status == "waiting"

    asyncio.run(main())
