"""Orchestrator processes as a test holds them: started, asked, killed, stopped and continued, and all ended with it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from overwinter.state.errors import OverwinterError
from overwinter.tests.processes.notes import PLACE

PROGRAM = Path(__file__).with_name("node.py")
PATIENCE = 60.0
"""Seconds that anything may take that must come about."""


class Gone(Exception):
    """The process did not answer: it is dead, stands still or can't reach its store. What was asked may have
    happened; ask another one."""


class Refused(OverwinterError):
    """The process answered with an error that asking again doesn't help against. ``kind`` is its class."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Node:
    """One process. ``owner`` is the name of its leases."""

    def __init__(self, process: Process, settings: dict[str, Any]) -> None:
        self.process = process
        self.settings = settings
        self.owner = ""
        self.standing = False  # stopped by SIGSTOP
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[0] = self._ready
        self._listening = asyncio.create_task(self._listen())

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    @property
    def pid(self) -> int:
        return self.process.pid

    async def ready(self) -> bool:
        """Wait until it serves. False when it ended before."""
        try:
            answer = await asyncio.wait_for(asyncio.shield(self._ready), PATIENCE)
        except Gone:
            return False
        self.owner = answer["value"]
        return True

    async def ask(self, do: str, *, within: float = 5.0, **given: Any) -> Any:
        """Raises Gone, or Refused with what it raised there."""
        number = next(self._numbers)
        answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[number] = answered
        line = json.dumps({"n": number, "do": do, **given}) + "\n"
        assert self.process.stdin is not None
        try:
            if not self.alive:
                raise Gone(f"{self.pid} is dead")
            self.process.stdin.write(line.encode())
            answer = await asyncio.wait_for(answered, within)
        except (TimeoutError, OSError) as error:
            raise Gone(f"{self.pid} does not answer") from error
        finally:
            self._asked.pop(number, None)
        if answer.get("store"):
            raise Gone(f"{self.pid}: {answer['message']}")
        if "error" in answer:
            raise Refused(answer["error"], answer["message"])
        return answer["value"]

    async def _listen(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(OSError):
            while line := await self.process.stdout.readline():
                answer = json.loads(line)
                waiting = self._asked.get(answer["n"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(Gone(f"{self.pid} has ended"))
                waiting.exception()  # nobody may be left to ask for it

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            self.standing = number is signal.SIGSTOP or (self.standing and number is not signal.SIGCONT)
            self.process.send_signal(number)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.ended()

    async def terminate(self) -> int:
        """The orderly end. Returns the exit status."""
        self.signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end, and for what it said last."""
        status = await asyncio.wait_for(self.process.wait(), PATIENCE)
        if self.process.stdin is not None:
            self.process.stdin.close()
            with contextlib.suppress(OSError):
                await self.process.stdin.wait_closed()
        await self._listening
        return status


class Fleet:
    """The processes of one test. ``notes`` is the file that they all write their notes to."""

    def __init__(self, folder: Path) -> None:
        self.notes = folder / "notes"
        self.log = folder / "log"
        self.nodes: list[Node] = []

    async def __aenter__(self) -> Fleet:
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes:
            await node.kill()

    @property
    def living(self) -> list[Node]:
        """Those that can answer."""
        return [node for node in self.nodes if node.alive and node.owner and not node.standing]

    def said(self) -> str:
        """The last lines that the processes logged."""
        return "\n".join(self.log.read_text("utf-8").splitlines()[-15:]) if self.log.exists() else ""

    async def start(self, dsn: str, **settings: Any) -> Node:
        """Begin one more; again until it has begun, if its store is out of reach."""
        while True:
            with self.log.open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    str(PROGRAM),
                    json.dumps({"dsn": dsn, **settings}),
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=log,
                    limit=1 << 24,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), PLACE: str(self.notes)},
                )
            node = Node(process, {"dsn": dsn, **settings})
            self.nodes.append(node)
            if await node.ready():
                return node
            status = await node.ended()
            if status not in (75, -signal.SIGKILL):
                raise AssertionError(f"a process ended with {status}:\n{self.said()}")
            await asyncio.sleep(0.2)
