"""A server that is killed in the middle of an answer: its client goes on at the next one, the command line too."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from overwinter.orchestrator.streaming.told import StreamEvent

from .screen import Screen

PATIENCE = 60.0
ENTRY = [sys.executable, "-m", "overwinter.cli.main"]
APP = '''
import asyncio, os
from overwinter import Agent, tool
from overwinter.functions.model import Answer, Delta, Usage


class Slow:
    """Each process says something else."""

    name = "scripted/slow"

    async def complete(self, request):
        return await self.stream(request, lambda piece: None)

    async def stream(self, request, emit):
        pieces = []
        for number in range(int(os.environ["WORDS"])):
            pieces.append(f"{os.getpid()}.{number} ")
            emit(Delta(pieces[-1]))
            await asyncio.sleep(0.05)
        return Answer("".join(pieces), (), Usage(1, 1), "0", self.name)


desk = Agent("desk", Slow())


@tool
def add(a: int, b: int) -> int:
    return a + b
'''


class Serving:
    """A server in ``folder`` whose model says so many words."""

    def __init__(self, folder: Path, words: int, port: str = "0") -> None:
        self.log = folder / f"server-{words}.log"
        environment = {**os.environ, "WORDS": str(words), "OVERWINTER_STATE": f"sqlite:///{folder}/store.db"}
        with self.log.open("w") as log:
            command = [*ENTRY, "serve", "app.py", "--port", port]
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def url(self) -> str:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = re.search(r"http://127\.0\.0\.1:\d+", self.log.read_text())
            if found:
                return found[0]
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "app.py").write_text(APP)
    yield tmp_path


def events(lines: Iterator[str]) -> Iterator[StreamEvent]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            yield StreamEvent(fields.get("id", ""), fields.get("event", ""), json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}


def test_a_client_goes_on_at_the_next_server(folder: Path) -> None:
    first = Serving(folder, 2000)
    second: Serving | None = None
    screen = Screen()
    sent = {"content": "hello", "id": "m"}
    try:
        with httpx.Client(timeout=PATIENCE, headers={"accept": "text/event-stream"}) as client:
            with client.stream("POST", f"{first.url()}/sessions/desk/k", json=sent) as answer:
                location = answer.headers["location"]
                for event in events(answer.iter_lines()):
                    screen.take(event)
                    if screen.kinds.count("text") == 6:
                        break
                first.kill()
            second = Serving(folder, 5)
            with client.stream("GET", second.url() + location, headers={"last-event-id": screen.last}) as answer:
                for event in events(answer.iter_lines()):
                    screen.take(event)
            history = client.get(f"{second.url()}/history/desk/k").json()["entries"]
    finally:
        first.kill()
        if second is not None:
            second.kill()
    assert screen.resets == [("t1.m1", 2)]
    assert not screen.against(history)
    assert screen.ending is not None and screen.ending["result"] == screen.shown["t1.m1"]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_tool_that_is_called_has_its_result(folder: Path, more: list[str]) -> None:
    server = Serving(folder, 5)
    try:
        command = [*ENTRY, "invoke", "add", '{"a": 1, "b": 2}', "--stream", "--url", server.url(), *more]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
    finally:
        server.kill()
    assert done.returncode == 0 and "3" in done.stdout, done.stderr


def test_the_command_line_goes_on_too(folder: Path) -> None:
    first = Serving(folder, 2000)
    second: Serving | None = None
    try:
        url = first.url()
        command = [*ENTRY, "invoke", "desk", "hello", "--session", "k", "--stream", "--json", "--url", url]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as asking:
            assert asking.stdout is not None
            lines = [asking.stdout.readline() for _ in range(4)]
            first.kill()
            second = Serving(folder, 5, url.rpartition(":")[2])
            said, _ = asking.communicate(timeout=PATIENCE)
        assert asking.returncode == 0
    finally:
        first.kill()
        if second is not None:
            second.kill()
    screen = Screen()
    for line in [*lines, *said.splitlines()]:
        found = json.loads(line)
        screen.take(StreamEvent(found["id"], found["event"], found["data"]))
    assert not screen.wrong and screen.resets == [("t1.m1", 2)]
    assert screen.ending is not None and screen.ending["result"] == screen.shown["t1.m1"]
