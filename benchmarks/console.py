"""The console: pages of a list of 1,000,000 executions over HTTP, with each filter and deep in the list, what counting
costs there, the bytes of its files, and how soon a browser shows something (where there is one).

The executions are written straight into the file, by the store's own schema, triggers and all. The app is asked in
process, so that the figures are those of the store and the API.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import random
import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import uvicorn

from overwinter import Agent, Runtime
from overwinter.benchmarks.measure import Run, main, percentile
from overwinter.console.files import read
from overwinter.console.serving import PREFIX, Console
from overwinter.functions.http.app import create_app
from overwinter.functions.http.connection import config
from overwinter.functions.http.door import Door
from overwinter.state.opening import open_store

NOW = 1_790_000_000_000
APART = 250  # ms between two executions
FUNCTIONS = [f"function-{number:02}" for number in range(20)]
STATUSES = ("completed",) * 880 + ("idle",) * 100 + ("failed",) * 15 + ("waiting",) * 4 + ("running",)
PAGES = 6  # of each filter, one after the other, from each place
PLACES = (0.0, 0.3, 0.9)  # how deep in the list

FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "status": {"status": "failed"},
    "statuses": {"status": ["running", "waiting", "failed"]},
    "dense": {"status": "idle"},
    "function": {"function": FUNCTIONS[7]},
    "prefix": {"prefix": f"{FUNCTIONS[3]}/session-1"},
    "few": {"prefix": f"{FUNCTIONS[3]}/session-00012"},
    "text": {"text": "parcel"},
    "nothing": {"text": "there is no such word"},
    "since": {"since": NOW + 100_000 * APART},
    "between": {"since": NOW + 100_000 * APART, "before": NOW + 400_000 * APART},
    "cost": {"cost": "0.9"},
    "oldest": {"order": "oldest"},
    "oldest.text": {"order": "oldest", "text": "parcel"},
    "kind": {"kind": "agent", "status": "completed", "function": FUNCTIONS[7]},
}


PAINTED = 'performance.getEntriesByName("first-contentful-paint")[0]'


def rows(count: int) -> Iterator[tuple[Any, ...]]:
    draw = random.Random(14)
    words = ("order", "refund", "letter", "invoice", "greeting", "question")
    for number in range(count):
        function, status = FUNCTIONS[draw.randrange(20)], STATUSES[draw.randrange(1000)]
        word = "parcel" if draw.random() < 0.002 else draw.choice(words)
        cost = f"{draw.random() ** 4:.6f}"
        usage = {"iterations": 3, "input": 900, "output": 120, "cost": cost}
        state = json.dumps({"mode": "", "turn": 2, "usage": usage}, separators=(",", ":"))
        at = NOW + number * APART
        id, awaits = f"{function}/session-{number:07}", "event reply" if status == "waiting" else ""
        yield (id, function, "agent", status, at, at + 900, 5, 9, 1, 2, 0, None, awaits, f"about a {word}", state)


INSERT = (
    "INSERT INTO execution (id, function, kind, status, created, updated, version, length, base, arrivals, waiting,"
    " owner, awaits, note, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


async def fill(run: Run, dsn: str, path: Path, count: int) -> None:
    store = open_store(dsn)
    await store.open()
    await store.close()
    run.progress(f"writing {count:,} executions")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    with connection:
        connection.executemany(INSERT, rows(count))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def page(client: httpx.AsyncClient, query: dict[str, Any]) -> tuple[dict[str, Any], float]:
    started = time.perf_counter()
    answer = await client.get("/executions", params=query)
    taken = time.perf_counter() - started
    answer.raise_for_status()
    return answer.json(), taken


def chromium() -> str | None:
    """Where a browser is that playwright can drive; None: there is none, or no playwright."""
    if importlib.util.find_spec("playwright") is None:
        return None
    return shutil.which(os.environ.get("OVERWINTER_CHROMIUM", "chromium"))


async def painted(run: Run, app: Any, browser: str, rounds: int) -> None:
    """How soon the list of executions shows something, in a browser that has never been there."""
    async_playwright: Any = importlib.import_module("playwright.async_api").async_playwright  # not everybody has it
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config(app, Door(), log_level="error", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/console/"
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    taken: list[float] = []
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=browser, args=[*flags, "--disable-sync"])
        for number in range(rounds):
            run.progress(f"first paint, {number} of {rounds}")
            context = await started.new_context()
            page = await context.new_page()
            await page.goto(address, wait_until="load")
            await page.wait_for_function(f"() => {PAINTED} !== undefined")
            taken.append(await page.evaluate(f"() => {PAINTED}.startTime"))
            await context.close()
        await started.close()
    server.should_exit = True
    await serving
    listening.close()
    run.report("console.first_paint_ms", percentile(taken, 50), "ms")


async def listed(run: Run, dsn: str, count: int, rounds: int) -> None:
    async with Runtime([Agent("echo", "scripted:echo")], dsn) as runtime:
        app = create_app(runtime, token=None, pages={PREFIX: Console()})
        if (browser := chromium()) is not None:
            await painted(run, app, browser, rounds * 4)
        transport = httpx.ASGITransport(cast("Any", app))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
            every: list[float] = []
            for name, query in FILTERS.items():
                run.progress(f"pages of {count:,} with the filter {name}")
                taken: list[float] = []
                for _ in range(rounds):
                    for place in PLACES:
                        cursor: str | None = f"{NOW + int(count * (1 - place)) * APART}.{count + 1}" if place else None
                        for _ in range(PAGES):
                            asked = {**query, "limit": 50} | ({} if cursor is None else {"cursor": cursor})
                            found, one = await page(client, asked)
                            taken.append(one)
                            cursor = found["cursor"]
                            if cursor is None:
                                break
                every += taken
                run.report(f"console.list_1m.{name}.p95_ms", percentile(taken, 95) * 1000, "ms")
            run.report("console.list_1m.p95_ms", percentile(every, 95) * 1000, "ms")
            taken = []
            for _ in range(rounds * 10):
                started = time.perf_counter()
                (await client.get("/counts")).raise_for_status()
                taken.append(time.perf_counter() - started)
            run.report("console.counts_1m.p95_ms", percentile(taken, 95) * 1000, "ms")


def measure(run: Run) -> None:
    run.report("console.bytes", sum(file.smallest for file in read().values()), "bytes")
    count, rounds = (100_000, 2) if run.quick else (1_000_000, 5)
    path = run.scratch / "console.db"
    dsn = f"sqlite:///{path}"
    asyncio.run(fill(run, dsn, path, count))
    asyncio.run(listed(run, dsn, count, rounds))


if __name__ == "__main__":
    main(measure)
