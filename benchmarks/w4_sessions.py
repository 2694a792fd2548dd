"""W4: a message to one of 10,000 idle sessions of 20 KB each, until its reply: in process, and through HTTP.

What was said is English prose, of which each message is another piece; a store that compresses shows so. The sessions
get their history by real messages. Each measured message goes to a session that no process has touched since, one
message at a time, so every one pays for waking: accept, read, replay, commit. Through HTTP the server is
``overwinter serve`` in a process of its own. Floor: a bare client that reads a record of 20 KB among 10,000, changes it
and commits.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from pydoc_data.topics import topics

from overwinter import Runtime
from overwinter.benchmarks.floors import Floor
from overwinter.benchmarks.measure import Run, environment, main, percentile
from overwinter.benchmarks.subjects import talker

TURNS = 2
PART = 5 * 1024  # a message, and its reply, while the history is made
HELLO = "hello once more"


PROSE = " ".join(" ".join(topics.values()).split())
"""What every Python says about its language, 400 KB of it."""


def text(draw: random.Random) -> str:
    first = draw.randrange(len(PROSE) - PART)
    return PROSE[first : first + PART]


async def fill(run: Run, dsn: str, count: int) -> None:
    """Idle sessions ``0 … count-1`` with a conversation of 20 KB."""
    draw = random.Random(4)
    async with Runtime([talker], store=dsn) as runtime:
        left = iter(range(count))

        async def worker() -> None:
            for number in left:
                if number % 1000 == 0:
                    run.progress(f"{number:,} of {count:,} sessions have their history")
                for _ in range(TURNS):
                    sent = await runtime.send(talker, str(number), text(draw))
                    await sent.reply()

        await asyncio.gather(*(worker() for _ in range(64)))


async def in_process(dsn: str, numbers: Sequence[int]) -> list[float]:
    """Seconds from sending to the reply, one message after another, each to another session."""
    taken: list[float] = []
    async with Runtime([talker], store=dsn) as runtime:
        for number in numbers:
            started = time.perf_counter()
            sent = await runtime.send(talker, str(number), HELLO)
            assert await sent.reply() == HELLO[::-1]
            taken.append(time.perf_counter() - started)
    return taken


def serve(dsn: str) -> tuple[subprocess.Popen[str], int]:
    """A serving process and its port."""
    command = [sys.executable, "-c", "from overwinter.cli.main import main; main()"]
    command += ["serve", str(Path(__file__).with_name("subjects.py")), "--port", "0", "--store", dsn]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(PYTHONUNBUFFERED="1")
    )
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        _, found, rest = line.partition("http://127.0.0.1:")
        if found:
            return process, int("".join(c for c in rest.split()[0].split("/")[0] if c.isdigit()))
    raise RuntimeError("the server did not start:\n" + "".join(said))


def through_http(port: int, numbers: Sequence[int]) -> list[float]:
    """The same, from this process to the server's, over one kept connection."""
    taken: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = json.dumps({"content": HELLO})
    for number in numbers:
        started = time.perf_counter()
        connection.request("POST", f"/sessions/talker/{number}", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        taken.append(time.perf_counter() - started)
        if answer.status != 200 or HELLO[::-1] not in content.decode():
            raise RuntimeError(f"{answer.status} {content.decode()}")
    connection.close()
    return taken


def stop(server: subprocess.Popen[str]) -> None:
    server.terminate()
    server.communicate(timeout=20)


async def fill_all(run: Run, floor: Floor, dsn: str, count: int) -> None:
    """Both sides' sessions, and what one takes."""
    at_first = run.place.held_mb()
    await fill(run, dsn, count)
    run.place.settle()
    between = run.place.held_mb()
    await floor.fill(count, "x" * (2 * TURNS * PART))
    run.place.settle()
    least = run.place.held_mb() - between
    run.report("w4.{}.kb_per_idle", (between - at_first) * 1000 / count, "KB", least * 1000 / count)
    if run.place.name == "sqlite":  # where it is an option
        few, before = max(count // 10, 1), run.place.held_mb()
        await fill(run, f"{run.place.dsn('compressed')}?compress=1KB", few)
        run.place.settle()
        held = (run.place.held_mb() - before) * 1000 / few
        run.report("w4.{}.compressed.kb_per_idle", held, "KB", least * 1000 / count)


async def activations(floor: Floor, numbers: Sequence[int]) -> list[float]:
    taken: list[float] = []
    for number in numbers:
        started = time.perf_counter()
        await floor.activate(number, HELLO)
        taken.append(time.perf_counter() - started)
    return taken


async def measure_all(run: Run) -> None:
    count, rounds, each = (1000, 3, 40) if run.quick else (10_000, 6, 100)
    raw, dsn = run.place.floor("raw"), run.place.dsn("w4")
    fresh = iter(random.Random(5).sample(range(count), 3 * rounds * each + 20))

    def some(amount: int = each) -> list[int]:
        return [next(fresh) for _ in range(amount)]

    least: list[float] = []
    inside: list[float] = []
    outside: list[float] = []
    async with raw:
        await fill_all(run, raw, dsn, count)
        server, port = serve(dsn)
        try:
            through_http(port, some(20))
            for number in range(rounds):
                run.progress(f"round {number + 1} of {rounds}, {each} messages each")
                least += await activations(raw, some())
                inside += await in_process(dsn, some())
                outside += through_http(port, some())
        finally:
            stop(server)
    for name, values in (("inprocess", inside), ("http", outside)):
        for share in (50, 99):
            value, floor = percentile(values, share) * 1000, percentile(least, share) * 1000
            run.report(f"w4.{{}}.{name}.p{share}_ms", value, "ms", floor)


def measure(run: Run) -> None:
    asyncio.run(measure_all(run))


if __name__ == "__main__":
    main(measure)
