"""An execution environment of Lambda as a process: takes events one after another, and is gone at the end."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE = 60.0  # seconds for an answer
PROGRAMS = Path(__file__).parent / "programs"


class Environment:
    """``programs/invoke.py`` with these variables, in ``folder`` (/var/task). Ended by SIGKILL, as Lambda ends one."""

    def __init__(self, variables: Mapping[str, str], folder: Path | None = None, *options: str) -> None:
        program = [sys.executable, *options, str(PROGRAMS / "invoke.py")]
        self.process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(variables), cwd=folder, text=True
        )

    def __enter__(self) -> Environment:
        if self._line() != "ready":
            self.__exit__(None, None, None)
            raise RuntimeError("the handler could not be imported; its traceback is above")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def _line(self) -> str:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], PATIENCE)[0], "the process does not answer"
        return self.process.stdout.readline().strip()

    def begin(self, event: Any, seconds: float = 60.0) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"event": event, "seconds": seconds}) + "\n")
        self.process.stdin.flush()

    def end(self) -> Any:
        answer = json.loads(self._line())
        assert "error" not in answer, answer
        return answer["value"]

    def take(self, event: Any) -> Any:
        """One event, and what the handler answers."""
        self.begin(event)
        return self.end()
