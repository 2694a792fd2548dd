"""A command that draws on a terminal leaves it as it was, however it is told to go."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from overwinter.cli.commands.top import typed

from .conftest import Shelf

pty = pytest.importorskip("pty")
fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")
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


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, words: list[str]) -> None:
        self._ours, theirs = os.openpty()
        told = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "24"}
        command = [sys.executable, "-m", "overwinter.cli.main", *words]

        def begin() -> None:
            _heeding()
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # Ctrl-Z is a signal to whom the terminal belongs

        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=told, preexec_fn=begin)
        self._theirs = theirs
        self._seen = b""

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def until(self, what: bytes) -> None:
        """Read on until that is there; what was read before is not looked at again."""
        while what not in self._seen:
            chunk = _read(self._ours)
            assert chunk, f"{what!r} is not there: {self._seen[-2000:]!r}"
            self._seen += chunk
        self._seen = self._seen.partition(what)[2]

    def rest(self) -> bytes:
        """All that is there."""
        while select.select([self._ours], [], [], 0)[0] and (chunk := _read(self._ours)):
            self._seen += chunk
        return self._seen

    def canonical(self) -> bool:
        """Whether it hands on lines, as terminals do."""
        return bool(termios.tcgetattr(self._theirs)[3] & termios.ICANON)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@contextmanager
def terminal(words: list[str]) -> Generator[Terminal]:
    one = Terminal(words)
    try:
        yield one
    finally:
        one.end()


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


def test_keys_of_a_terminal_are_heeded_and_it_is_given_back_while_the_process_is_stopped(shelf: Shelf) -> None:
    shelf.put("w-1", [START], awaits="event go", function="alpha")
    shelf.put("w-2", [START], awaits="event go", function="beta")
    with terminal(["top", "--store", shelf.dsn]) as top:
        top.until(b"by changed")
        for key, order in ((b"f", b"by function"), (b"c", b"by cost"), (b"s", b"by changed"), (b"\x1b[Aa", b"by age")):
            top.press(key)
            top.until(order)
        assert not top.canonical()
        top.press(b"\x1a")  # Ctrl-Z
        assert os.WIFSTOPPED(os.waitpid(top.process.pid, os.WUNTRACED)[1])
        seen = top.rest()
        assert seen.rfind(b"\x1b[?1049l") > seen.rfind(b"\x1b[?1049h")
        assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") and top.canonical()
        top.process.send_signal(signal.SIGCONT)
        top.until(b"\x1b[?1049h")
        top.until(b"by age")
        assert not top.canonical()
        top.press(b"t")
        top.until(b"by status")
        top.press(b"q")
        assert top.process.wait(60) == 0 and top.canonical()


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
