"""Four orchestrator processes on one store, and everything that can happen to processes, connections and stores
while hundreds of executions are under way. Real processes, real signals, real servers.

``OVERWINTER_PROCESS_EXECUTIONS`` says how many, ``OVERWINTER_PROCESS_SEED`` which.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from overwinter import Runtime
from overwinter.tests.engine.bench import Onlooker
from overwinter.tests.processes.audit import Audit, Findings, under_way
from overwinter.tests.processes.chaos import Chaos
from overwinter.tests.processes.crowd import Crowd
from overwinter.tests.processes.fleet import Fleet
from overwinter.tests.processes.notes import PLACE, read_notes
from overwinter.tests.processes.places import PLACES, Place
from overwinter.tests.processes.shop import FUNCTIONS

PATIENCE = 600.0
"""Seconds for everything: half a minute on a quiet machine, and however long it takes on a busy one."""
PROCESSES = 4


async def everything(place: Place, folder: Path, seed: int) -> tuple[Findings, Chaos, Crowd]:
    draw = random.Random(seed)
    errands = int(os.environ.get("OVERWINTER_PROCESS_EXECUTIONS", place.errands))
    async with Fleet(folder) as fleet, Runtime(FUNCTIONS, place.direct, Onlooker()) as here:
        chaos, crowd = Chaos(draw, fleet, place), Crowd(draw, here, fleet, place.staying)
        await asyncio.gather(*(chaos.start() for _ in range(PROCESSES)))
        late = ""
        stacks: list[str] = []
        watch = asyncio.get_running_loop().call_later(PATIENCE - 1, lambda: stacks.extend(what_is_waited_for()))
        try:
            async with asyncio.timeout(PATIENCE):
                async with asyncio.TaskGroup() as actors:
                    actors.create_task(chaos.run())
                    actors.create_task(crowd.run(errands, place.sessions, place.spread))
                await crowd.fetch_what_was_left()
                await rest(here)
        except TimeoutError:
            waits = "\n".join(stacks)
            late = f"not over after {PATIENCE:g} s; the processes said:\n{fleet.said()}\nwaited for:\n{waits}"
        finally:
            watch.cancel()
        findings = await Audit(here, read_notes(fleet.notes)).run()
        if late:
            findings.wrong.append(late)
    return findings, chaos, crowd


def what_is_waited_for() -> list[str]:
    """Where each task of this process stands, from outside in: a test that is not over says what keeps it."""
    found: list[str] = []
    for task in asyncio.all_tasks():
        lines: list[str] = []
        waits: Any = task.get_coro()
        while waits is not None:
            frame = getattr(waits, "cr_frame", None) or getattr(waits, "gi_frame", None)
            if frame is not None:
                lines.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}")
            waits = getattr(waits, "cr_await", None) or getattr(waits, "gi_yieldfrom", None)
        found.append(" > ".join(lines))
    return found


async def rest(here: Runtime) -> None:
    """Until nothing is under way; children that nobody waits for may be the last."""
    while list(under_way(await Audit(here, []).heads())):  # noqa: ASYNC110  # it is other processes that work
        await asyncio.sleep(0.3)


def tell(findings: Findings, chaos: Chaos, crowd: Crowd, took: float) -> None:
    waited: Sequence[float] = sorted(crowd.waited)
    print(
        f"{findings.executions} executions, {findings.entries} entries, {findings.calls} calls "
        f"({findings.again} whose result was not recorded), {findings.conflicts} conflicts, {took:.1f} s; "
        f"asked again {crowd.asked_again}; waited p50 {statistics.median(waited):.2f} s, "
        f"p95 {waited[len(waited) * 95 // 100]:.2f} s; {dict(chaos.happened)}"
    )


@pytest.mark.parametrize("store", list(PLACES))
def test_nothing_is_lost_and_nothing_is_done_twice(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = int(os.environ.get("OVERWINTER_PROCESS_SEED") or random.randrange(10**6))
    print(f"OVERWINTER_PROCESS_SEED={seed}")
    monkeypatch.setenv(PLACE, str(tmp_path / "unused"))
    place = PLACES[store](tmp_path)
    began = time.monotonic()

    async def main() -> tuple[Findings, Chaos, Crowd]:
        await place.open()
        try:
            return await everything(place, tmp_path, seed)
        finally:
            await place.close()

    findings, chaos, crowd = asyncio.run(main())
    tell(findings, chaos, crowd, time.monotonic() - began)
    wrong = [*crowd.wrong, *findings.wrong]
    assert not wrong, f"{len(wrong)} promises were broken:\n" + "\n".join(wrong[:20] + wrong[-1:])
    assert len(crowd.errands) + len({execution for execution, _ in crowd.messages}) <= findings.executions
    assert chaos.happened["kill"] >= 2 and chaos.happened["stand"] >= 2
