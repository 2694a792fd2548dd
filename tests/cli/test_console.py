"""``overwinter console``: the pages and the API behind them, on this machine; and ``--no-console`` of who serves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

FILE = """
from overwinter import Agent

echo = Agent("echo", "scripted:echo")
"""


@contextmanager
def running(*words: str, **environment: str) -> Generator[str]:
    """A command that serves; the address that it says, ended by SIGTERM with exit code 0."""
    process = subprocess.Popen(
        [sys.executable, "-m", "overwinter.cli.main", *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OVERWINTER_STATE": "memory://", "PYTHONUNBUFFERED": "1", **environment},
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield found[0]
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "shop.py"
    path.write_text(FILE)
    return str(path)


def test_it_shows_a_server_elsewhere_and_ends_with_a_stream_open(file: str) -> None:
    with running("serve", file, "--port", "0") as api, running("console", "--api", api, "--port", "0") as own:
        assert "<title>" in httpx.get(f"{own}/console/").text
        assert httpx.get(f"{own}/functions").json() == httpx.get(f"{api}/functions").json()
        assert httpx.post(f"{own}/workflows/none", json=1).status_code == 404
        assert httpx.get(f"{own}/counts", headers={"origin": "http://evil.example"}).status_code == 403
        httpx.post(f"{own}/sessions/echo/a", json={"content": "hi"})
        with httpx.stream("GET", f"{own}/stream/echo/a") as stream:
            assert stream.status_code == 200 and next(stream.iter_text())


def test_who_serves_may_leave_it_out(file: str) -> None:
    with running("serve", file, "--port", "0", "--no-console") as api:
        assert httpx.get(f"{api}/console/").status_code == 404
        assert httpx.get(f"{api}/counts").status_code == 200
