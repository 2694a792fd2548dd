"""What DynamoDB is asked for: requests and write units of a transition, requests of a wake. Counted, not timed.

A workflow of ten steps runs through the runtime on moto's server, behind a proxy that counts. Of the requests that
name the execution the first takes the start in, the others belong to its transitions. A wake is a message to a session
that this process does not hold: what it takes to lease it and to read what is needed to go on, before its transition.
Heartbeats and looks at the due index go by time, not by transition, and are left out.
"""

from __future__ import annotations

import asyncio
import random

from overwinter import Runtime
from overwinter.benchmarks.measure import Run, main
from overwinter.benchmarks.metering import Meter, Request
from overwinter.benchmarks.subjects import sequence, talker
from overwinter.benchmarks.w4_sessions import text
from overwinter.state.opening import open_store
from overwinter.tests.servers.moto import Moto, signed

STEPS = 10
QUIET = 1.0


async def asked(meter: Meter, id: str, first: int) -> list[Request]:
    """The requests for an execution since that one, when no more have come for a while. Nobody may wait for its
    result meanwhile: who waits looks at the store now and then."""
    seen = -1
    while seen != len(found := [request for request in meter.requests[first:] if request.names(id)]) or not found:
        seen = len(found)
        await asyncio.sleep(QUIET)
    return found


async def workflow(meter: Meter, dsn: str, id: str) -> tuple[list[Request], int]:
    """All requests of a workflow of ten steps, and how many transitions it took."""
    async with Runtime([sequence], store=dsn) as runtime:
        first = len(meter.requests)
        handle = await runtime.start(sequence, STEPS, id=id)
        found = await asked(meter, id, first)
        assert await handle.result() == STEPS
        return found, await version(runtime, id)


async def written(meter: Meter, dsn: str, session: str) -> float:
    """Write units of one message of 5 KB of prose and its answer of as many, a transition of 10 KB."""
    await message(meter, dsn, session, "hello")
    found, transitions = await message(meter, dsn, session, text(random.Random(6)))
    return sum(request.units for request in found[-transitions:]) / transitions


async def message(meter: Meter, dsn: str, session: str, text: str) -> tuple[list[Request], int]:
    """All requests of a message to a session, in a runtime of its own, and how many transitions it took."""
    id = f"talker/{session}"
    async with Runtime([talker], store=dsn) as runtime:
        before, first = await version(runtime, id), len(meter.requests)
        sent = await runtime.send(talker, session, text)
        found = await asked(meter, id, first)
        assert await sent.reply() == text[::-1]
        return found, await version(runtime, id) - before


async def version(runtime: Runtime, id: str) -> int:
    head = await runtime.store.head(id)
    return 0 if head is None else head.version


async def count(run: Run, meter: Meter, dsn: str) -> None:
    await open_store(dsn).create()
    run.progress("a workflow of ten steps")
    (_, *commits), transitions = await workflow(meter, dsn, "ten-steps-counted")  # the first took the start in
    run.report("dynamodb.requests_per_transition", len(commits) / transitions, "")
    units = sum(request.units for request in commits)
    run.report("dynamodb.write_units_per_transition", units / transitions, "")
    run.progress("a session that sleeps")
    await message(meter, dsn, "counted", "hello")
    found, transitions = await message(meter, dsn, "counted", "hello again")
    run.report("dynamodb.requests_per_wake", len(found) - transitions, "")
    run.progress("a transition of 10 KB, compressed and not")
    plain = f"{dsn}-plain" if "?" not in dsn else dsn.replace("?", "-plain?", 1) + "&compress=off"
    await open_store(plain).create()
    packed = await written(meter, dsn, "ten-kilobytes")
    run.report("dynamodb.write_units_of_10kb", packed, "", await written(meter, plain, "ten-kilobytes-plain"))


def measure(run: Run) -> None:
    with signed(), Moto() as moto, Meter(moto.url) as meter:
        asyncio.run(count(run, meter, moto.dsn(port=meter.port)))


if __name__ == "__main__":
    main(measure)
