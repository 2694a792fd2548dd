"""W3: what length costs. Steps of a long workflow against a short one, replay of 1,000 recorded steps after
``kill -9``, and a conversation of 1,000 turns.

Replay is taken from the event that wakes the workflow, in a new process that has served something else before, to
the first new operation after the recorded ones: making the event durable, reading and checking 1,000 entries and
running the code over them. Its floor opens the file, reads the rows and parses them. A turn of the conversation is
half a kilobyte in and half a kilobyte out; its floor commits one row for each.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from overwinter import Runtime
from overwinter.benchmarks import floors
from overwinter.benchmarks.measure import (
    Run,
    end,
    flat,
    interleave,
    kill,
    main,
    median,
    program,
    read_line,
    size_mb,
)
from overwinter.benchmarks.subjects import sequence, talker

REPLAYED = 1000
TURNS = 1000
HALF_TURN = 512


async def one_workflow(path: Path, length: int) -> float:
    async with Runtime([sequence], store=f"sqlite:///{path}") as runtime:
        started = time.perf_counter()
        handle = await runtime.start(sequence, length)
        assert await handle.result() == length
        return time.perf_counter() - started


def workflow_of(path: Path, length: int) -> float:
    """Seconds for one workflow of ``length`` steps."""
    return asyncio.run(one_workflow(path, length))


def repeat(times: int, work: Callable[[], float]) -> list[float]:
    return [work() for _ in range(times)]


async def talk(path: Path, texts: list[str]) -> float:
    """Seconds for a conversation, each message sent when the one before is answered."""
    async with Runtime([talker], store=f"sqlite:///{path}") as runtime:
        started = time.perf_counter()
        for text in texts:
            sent = await runtime.send(talker, "one", text)
            assert len(await sent.reply()) == HALF_TURN
        return time.perf_counter() - started


def texts(count: int) -> list[str]:
    """Texts that no compression makes smaller, the same in every run."""
    draw = random.Random(3)
    return [base64.b64encode(draw.randbytes(HALF_TURN * 3 // 4)).decode() for _ in range(count)]


def measure_lengths(run: Run) -> None:
    rounds = 2 if run.quick else 3
    raw, path = run.path("raw.db"), run.path("w3.db")
    workflow_of(path, 20)
    for length, times in ((100, 10), (5000, 1)):
        run.progress(f"{rounds} rounds of {times} workflows of {length} steps")
        floor, product = interleave(
            rounds,
            partial(repeat, times, partial(floors.steps, raw, 1, length)),
            partial(repeat, times, partial(workflow_of, path, length)),
        )
        scale = 1000 / length
        value, least = median(flat(product)) * scale, median(flat(floor)) * scale
        run.report(f"w3.sqlite.ms_per_step.{length}", value, "ms", least)


def measure_replay(run: Run) -> None:
    run.progress(f"replay of {REPLAYED} steps after kill -9")
    raw, path = run.path("raw-replay.db"), run.path("replay.db")
    floors.steps(raw, 1, REPLAYED, json.dumps({"type": "step", "op": "1000", "name": "increment", "value": 1000}))

    def replayed(number: int) -> float:
        first = program("replay.py", path, str(number), str(REPLAYED), "begin")
        read_line(first)
        kill(first)
        again = program("replay.py", path, str(number), str(REPLAYED), "go on")
        taken = float(read_line(again))
        end(again)
        return taken

    numbers = iter(range(100))
    floor, product = interleave(
        3 if run.quick else 7, lambda: floors.read_history(raw, "workflow-0"), lambda: replayed(next(numbers))
    )
    run.report("w3.sqlite.replay1000.ms", median(product) * 1000, "ms", median(floor) * 1000)


def measure_conversation(run: Run) -> None:
    turns = 200 if run.quick else TURNS
    run.progress(f"a conversation of {turns} turns")
    messages = texts(turns)
    halves = [half for message in messages for half in (message, message)]
    seconds: list[tuple[float, float]] = []
    sizes: list[tuple[float, float]] = []
    for number in range(1 if run.quick else 3):
        raw, path = run.path(f"raw-talk-{number}.db"), run.path(f"talk-{number}.db")
        seconds.append((floors.conversation(raw, halves), asyncio.run(talk(path, messages))))
        sizes.append((size_mb(raw), size_mb(path)))
    scale = TURNS / turns
    floor, product = (median([pair[side] for pair in seconds]) * scale for side in (0, 1))
    run.report("w3.sqlite.conversation.s", product, "s", floor)
    floor, product = (median([pair[side] for pair in sizes]) * scale for side in (0, 1))
    run.report("w3.sqlite.conversation.mb", product, "MB", floor)


def measure(run: Run) -> None:
    measure_lengths(run)
    measure_replay(run)
    measure_conversation(run)


if __name__ == "__main__":
    main(measure)
