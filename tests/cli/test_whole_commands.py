"""A suggested command stands on one line, however narrow the terminal: broken in two it could not be pasted."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import overwinter

pty = pytest.importorskip("pty")

APP = """
from pydantic import BaseModel
from overwinter import Context, workflow

class Long(BaseModel):
    the_amount_of_it: int
    the_reason_for_all_of_it: str
    and_where_it_went_in_the_end: str

@workflow
async def waits(ctx: Context) -> None:
    await ctx.wait_for("an event of a long name", type=Long)
"""


def overwinter_in(folder: Path, *words: str, terminal: bool) -> str:
    home = str(Path(overwinter.__file__).absolute().parent.parent)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": home, "TERM": "dumb"}
    command = [sys.executable, "-m", "overwinter.cli.main", *words]
    if not terminal:
        piped = {**env, "COLUMNS": "80"}
        return subprocess.run(command, cwd=folder, env=piped, capture_output=True, timeout=60, text=True).stdout
    master, slave = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(command, cwd=folder, env=env, stdout=slave, stderr=slave, stdin=slave) as process:
        os.close(slave)
        parts: list[bytes] = []
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # EIO: the other end is closed
                break
            if not part:
                break
            parts.append(part)
        process.wait(60)
    os.close(master)
    return b"".join(parts).decode().replace("\r\n", "\n")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_command_is_on_one_line(tmp_path: Path, terminal: bool) -> None:
    (tmp_path / "long_app.py").write_text(APP, "utf-8")
    id = "an-order-of-somebody-with-a-long-name-in-a-town-far-away"
    run: Any = overwinter_in(
        tmp_path, "run", "long_app.py", "waits", "--id", id, "--timeout", "200ms", terminal=terminal
    )
    assert terminal or run == ""
    told = overwinter_in(tmp_path, "show", id, terminal=terminal)
    (line,) = [line for line in told.splitlines() if "overwinter signal" in line]
    assert len(line) > 160
    words = shlex.split(line.partition("→")[2])
    assert words[:4] == ["overwinter", "signal", id, "an event of a long name"]
    assert words[4].startswith("{") and words[4].endswith("}")
