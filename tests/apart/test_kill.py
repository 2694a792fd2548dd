"""The model function and an agent as processes of their own, and a SIGKILL for each of them at the worst time: no model
is asked again whose answer is there."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

import overwinter
from overwinter.tests.servers.ports import free_port

PATIENCE = 40.0
HOME = str(Path(overwinter.__file__).parents[1])
MODEL = """
import asyncio, os
from pathlib import Path

async def answer():
    with open("calls.txt", "a") as calls:
        calls.write("x")
    number = Path("calls.txt").stat().st_size
    while not Path("go").exists():
        await asyncio.sleep(0.02)
    return f"answer {number}"

def script(messages, tools):
    return answer()
"""
APP = """
from overwinter import Agent, Retry

desk = Agent("desk", "function:fast", retry=Retry(first="50ms", most="200ms", attempts=200))
"""


class House:
    """A folder with both, and their processes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        (folder / "slow_model.py").write_text(MODEL)
        (folder / "app.py").write_text(APP)
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OVERWINTER_")}
        routes = f"fast=http://127.0.0.1:{self.port}"
        process = subprocess.Popen(
            [sys.executable, "-m", "overwinter.cli.main", *words],
            cwd=self.folder,
            env={**kept, "PYTHONPATH": f"{HOME}{os.pathsep}{self.folder}", "OVERWINTER_ROUTES": routes},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.processes.append(process)
        return process

    def models(self) -> subprocess.Popen[str]:
        server = self.start(
            "model-server",
            "fast=scripted:slow_model.script",
            "--port",
            str(self.port),
            "--store",
            "sqlite:///models.db",
        )
        self.until(self._answers)
        return server

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def agent(self) -> subprocess.Popen[str]:
        return self.start("run", "app.py", "desk", "hi", "--id", "r", "--store", "sqlite:///agent.db", "--json")

    def calls(self) -> int:
        path = self.folder / "calls.txt"
        return path.stat().st_size if path.exists() else 0

    def kept(self) -> int:
        with closing(sqlite3.connect(self.folder / "models.db")) as store:
            (found,) = store.execute("SELECT count(*) FROM value WHERE scope LIKE ' answers/%'").fetchone()
        return int(found)

    def go(self) -> None:
        (self.folder / "go").touch()

    def until(self, holds: Callable[[], bool]) -> None:
        ends = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < ends, "it did not come to that"
            time.sleep(0.02)


def result(process: subprocess.Popen[str]) -> Any:
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    return json.loads(said)["value"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    for process in made.processes:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    process.wait()


def test_an_agent_that_is_killed_while_it_waits_gets_the_answer_that_came_meanwhile(house: House) -> None:
    house.models()
    first = house.agent()
    house.until(lambda: house.calls() == 1)
    end(first)
    house.go()
    house.until(lambda: house.kept() == 1)
    assert result(house.agent()) == "answer 1" and house.calls() == 1


def test_it_joins_the_call_that_is_still_under_way(house: House) -> None:
    house.models()
    first = house.agent()
    house.until(lambda: house.calls() == 1)
    end(first)
    second = house.agent()
    time.sleep(1)
    house.go()
    assert result(second) == "answer 1" and house.calls() == 1


def test_another_process_of_the_function_has_the_answer_too(house: House) -> None:
    models = house.models()
    first = house.agent()
    house.until(lambda: house.calls() == 1)
    end(first)
    house.go()
    house.until(lambda: house.kept() == 1)
    end(models)
    house.models()
    assert result(house.agent()) == "answer 1" and house.calls() == 1


def test_a_function_that_is_killed_while_it_asks_is_asked_again(house: House) -> None:
    models = house.models()
    agent = house.agent()
    house.until(lambda: house.calls() == 1)
    end(models)
    house.go()
    house.models()
    assert result(agent) == "answer 2" and house.calls() == 2


def test_a_function_that_is_told_to_stop_keeps_what_it_is_paying_for(house: House) -> None:
    models = house.models()
    agent = house.agent()
    house.until(lambda: house.calls() == 1)
    models.send_signal(signal.SIGTERM)
    house.until(lambda: not house._answers())
    house.go()
    models.wait(PATIENCE)
    assert house.kept() == 1
    house.models()
    assert result(agent) == "answer 1" and house.calls() == 1
