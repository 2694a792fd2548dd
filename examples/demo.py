"""The main job under fire: 200 conversations with the support desk, and the plug pulled in the middle.

Starts the desk as a process of its own, talks to it over HTTP from this one, kills it with SIGKILL half-way,
starts it again, and then reads the journals: what was lost, what was repeated, what ran again.
Exit code 1 if anything was lost or a recorded result was repeated.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from overwinter.orchestrator.protocol.entries import decode
from overwinter.state.opening import open_store
from overwinter.state.records import Filter

HERE = Path(__file__).resolve().parent
PLACE = Path(os.environ.get("OVERWINTER_DEMO", ".overwinter/demo"))
CONVERSATIONS, CLIENTS, KILL_AFTER = 200, 32, 0.45
OVERWINTER = str(Path(sys.executable).with_name("overwinter"))


def turns(number: int) -> list[str]:
    """What one customer says, turn by turn."""
    order = f"o-{number}"
    talk = ["Hello!", f"Where is my order {order}?"]
    if number % 10 == 0:
        talk.append(f"It never worked. I want a refund of 20.00 for {order}, please.")
    elif number % 10 == 5:
        talk.append(f"Please send {order} to a new address: to {number} Thaw Street")
    elif number % 10 == 7:
        talk.append(f"I am c-{number}: everything went wrong with {order}, who can help?")
    else:
        talk.append(f"And {order}, is it insured?")
    if number % 8 == 3:
        talk.append(f"It is broken. I want a refund of 24.00 for {order}.")
        talk.append(f"I changed my mind: a refund of 100.00 for {order}, the headphones hurt.")
    else:
        talk.append(f"Thank you. When does {order} arrive?")
    return talk


def waits_for_approval(said: str) -> bool:
    return "refund of 100.00" in said


@dataclass
class Tally:
    """What the clients saw and what the journals say."""

    answered: int = 0
    acknowledged: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    in_flight: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    at_the_kill: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    killed_at: int = 0
    restarted: float = 0.0
    recovered: float = 0.0
    half_way: asyncio.Event = field(default_factory=asyncio.Event)
    entries: Counter[str] = field(default_factory=Counter[str])
    lost: int = 0
    repeated: int = 0
    again: int = 0
    approvals: int = 0
    tickets: int = 0


class Desk:
    """The server process, and how to kill it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.store = f"sqlite:///{PLACE / 'desk.db'}"
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | {"SHOP_DATABASE": str(PLACE / "shop.db")}
        command = [OVERWINTER, "serve", str(HERE / "support_desk.py"), "--port", str(self._port), "--store", self.store]
        log = (PLACE / "server.log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        log.close()

    async def ready(self, client: httpx.AsyncClient) -> None:
        for _ in range(600):
            try:
                if (await client.get(f"{self.url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if self._process is not None and self._process.poll() is not None:
                break
            await asyncio.sleep(0.05)
        raise SystemExit("the desk did not start:\n" + (PLACE / "server.log").read_text()[-2000:])

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(15)


async def converse(
    desk: Desk, client: httpx.AsyncClient, number: int, tally: Tally, step: Progress, bar: TaskID
) -> None:
    """One customer. Every message has an id, so that saying it again after a broken connection is safe."""
    session = f"c-{number}"
    for turn, said in enumerate(turns(number)):
        key = (f"support/{session}", f"{session}-{turn}")
        if not waits_for_approval(said):  # such a turn is answered when somebody decides
            tally.in_flight.add(key)
        body = {"content": said, "id": key[1]}
        wait = "wait=1" if waits_for_approval(said) else "wait=30"
        while True:
            try:
                answer = await client.post(
                    f"{desk.url}/sessions/support/{session}", json=body, headers={"Prefer": wait}
                )
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code in (200, 202):
                break
            if answer.status_code != 503:
                raise SystemExit(f"{answer.status_code}: {answer.text}")
            await asyncio.sleep(0.05)
        tally.acknowledged.add(key)
        tally.in_flight.discard(key)
        tally.answered += answer.status_code == 200
        if tally.restarted and key in tally.at_the_kill:
            tally.at_the_kill.discard(key)
            if not tally.at_the_kill:
                tally.recovered = time.perf_counter() - tally.restarted
        step.advance(bar)
        if len(tally.acknowledged) >= (step.tasks[bar].total or 0) * KILL_AFTER:
            tally.half_way.set()


async def pull_the_plug(desk: Desk, tally: Tally, step: Progress) -> None:
    await tally.half_way.wait()
    tally.at_the_kill = set(tally.in_flight)
    tally.killed_at = time.time_ns() // 1_000_000
    desk.kill()
    step.console.print(
        f"[bold red]kill -9[/] with {len(tally.at_the_kill)} conversations in mid-turn; starting it again"
    )
    tally.restarted = time.perf_counter()
    desk.start()


async def drive(desk: Desk, tally: Tally) -> float:
    total = sum(len(turns(number)) for number in range(1, CONVERSATIONS + 1))
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    limits = httpx.Limits(max_connections=CLIENTS + 4)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        await desk.ready(client)
        began = time.perf_counter()
        with Progress(*columns) as step:
            bar = step.add_task(f"{CONVERSATIONS} conversations, turns", total=total)
            plug = asyncio.create_task(pull_the_plug(desk, tally, step))
            numbers = iter(range(1, CONVERSATIONS + 1))

            async def customer() -> None:
                for number in numbers:
                    await converse(desk, client, number, tally, step, bar)

            await asyncio.gather(*(customer() for _ in range(CLIENTS)))
            await plug
        return time.perf_counter() - began


async def audit(desk: Desk, tally: Tally) -> None:
    """Read every journal: each acknowledged message must be there, each operation recorded once."""
    store = open_store(desk.store)
    await store.open()
    try:
        recorded: dict[str, int] = {}
        seen: set[tuple[str, str]] = set()
        cursor: str | None = None
        while True:
            page = await store.executions(Filter(), cursor, 200)
            for head in page.heads:
                ops: Counter[str] = Counter()
                for entry in [decode(text) for text in await store.history(head.id, 0, 10_000)]:
                    tally.entries[entry["type"]] += 1
                    if entry["type"] == "message":
                        seen.add((head.id, entry["id"]))
                    if entry["type"] in ("model", "tool", "step"):
                        ops[entry["op"]] += 1
                        recorded[f"{head.id}/{entry['op']}"] = entry["at"]
                tally.repeated += sum(count - 1 for count in ops.values())
                tally.approvals += head.awaits.startswith("approval")
                tally.tickets += head.function == "hard_ticket"
                at_rest = head.status in ("completed", "idle") or head.awaits.startswith("approval")
                tally.lost += not at_rest
            cursor = page.cursor
            if cursor is None:
                break
    finally:
        await store.close()
    tally.lost += len({execution for execution, _ in tally.acknowledged - seen})
    with sqlite3.connect(PLACE / "shop.db") as connection:
        calls: dict[str, list[int]] = {}
        for key, at in connection.execute("SELECT key, at FROM calls"):
            calls.setdefault(key, []).append(at)
    connection.close()
    for key, times in calls.items():
        tally.again += len(times) - 1
        tally.repeated += sum(at > tally.killed_at > recorded.get(key, at) for at in times)


def report(tally: Tally, seconds: float, console: Console) -> None:
    table = Table(
        title="200 conversations, one kill -9 (the model is scripted, the database is real)", show_header=False
    )
    table.add_column()
    table.add_column(justify="right")
    rows = [
        ("conversations", CONVERSATIONS),
        ("turns", tally.entries["reply"]),
        ("model calls", tally.entries["model"]),
        ("tool calls", tally.entries["tool"]),
        ("hard tickets (a workflow, three specialists)", tally.tickets),
        ("approvals waiting", tally.approvals),
        ("executions lost", tally.lost),
        ("recorded results repeated", tally.repeated),
        ("in-flight steps run again", tally.again),
        ("time to recover", f"{tally.recovered:.2f} s"),
        ("all in all", f"{seconds:.1f} s"),
    ]
    for name, value in rows:
        bad = name.endswith(("lost", "repeated")) and value
        table.add_row(name, f"[bold red]{value}" if bad else f"[bold]{value}")
    console.print(table)


def main() -> int:
    console = Console()
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        desk = Desk(free.getsockname()[1])
    tally = Tally()
    desk.start()
    try:
        seconds = asyncio.run(drive(desk, tally))
        asyncio.run(audit(desk, tally))
    finally:
        desk.stop()
    report(tally, seconds, console)
    console.print("\nOne of the conversations:\n")
    sys.stdout.flush()
    subprocess.run([OVERWINTER, "show", "support/c-7", "--store", desk.store], check=False)
    console.print("\nTry next:")
    for command in ("approvals", "approve support/c-3", "ps --status waiting"):
        console.print(f"  .venv/bin/overwinter {command} --store {desk.store}", highlight=False, soft_wrap=True)
    return 1 if tally.lost or tally.repeated else 0


if __name__ == "__main__":
    sys.exit(main())
