"""A command that draws on a terminal leaves it as it was, however it is told to go."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

from overwinter.cli.commands.top import typed

from .conftest import Shelf

pty = pytest.importorskip("pty")
START = {"type": "start", "at": 1_700_000_000_000}


def on_a_terminal(words: list[str], until: bytes, ends: signal.Signals | bytes) -> tuple[int, bytes]:
    """Exit code and output of a command that is ended by a signal or a key as soon as ``until`` is on its screen."""
    ours, theirs = os.openpty()
    told = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "24"}
    command = [sys.executable, "-m", "overwinter.cli.main", *words]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=told, preexec_fn=_heeding)
    os.close(theirs)
    seen = b""
    try:
        while chunk := _read(ours):
            waited = until not in seen
            seen += chunk
            if waited and until in seen:
                os.write(ours, ends) if isinstance(ends, bytes) else process.send_signal(ends)
        return process.wait(60), seen
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _heeding() -> None:
    """It heeds what it is told, also where the tests were started by what ignores it (``nohup``)."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _read(number: int) -> bytes:
    if not select.select([number], [], [], 60)[0]:
        return b""  # it says nothing any more, and has not gone
    try:
        return os.read(number, 65536)
    except OSError:  # nobody has the other side any more
        return b""


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGHUP, b"q"])
def test_top_brings_the_screen_back(shelf: Shelf, ends: signal.Signals | bytes) -> None:
    shelf.put("w-1", [START], awaits="event go")
    code, seen = on_a_terminal(["top", "--store", shelf.dsn], b"q quit", ends)
    assert code == (0 if isinstance(ends, bytes) else -ends)
    assert seen.rfind(b"\x1b[?1049l") > seen.rfind(b"\x1b[?1049h") >= 0
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") >= 0


def test_watch_brings_the_cursor_back(shelf: Shelf) -> None:
    shelf.put("w-1", [START], awaits="event go")
    code, seen = on_a_terminal(["watch", "w-1", "--store", shelf.dsn], b"waiting", signal.SIGTERM)
    assert code == -signal.SIGTERM
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") >= 0


@pytest.mark.parametrize(
    ("pressed", "keys"),
    [
        ("\x1b[A", ""),
        ("\x1bOB", ""),
        ("\x1b[1;5C", ""),
        ("\x1b[200~", ""),
        ("\x1bq", ""),
        ("\x1b[Bs\x1b[A", "s"),
        ("\x1b", "\x1b"),
        ("qu", "qu"),
    ],
)
def test_an_arrow_is_not_escape(pressed: str, keys: str) -> None:
    assert typed(pressed) == keys
