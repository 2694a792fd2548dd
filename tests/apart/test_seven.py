"""The support desk as seven functions in seven processes, each with a store of its own on one Redis: a workflow, an
agent, a model and four tools, one of them called by events. All are killed at random; nothing is lost, nothing is
recorded twice, what may not be done twice is not, and nobody does again what was answered.

``OVERWINTER_SEVEN_SECONDS`` says for how long they are killed (a few seconds unless it does).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

import overwinter
from overwinter.tests.servers.ports import free_port
from overwinter.tests.servers.redis import RedisServer

SECONDS = float(os.environ.get("OVERWINTER_SEVEN_SECONDS", "8"))
PATIENCE = 120.0 + SECONDS
HOME = str(Path(overwinter.__file__).parents[1])
APPS = Path(__file__).parent / "seven"
TOKEN = "a-secret-that-is-long-enough-for-a-token"
FUNCTIONS = ("orchestrator", "desk", "fast", "lookup", "stock", "refund", "notify")


class Town:
    """The seven, and who keeps them running."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        self.folder, self.redis = folder, redis
        self.ports = {name: free_port() for name in FUNCTIONS}
        self.notes = folder / "notes.txt"
        self.notes.touch()
        self.killed: list[tuple[float, str]] = []
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        at = {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}
        (folder / "overwinter.toml").write_text(
            f'[invocation]\ndesk = "{at["desk"]}"\nticket = "{at["orchestrator"]}"\nlookup = "{at["lookup"]}"\n'
            f'refund = {{url = "{at["refund"]}", token = "env:REFUND_TOKEN"}}\n"*" = "{at["notify"]}"\n'
        )
        self.routes = f"fast={at['fast']} stock=broker"  # goes before the file

    def start(self, name: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OVERWINTER_")}
        store = self.redis.dsn(prefix=name)
        if name == "fast":
            words = ["model-server", "fast=scripted:scripted_desk.script", "--store", store]
        else:
            words = ["serve", str(APPS / f"{name}.py"), "--store", store]
        words += ["--token", TOKEN] if name == "refund" else []
        more = {"PYTHONPATH": f"{HOME}{os.pathsep}{APPS}", "OVERWINTER_ROUTES": self.routes, "REFUND_TOKEN": TOKEN}
        more |= {"OVERWINTER_BROKER": self.redis.dsn(prefix="bus", partitions=2)} if name in ("desk", "stock") else {}
        more |= {"OVERWINTER_ROUTES": "stock=here"} if name == "stock" else {}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "overwinter.cli.main", *words, "--port", str(self.ports[name])],
                cwd=self.folder,
                env={**kept, **more, "SEVEN_NOTES": str(self.notes)},
                stdout=log,
                stderr=log,
            )

    def kill(self, name: str) -> None:
        process = self.running[name]
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.killed.append((time.time(), name))

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Of the orchestrator, until it has answered."""
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                url = f"http://127.0.0.1:{self.ports['orchestrator']}{path}"
                answer = httpx.request(method, url, timeout=30.0, **more)
                if answer.status_code < 500:
                    return answer
            except httpx.TransportError:
                pass
            assert time.monotonic() < ends, f"{path}: nobody answers"
            time.sleep(0.1)

    def buy(self, name: str, after: float) -> Any:
        time.sleep(after)
        started = self.ask("POST", f"/workflows/ticket?id={name}", json=name)
        assert started.status_code in (200, 202), started.text
        ends = time.monotonic() + PATIENCE
        while (answer := self.ask("GET", f"/results/{name}", headers={"prefer": "wait=5"})).status_code != 200:
            assert time.monotonic() < ends, f"{name} never ends"
        return answer.json()

    def died(self, since: float, until: float, *names: str) -> bool:
        """Whether one of them was killed in that time, or just before it was noticed."""
        return any(since - 0.5 <= at <= until + 0.5 and name in names for at, name in self.killed)


@pytest.fixture
def town(tmp_path: Path, redis_server: RedisServer) -> Iterator[Town]:
    made = Town(tmp_path, redis_server)
    yield made
    for process in made.running.values():
        process.kill()
        process.wait()


def test_seven_processes_are_killed_at_random_and_nothing_is_lost_or_done_again(town: Town) -> None:
    draw = random.Random(int(os.environ.get("OVERWINTER_SIM_SEED", "1")))
    for name in FUNCTIONS:
        town.start(name)
    town.ask("GET", "/readyz")
    names = [f"t{number}" for number in range(max(6, int(SECONDS)))]
    with ThreadPoolExecutor(len(names)) as clients:
        bought = [clients.submit(town.buy, name, draw.uniform(0, SECONDS)) for name in names]
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            time.sleep(draw.uniform(0.2, 1.2))
            name = draw.choice(FUNCTIONS)
            town.kill(name)
            time.sleep(draw.choice((0.0, 0.0, 0.5)))
            town.start(name)
        results = [one.result(timeout=PATIENCE) for one in bought]
    doubts = 0
    for name, result in zip(names, results, strict=True):
        order, answer, paid, told = result["result"]
        assert (order, told) == (f"order of {name}", f"told {name}")
        assert answer == f"{name}: order of {name}, {len(name)} there"
        assert paid in (f"refunded {name}", "in doubt")
        doubts += paid == "in doubt"
    assert len(town.killed) >= SECONDS / 3
    _nothing_was_done_again(town, doubts)


def _nothing_was_done_again(town: Town, doubts: int) -> None:
    begun: dict[tuple[str, str], list[float]] = defaultdict(list)
    for line in town.notes.read_text().splitlines():
        at, end, what, key = line.split()
        if end == "begin":
            begun[what, key].append(float(at))
    for (what, key), times in begun.items():
        name = "fast" if what == "model" else what.partition(":")[0]
        for before, after in pairwise(times):
            assert town.died(before, after, name), f"{what} {key} was done again, and nobody had died"
    refunds = [what for what, _ in begun if what.startswith("refund:")]
    assert len(refunds) == len(set(refunds))
    assert all(len(times) == 1 for (what, _), times in begun.items() if what.startswith("refund:"))
    assert len(refunds) >= len({key for what, key in begun if what == "notify"}) - doubts
