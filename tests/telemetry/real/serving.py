"""``overwinter serve`` as a process of its own, on a store that outlives it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx

APP = Path(__file__).with_name("orders.py")
PATIENCE = 60.0


class Serving:
    """``folder`` has the store, the gate and the log."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.gate = folder / "gate"
        self.log = folder / f"log-{len(list(folder.glob('log-*')))}"
        kept = {name: said for name, said in os.environ.items() if not name.startswith(("OVERWINTER_", "OTEL_"))}
        given = {"OVERWINTER_STATE": f"sqlite:///{folder}/orders.db", "GATE": str(self.gate), "COLUMNS": "200"}
        command = [sys.executable, "-m", "overwinter.cli.main", "serve", str(APP), "--port", "0"]
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env=kept | given | environment, stdout=log, stderr=subprocess.STDOUT
            )

    def __enter__(self) -> Self:
        self.url = until(lambda: re.search(r"http://127\.0\.0\.1:\d+", self.log.read_text()), self.log.read_text)[0]
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self) -> None:
        """In order: what it has to tell goes out."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(PATIENCE) == 0, self.log.read_text()

    def ask(self, path: str, body: Any = None, **headers: str) -> Any:
        """A GET, or a POST when there is a body. What went wrong is raised."""
        method = "GET" if body is None else "POST"
        answer = httpx.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=PATIENCE)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def reached(self) -> None:
        """The step that waits for the file is at work."""
        mark = self.gate.with_suffix(".reached")
        until(mark.exists, self.log.read_text)
        mark.unlink()

    def awaits(self, id: str, what: str) -> None:
        until(lambda: self.ask(f"/executions/{id}")["awaits"].startswith(what), self.log.read_text)

    def result(self, id: str) -> Any:
        def ended() -> Any:
            answer = httpx.get(f"{self.url}/results/{id}", headers={"prefer": "wait=5"}, timeout=PATIENCE)
            return None if answer.status_code == 202 else answer

        return until(ended, self.log.read_text)


def until(holds: Callable[[], Any], told: Callable[[], str]) -> Any:
    """What ``holds`` gives, as soon as that is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError(told())
