"""Agents: 1,000 sessions that talk at once in one process, each turn a tool call and an answer (three transitions),
whole and streamed; and how much later than the model's own first word a listener has it.

Floor of the turns: bare SQLite, one transaction for each transition. The streamed turns are listened to in the same
process, as a server does it for its clients; their floor are the turns that nobody listens to, in turn with them.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from overwinter import Agent, Runtime, StreamEvent, tool
from overwinter.benchmarks.measure import Run, main, percentile
from overwinter.functions.models.port import Answer, Delta, Emit, Message, Request, ToolCall, Usage

ANSWER = "It has been shipped and comes on Friday."
PIECES = [f"{word} " for word in ANSWER.split()]


@tool
async def lookup(order_id: str) -> str:
    """Find an order."""
    return "shipped"


class Stub:
    """Calls the tool, then answers, word by word to who listens. ``spoke`` is when it said its last first word."""

    name = "scripted/stub"

    def __init__(self) -> None:
        self.spoke = 0.0

    async def complete(self, request: Request) -> Answer:
        return _said(request.messages)

    async def stream(self, request: Request, emit: Emit) -> Answer:
        answer = _said(request.messages)
        if answer.text:
            self.spoke = time.perf_counter()
            for piece in PIECES:
                emit(Delta(piece))
                await asyncio.sleep(0)
        return answer


def _said(messages: tuple[Message, ...]) -> Answer:
    if messages[-1].role == "tool":
        return Answer("".join(PIECES), (), Usage(40, 9), "0", Stub.name)
    call = ToolCall(f"c{len(messages)}", "lookup", '{"order_id": "A-1"}')
    return Answer("", (call,), Usage(30, 7), "0", Stub.name, "tool_calls")


stub = Stub()
desk = Agent("desk", stub, "You help with orders.", [lookup])


async def whole(runtime: Runtime, session: str) -> None:
    await (await runtime.send(desk, session, "Where is A-1?")).reply()


async def streamed(runtime: Runtime, session: str) -> None:
    said = ""
    events: AsyncGenerator[StreamEvent] = runtime.stream(desk, session, "Where is A-1?")
    async with aclosing(events):
        async for event in events:
            if event.type == "text":
                said += event.data["text"]
    assert said.split() == ANSWER.split()


async def talk(runtime: Runtime, sessions: int, turns: int, mark: str, *, listened: bool) -> tuple[float, list[float]]:
    """All sessions at once, turn after turn: turns a second, and seconds of each."""
    taken: list[float] = []

    async def session(number: int) -> None:
        for _ in range(turns):
            started = time.perf_counter()
            await (streamed if listened else whole)(runtime, f"{mark}-{number}")
            taken.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(session(number) for number in range(sessions)))
    return sessions * turns / (time.perf_counter() - started), taken


async def first_words(runtime: Runtime, count: int) -> list[float]:
    """Seconds from the model's first word to a listener's, one turn at a time."""
    taken: list[float] = []
    for number in range(count):
        events = runtime.stream(desk, f"first-{number}", "Where is A-1?")
        async with aclosing(events):
            async for event in events:
                if event.type == "text" and len(taken) == number:
                    taken.append(time.perf_counter() - stub.spoke)
    return taken


async def measure_all(run: Run) -> None:
    sessions, turns, rounds = (200, 2, 2) if run.quick else (1000, 3, 4)
    floors: list[float] = []
    calm: list[float] = []
    heard: list[float] = []
    latencies: list[float] = []
    raw = run.place.floor("raw")
    async with raw, Runtime([desk], store=run.place.dsn("agents")) as runtime:
        await talk(runtime, 50, 1, "warm", listened=False)
        await talk(runtime, 50, 1, "warmer", listened=True)
        for number in range(rounds):
            run.progress(f"round {number + 1} of {rounds}, {sessions * turns:,} turns whole and as many streamed")
            floors.append(200 * 11 / await raw.workflows(200, 10))
            rate, taken = await talk(runtime, sessions, turns, f"whole{number}", listened=False)
            calm.append(rate)
            latencies += taken
            rate, _ = await talk(runtime, sessions, turns, f"streamed{number}", listened=True)
            heard.append(rate)
        run.progress("first words")
        words = await first_words(runtime, 50 if run.quick else 300)
    floor = statistics.median(floors)
    run.report("agents.floor.transitions_per_s", floor, "/s")
    run.report("agents.turns_per_s", statistics.median(calm), "/s", floor)
    run.report("agents.turn.c1000.p99_ms", percentile(latencies, 99) * 1000, "ms")
    run.report("agents.stream.overhead", statistics.median(calm) / statistics.median(heard), "times")
    run.report("agents.stream.first_token_overhead_ms", percentile(words, 50) * 1000, "ms")


def measure(run: Run) -> None:
    asyncio.run(measure_all(run))


if __name__ == "__main__":
    main(measure)
