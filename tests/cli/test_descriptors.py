"""A server whose process may open few files, and more clients than that who each send half a head."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from .test_processes import PATIENCE, environment

HELLO = """
from overwinter import Agent

echo = Agent("echo", "scripted:echo")
"""


def test_half_sent_heads_never_use_up_the_descriptors(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(HELLO)
    log = tmp_path / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "overwinter.cli.main", "serve", "hello.py", "--port", "0"],
            cwd=tmp_path,
            env=environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)),
        )
    try:
        url = _url(log)
        host, port = url.removeprefix("http://").split(":")
        with contextlib.ExitStack() as crowd, httpx.Client(base_url=url) as polite:
            for _ in range(400):
                half = crowd.enter_context(socket.create_connection((host, int(port))))
                with contextlib.suppress(ConnectionError):
                    half.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            assert polite.get("/healthz").status_code == 200
            answer = polite.post("/sessions/echo/c", json={"content": "still there"})
            assert answer.json()["result"] == "still there"
        assert "200 files" in log.read_text() and "--max-connections" in log.read_text()
        assert "Too many open files" not in log.read_text()
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _url(log: Path) -> str:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = re.search(r"at (http://127\.0\.0\.1:\d+)", log.read_text())
        if found:
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"the server did not come up:\n{log.read_text()}")
