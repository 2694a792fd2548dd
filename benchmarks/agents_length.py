"""What a turn costs at the end of a long conversation, against one at its beginning: turn 5,000 over turn 10, in time
and in bytes. Once with the window as it is by default, once with one that is compacted by summaries, whose calls count.

Time is measured on both by turns: one turn of the long conversation, one of a fresh one that is at its tenth, so that a
noisy machine is noisy for both. Bytes are what a stretch of turns has left in the store when the runtime is closed:
turns 11 to 510, and as many after turn 5,000.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from overwinter import Agent, History, Runtime
from overwinter.benchmarks.measure import Run, main, median
from overwinter.benchmarks.w3_length import HALF_TURN, texts
from overwinter.functions.models.port import Answer, Request, Usage
from overwinter.functions.window import Shorten, Summarize

EARLY = 10
LATE = 5000
STRETCH = 500
PAIRS = 300


class Stub:
    """Says a message backwards, or so much of a summary, and does no more with a long conversation than with a short
    one: what is measured is ours."""

    def __init__(self, name: str) -> None:
        self.name = f"scripted/{name}"

    async def complete(self, request: Request) -> Answer:
        last = request.messages[-1].content
        said = last[::-1] if len(last) == HALF_TURN else "So it was. " * 60
        return Answer(said, (), Usage(300, 200), "0", self.name)


plain = Agent("plain", Stub("plain"))
compact = Agent(
    "compact",
    Stub("compact"),
    history=History(tokens=16_000, compaction=[Shorten(), Summarize(Stub("cheap"))]),
)


async def turn(runtime: Runtime, agent: Agent, session: str, text: str) -> float:
    started = time.perf_counter()
    await (await runtime.send(agent, session, text)).reply()
    return time.perf_counter() - started


async def stretch(dsn: str, agent: Agent, said: Iterator[str], count: int) -> None:
    """So many turns of the one conversation, in a runtime of their own: closed, a store has its rows and no log."""
    async with Runtime([agent], store=dsn) as runtime:
        for _ in range(count):
            await turn(runtime, agent, "long", next(said))


async def pairs(dsn: str, agent: Agent, said: Iterator[str], count: int) -> tuple[list[float], list[float]]:
    """Seconds of the tenth turns of so many fresh conversations, and of as many turns of the long one between them."""
    early: list[float] = []
    late: list[float] = []
    async with Runtime([agent], store=dsn) as runtime:
        for number in range(count):
            for _ in range(EARLY - 1):
                await turn(runtime, agent, f"fresh-{number}", next(said))
            fresh = (early, f"fresh-{number}")
            for taken, session in (fresh, (late, "long")) if number % 2 else ((late, "long"), fresh):
                taken.append(await turn(runtime, agent, session, next(said)))
    return early, late


def repeated(some: list[str]) -> Iterator[str]:
    while True:
        yield from some


def measure_one(run: Run, agent: Agent, mark: str) -> None:
    length, count = (1000, 100) if run.quick else (LATE, PAIRS)
    dsn, said = run.place.dsn(f"length-{agent.name}"), repeated(texts(400))

    def grown(turns: int) -> float:
        run.place.settle()
        before = run.place.held_mb()
        asyncio.run(stretch(dsn, agent, said, turns))
        run.place.settle()
        return run.place.held_mb() - before

    run.progress(f"{agent.name}: a conversation of {length:,} turns")
    grown(EARLY)
    early = grown(STRETCH)
    grown(length - EARLY - STRETCH)
    late = grown(STRETCH)
    run.report(f"agents.{{}}.turn5000_over_turn10.{mark}bytes", late / early, "times")
    run.progress(f"{agent.name}: {count} pairs of turns")
    first, last = asyncio.run(pairs(dsn, agent, said, count))
    run.report(f"agents.{{}}.turn10.{mark}ms", median(first) * 1000, "ms")
    run.report(f"agents.{{}}.turn5000_over_turn10.{mark}time", median(last) / median(first), "times")


def measure(run: Run) -> None:
    measure_one(run, plain, "")
    measure_one(run, compact, "compacted.")


if __name__ == "__main__":
    main(measure)
