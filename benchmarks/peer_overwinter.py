"""overwinter as a contender in the harness of the peers' scripts, on SQLite and on Redis.

``peers.py`` puts it into the harness' table and runs it there; ``PEERS_SCRIPTS`` names the folder of the harness. Each
operation does what the peers' do under the same name: the same steps, the same sizes, every result checked. A session
is an agent with a conversation of the size asked for, which is read, grown by a message and its reply, and stored.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from overwinter import Context, Runtime, workflow
from overwinter.benchmarks.places import PLACES, Place
from overwinter.benchmarks.subjects import fanout, sequence, talker

sys.path.insert(0, os.environ["PEERS_SCRIPTS"])
common: Any = import_module("common")

LINES = Path(os.environ.get("PEER_LINES", os.devnull))


def turn(number: int) -> str:
    """1 KB that no compression makes smaller."""
    return base64.b64encode(os.urandom(768)).decode()


@workflow
async def growing(ctx: Context, count: int) -> int:
    return len([await ctx.step(turn, number) for number in range(count)])


async def slow_line(tag: str) -> None:
    while not common.gate(LINES).exists():  # noqa: ASYNC110  # another process makes the file
        await asyncio.sleep(0.01)
    _write(tag)
    await asyncio.sleep(0.02)


@workflow
async def lines(ctx: Context, number: int) -> int:
    for step in range(common.STEPS):
        await ctx.step(slow_line, f"{number}:{step}")
    return int(common.STEPS)


async def increment(value: int) -> int:
    return value + 1


@workflow
async def long_then_wait(ctx: Context, length: int) -> int:
    began, value = time.time(), 0  # a measurement, not an input of the code
    for _ in range(length):
        value = await ctx.step(increment, value)
    _write(json.dumps([began, time.time(), value]))
    await ctx.wait_for("go")
    return value


def _write(line: str) -> None:
    with LINES.open("a") as file:
        file.write(line + "\n")


def runtime_on(dsn: str) -> Runtime:
    return Runtime([sequence, fanout, growing, lines, long_then_wait, talker], store=dsn)


class Overwinter(common.Peer):  # type: ignore[misc]  # the harness is untyped
    name = "overwinter"

    async def setup(self) -> None:
        self.durability = {"sqlite": "WAL, synchronous=FULL", "redis": "AOF, fsync each second"}[self.variant]
        self._opened = contextlib.AsyncExitStack()
        self._folder = common.fresh_dir(f"overwinter-{self.variant}")
        self._place: Place = self._opened.enter_context(PLACES[self.variant](self._folder))
        self._runtime = await self._opened.enter_async_context(runtime_on(self._place.dsn("serve")))

    async def close(self) -> None:
        await self._opened.aclose()

    async def _run(self, function: object, input: int) -> Any:
        return await (await self._runtime.start(function, input)).result()

    async def wf(self, n: int) -> None:
        assert await self._run(sequence, n) == n

    async def fanout(self, width: int) -> None:
        assert await self._run(fanout, width) == width * (width + 1) // 2

    async def growing(self, n: int) -> None:
        assert await self._run(growing, n) == n

    async def idle_create(self, i: int, text: str) -> None:
        await self._say(i, text[: len(text) // 2])  # the reply is the other half

    async def idle_send(self, i: int, k: int) -> None:
        await self._say(i, f"hello {k}")

    async def _say(self, session: int, text: str) -> None:
        sent = await self._runtime.send(talker, f"c{session}", text)
        assert await sent.reply() == text[::-1]

    def pids(self) -> dict[str, int]:
        server = self._place.server_pid()
        return {"worker": os.getpid()} | ({} if server is None else {"store": server})

    def disk(self) -> float:
        return float(common.du_mb(self._folder))

    # -- whole processes -----------------------------------------------------------------------------

    def _fresh(self, mode: str) -> Place:
        return PLACES[self.variant](common.fresh_dir(f"overwinter-{self.variant}-{mode}"))

    def _lines(self, mode: str) -> Path:
        path: Path = common.DATA / f"overwinter-{self.variant}-{mode}-lines"
        path.unlink(missing_ok=True)
        os.environ["PEER_LINES"] = str(path)
        return path

    def _worker(self, mode: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, __file__, mode, self.variant, *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sys.stderr)

    def cold(self) -> dict[str, float]:
        with self._fresh("cold") as place:
            dsn = place.dsn("cold")
            first, rss = 0.0, 0.0
            for _ in range(2):  # the first makes the database
                started = time.perf_counter()
                process = self._worker("cold-worker", dsn)
                assert process.stdout is not None
                process.stdout.readline()
                first, rss = time.perf_counter() - started, common.rss_mb(process.pid)
                common.stop(process, signal.SIGKILL)
        return {"first_ms": first * 1000, "rss_mb": rss}

    def mode_cold_worker(self, dsn: str) -> None:
        async def work() -> None:
            async with runtime_on(dsn) as runtime:
                assert await (await runtime.start(sequence, common.STEPS)).result() == common.STEPS
                common.say({"ok": 1})
                await asyncio.sleep(30)

        asyncio.run(work())

    def crash(self, count: int) -> Any:
        with self._fresh("crash") as place:
            os.environ["PEER_DSN"] = place.dsn("crash")
            path = self._lines("crash")
            return common.two_phase_crash(sys.executable, __file__, self.variant, count, path)

    def mode_crash_start(self, count: str, path: str) -> None:
        async def work() -> None:
            async with runtime_on(os.environ["PEER_DSN"]) as runtime:
                for number in range(int(count)):
                    await runtime.start(lines, number, id=f"lines-{number}")
                common.gate(path).touch()
                await asyncio.sleep(120)

        asyncio.run(work())

    def mode_crash_resume(self, count: str, path: str) -> None:
        async def work() -> None:
            async with runtime_on(os.environ["PEER_DSN"]) as runtime:
                results = await asyncio.gather(*(runtime.result(f"lines-{number}") for number in range(int(count))))
                common.say({"done": sum(result == common.STEPS for result in results)})
                os._exit(0)

        asyncio.run(work())

    def replay(self, n: int) -> dict[str, float]:
        with self._fresh("replay") as place:
            dsn, path = place.dsn("replay"), self._lines("replay")
            started = 0.0
            for already in (0, 1):
                started = time.time()
                process = self._worker("replay-worker", dsn, str(n), str(already))
                while len(common.lines_of(path)) <= already:
                    time.sleep(0.01)
                time.sleep(0.2)  # until it waits and its lease is given back
                common.stop(process, signal.SIGKILL)
        first, second = (json.loads(line) for line in common.lines_of(path)[:2])
        assert second[2] == n
        return {
            "replay_ms": (second[1] - second[0]) * 1000,
            "resume_ms": (second[1] - started) * 1000,
            "first_run_ms": (first[1] - first[0]) * 1000,
        }

    def mode_replay_worker(self, dsn: str, n: str, already: str) -> None:
        async def work() -> None:
            async with runtime_on(dsn) as runtime:
                if already == "0":
                    await runtime.start(long_then_wait, int(n), id="long")
                else:
                    await runtime.signal("long", "go")
                await asyncio.sleep(600)

        asyncio.run(work())


if __name__ == "__main__":
    common.main(Overwinter)
