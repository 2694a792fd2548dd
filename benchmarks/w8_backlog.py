"""W8: what waits must not slow down what is done. Messages queued for one session, 100,000 beside 100; signals that
follow each other closely, to a workflow of 5,000 steps beside one of 100.

The messages are in the mailbox before anybody looks; the time is taken from the first question to the model to the
last reply, divided by their number. A signal's time is from the one before it to its acknowledgement, while the
workflow works on that one: each would cost a replay if the rehydrated decider were not used again. The floor of the
large number is the small one, measured in the same run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from overwinter import Agent, Context, Runtime, workflow
from overwinter.benchmarks.measure import Run, flat, main, median
from overwinter.benchmarks.subjects import increment
from overwinter.functions.models.port import Message, ToolSchema
from overwinter.functions.models.scripted import Scripted
from overwinter.orchestrator.engine.delivery import mail_of
from overwinter.state.opening import open_store
from overwinter.state.records import NewExecution

FEW, MANY = 100, 100_000
SHORT, LONG = 100, 5_000
WARM = 20  # messages before the clock starts, so that waking is not in it
SIGNALS = 60
AT_ONCE = 500


class Clerk:
    """Answers at once, and says when the first and the last message were answered."""

    def __init__(self, last: str) -> None:
        self._last = last
        self._count = 0
        self.began = 0.0
        self.done = asyncio.Event()

    def agent(self) -> Agent[Any]:
        return Agent("clerk", model=Scripted(self._answer), history=10)

    def _answer(self, messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str:
        self._count += 1
        if self._count == WARM:
            self.began = time.perf_counter()
        if messages[-1].content == self._last:
            self.done.set()
        return "noted"


async def queue(dsn: str, count: int) -> None:
    """Put the messages into the mailbox, as processes do that have no room."""
    store = open_store(dsn)
    await store.open()
    create = NewExecution("clerk", "agent")
    for first in range(0, count, AT_ONCE):
        facts = [
            {"type": "message", "at": time.time_ns() // 1_000_000, "id": str(number), "content": f"message {number}"}
            for number in range(first, min(first + AT_ONCE, count))
        ]
        mails = [mail_of(fact, f"message {fact['id']}", lane=1) for fact in facts]
        await asyncio.gather(*(store.accept("clerk/s", mail, now=mail.at, create=create) for mail in mails))
    await store.close()


async def work_off(dsn: str, count: int) -> float:
    """Seconds for each message."""
    clerk = Clerk(f"message {count - 1}")
    async with Runtime([clerk.agent()], store=dsn) as runtime:
        await clerk.done.wait()
        while not runtime.engine.idle():  # noqa: ASYNC110  # nobody would set an event
            await asyncio.sleep(0.001)
        return (time.perf_counter() - clerk.began) / (count - WARM)


def measure_backlog(run: Run) -> None:
    rounds, many = (1, 5_000) if run.quick else (3, MANY)
    few: list[float] = []
    lots: list[float] = []
    for number in range(rounds):
        run.progress(f"round {number + 1} of {rounds}, {many:,} queued messages beside {FEW}")
        for part in range(10):
            dsn = run.place.dsn(f"w8-few-{number}-{part}")
            asyncio.run(queue(dsn, FEW))
            few.append(asyncio.run(work_off(dsn, FEW)))
        dsn = run.place.dsn(f"w8-many-{number}")
        asyncio.run(queue(dsn, many))
        lots.append(asyncio.run(work_off(dsn, many)))
    small, large = median(few) * 1000, median(lots) * 1000
    run.report("w8.{}.backlog.100.ms_per_message", small, "ms")
    run.report("w8.{}.backlog.100000.ms_per_message", large, "ms", small)


@workflow
async def listener(ctx: Context, steps: int) -> int:
    value = 0
    for _ in range(steps):
        value = await ctx.step(increment, value)
    while (await ctx.wait_for("tick")) != "end":
        value = await ctx.step(increment, value)
    return value


async def signals(dsn: str, steps: int, rounds: int) -> list[list[float]]:
    """Seconds for each of some signals, each sent when the one before is acknowledged."""
    taken: list[list[float]] = []
    async with Runtime([listener], store=dsn) as runtime:
        handle = await runtime.start(listener, steps)
        while not runtime.engine.idle():  # noqa: ASYNC110  # nobody would set an event
            await asyncio.sleep(0.01)
        for _ in range(rounds):
            one: list[float] = []
            for _ in range(SIGNALS):
                started = time.perf_counter()
                await runtime.signal(handle.id, "tick")
                one.append(time.perf_counter() - started)
                await asyncio.sleep(0)  # where another request would come in
            taken.append(one)
        await runtime.signal(handle.id, "tick", "end")
        await handle.result()
    return taken


def measure_signals(run: Run) -> None:
    rounds, steps = (2, 1_000) if run.quick else (10, LONG)
    run.progress(f"{rounds * SIGNALS} signals after {steps:,} steps")
    short = asyncio.run(signals(run.place.dsn("w8-short"), SHORT, rounds))
    long = asyncio.run(signals(run.place.dsn("w8-long"), steps, rounds))
    small, large = (sum(flat(each)) / len(flat(each)) * 1000 for each in (short, long))
    run.report("w8.{}.signals_after_100_steps.ms", small, "ms")
    run.report("w8.{}.signals_after_5000_steps.ms", large, "ms", small)


def measure(run: Run) -> None:
    measure_backlog(run)
    measure_signals(run)


if __name__ == "__main__":
    main(measure)
