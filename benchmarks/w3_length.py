"""W3: what length costs. Steps of a long workflow against a short one, replay of 1,000 recorded steps after
``kill -9``, and a conversation of 1,000 turns.

Replay is taken from the event that wakes the workflow, in a new process that has served something else before, to
the first new operation after the recorded ones: making the event durable, reading and checking 1,000 entries and
running the code over them. Its floor reads the rows and parses them (SQLite's opens its file first). A turn of the
conversation is half a kilobyte in and half a kilobyte out; its floor commits one row for each.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from functools import partial

from overwinter import Runtime
from overwinter.benchmarks.floors import Floor
from overwinter.benchmarks.measure import Run, end, flat, interleave, kill, main, median, program, read_line
from overwinter.benchmarks.subjects import sequence, talker

REPLAYED = 1000
TURNS = 1000
HALF_TURN = 512


async def workflows_of(dsn: str, length: int, times: int) -> list[float]:
    """Seconds for each of some workflows of ``length`` steps, each in a runtime of its own."""
    taken: list[float] = []
    for _ in range(times):
        async with Runtime([sequence], store=dsn) as runtime:
            started = time.perf_counter()
            handle = await runtime.start(sequence, length)
            assert await handle.result() == length
            taken.append(time.perf_counter() - started)
    return taken


async def raw_workflows_of(floor: Floor, length: int, times: int) -> list[float]:
    taken: list[float] = []
    for _ in range(times):
        async with floor:
            taken.append(await floor.workflows(1, length))
    return taken


async def talk(dsn: str, texts: list[str]) -> float:
    """Seconds for a conversation, each message sent when the one before is answered."""
    async with Runtime([talker], store=dsn) as runtime:
        started = time.perf_counter()
        for text in texts:
            sent = await runtime.send(talker, "one", text)
            assert len(await sent.reply()) == HALF_TURN
        return time.perf_counter() - started


async def raw_talk(floor: Floor, texts: list[str]) -> float:
    async with floor:
        return await floor.conversation("talk", texts)


def texts(count: int) -> list[str]:
    """Texts that no compression makes smaller, the same in every run."""
    draw = random.Random(3)
    return [base64.b64encode(draw.randbytes(HALF_TURN * 3 // 4)).decode() for _ in range(count)]


def measure_lengths(run: Run) -> None:
    rounds = 2 if run.quick else 3
    raw, dsn = run.place.floor("raw"), run.place.dsn("w3")
    asyncio.run(workflows_of(dsn, 20, 1))

    def floor_of(length: int, times: int) -> list[float]:
        return asyncio.run(raw_workflows_of(raw, length, times))

    def product_of(length: int, times: int) -> list[float]:
        return asyncio.run(workflows_of(dsn, length, times))

    for length, times in ((100, 10), (5000, 1)):
        run.progress(f"{rounds} rounds of {times} workflows of {length} steps")
        floor, product = interleave(rounds, partial(floor_of, length, times), partial(product_of, length, times))
        scale = 1000 / length
        value, least = median(flat(product)) * scale, median(flat(floor)) * scale
        run.report(f"w3.{{}}.ms_per_step.{length}", value, "ms", least)


def measure_replay(run: Run) -> None:
    run.progress(f"replay of {REPLAYED} steps after kill -9")
    raw, dsn = run.place.floor("raw-replay"), run.place.dsn("replay")

    async def prepare() -> None:
        async with raw:
            entry = {"type": "step", "op": "1000", "name": "increment", "value": 1000}
            await raw.workflow("long", REPLAYED, json.dumps(entry))

    async def read() -> float:
        async with raw:
            return await raw.history("long")

    def replayed(number: int) -> float:
        first = program("replay.py", dsn, str(number), str(REPLAYED), "begin")
        read_line(first)
        kill(first)
        again = program("replay.py", dsn, str(number), str(REPLAYED), "go on")
        taken = float(read_line(again))
        end(again)
        return taken

    asyncio.run(prepare())
    numbers = iter(range(100))
    rounds = 3 if run.quick else 7
    floor, product = interleave(rounds, lambda: asyncio.run(read()), lambda: replayed(next(numbers)))
    run.report("w3.{}.replay1000.ms", median(product) * 1000, "ms", median(floor) * 1000)


def measure_conversation(run: Run) -> None:
    turns = 200 if run.quick else TURNS
    run.progress(f"a conversation of {turns} turns")
    messages = texts(turns)
    halves = [half for message in messages for half in (message, message)]
    seconds: list[tuple[float, float]] = []
    sizes: list[tuple[float, float]] = []
    for number in range(1 if run.quick else 3):
        at_first = run.place.held_mb()
        floor = asyncio.run(raw_talk(run.place.floor(f"raw-talk-{number}"), halves))
        between = run.place.held_mb()
        product = asyncio.run(talk(run.place.dsn(f"talk-{number}"), messages))
        seconds.append((floor, product))
        sizes.append((between - at_first, run.place.held_mb() - between))
    scale = TURNS / turns
    floor, product = (median([pair[side] for pair in seconds]) * scale for side in (0, 1))
    run.report("w3.{}.conversation.s", product, "s", floor)
    floor, product = (median([pair[side] for pair in sizes]) * scale for side in (0, 1))
    run.report("w3.{}.conversation.mb", product, "MB", floor)


def measure(run: Run) -> None:
    measure_lengths(run)
    measure_replay(run)
    measure_conversation(run)


if __name__ == "__main__":
    main(measure)
