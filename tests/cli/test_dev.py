"""``overwinter dev``: what it says while it serves, and what its port answers while the file can't be served."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

import overwinter
from overwinter.cli.announcing import suggestions
from overwinter.cli.main import cli
from overwinter.cli.telling import Line, Teller
from overwinter.functions.invocation.loading import functions_of, load
from overwinter.tests.servers.ports import free_port

ENTRY = [sys.executable, "-m", "overwinter.cli.main"]
HOME = str(Path(overwinter.__file__).absolute().parent.parent)
README = Path(__file__).parents[2] / "README.md"
PATIENCE = 30.0
APP = """
from overwinter import Agent, Context, workflow

class Keyless:
    name = "keyless"

    async def complete(self, request): ...

    def wrong(self, settings):
        return "set A_KEY in the environment"

echo = Agent("echo", "scripted:echo")
lost = Agent("lost", Keyless())

def charge(card: str) -> str:
    raise ValueError("no such card")

@workflow
async def pay(ctx: Context, card: str) -> str:
    return await ctx.step(charge, card)

@workflow
async def patient(ctx: Context, what: str) -> int:
    return await ctx.wait_for("reply", type=int)
"""


class Desk:
    """``overwinter dev`` on a port of its own, and what it has said."""

    def __init__(self, folder: Path, *words: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OVERWINTER_")}
        self.log, self.file = folder / "dev.log", folder / "dev_app.py"
        self.file.write_text(APP, "utf-8")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*ENTRY, "dev", "dev_app.py", "--port", "0", *words],
                cwd=folder,
                env={**kept, "PYTHONPATH": HOME, "COLUMNS": "200"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def said(self, pattern: str) -> re.Match[str]:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if found := re.search(pattern, self.log.read_text("utf-8")):
                return found
            time.sleep(0.05)
        raise AssertionError(f"{pattern!r} did not come up in:\n{self.log.read_text('utf-8')}")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    begun: list[Desk] = []

    def begin(*words: str) -> Desk:
        begun.append(Desk(tmp_path, *words))
        return begun[-1]

    yield begin
    for one in begun:
        one.process.send_signal(signal.SIGINT)
        one.process.wait(PATIENCE)


def line_of(text: str) -> int:
    """The number of the line of the app that holds the text."""
    return next(number for number, line in enumerate(APP.splitlines(), 1) if text in line)


def post(url: str, body: Any, **headers: str) -> httpx.Response:
    return httpx.post(url, json=body, headers=headers, timeout=PATIENCE)


def test_a_line_for_each_start_end_failure_and_what_is_not_wanted(desk: Callable[..., Desk]) -> None:
    dev = desk()
    url = dev.said(r"http://127\.0\.0\.1:\d+")[0]
    dev.said(rf"✗ dev_app\.py:{line_of('lost = Agent')}: agent lost: set A_KEY in the environment")
    post(f"{url}/workflows/pay?id=p-1", "card", prefer="wait=20")
    dev.said(r"(?m)^▸ p-1 starts$")
    place = re.escape(f"(dev_app.py:{line_of('no such card')} in charge)")
    dev.said(rf"✗ p-1 step charge failed: ValueError: no such card  {place}")
    dev.said(r"✗ p-1 failed after [\d.]+m?s: ValueError")
    post(f"{url}/sessions/echo/me", {"content": "Good morning", "id": "m"}, prefer="wait=20")
    dev.said(r"▸ echo/me is asked: Good morning")
    dev.said(r"✓ echo/me has answered after ")
    event = {"ce-id": "7", "ce-source": "s", "ce-type": "order.paid", "ce-specversion": "1.0"}
    assert post(url, {}, **event).status_code == 204
    dev.said(r"! event 7 of type order\.paid is not wanted")
    assert post(f"{url}/workflows/nothing", "x").status_code == 404
    dev.said(r"! refused POST /workflows/nothing \(404\): no workflow 'nothing'")
    assert dev.log.read_text("utf-8").count("is not wanted") == 1
    assert "door" in httpx.get(f"{url}/stats").text, "who looks on hides nothing of the app"


def test_quiet_leaves_what_goes_wrong(desk: Callable[..., Desk]) -> None:
    port = free_port()
    dev = desk("--quiet", "--port", str(port))
    until = time.monotonic() + PATIENCE
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
        while True:
            try:
                client.get("/healthz")
                break
            except httpx.ConnectError:
                assert time.monotonic() < until
                time.sleep(0.05)
        client.post("/sessions/echo/me", json={"content": "x"}, headers={"prefer": "wait=20"})
        client.post("/workflows/pay?id=p-1", json="card", headers={"prefer": "wait=20"})
    dev.said(r"✗ p-1 failed")
    assert all(line.startswith("✗ ") for line in dev.log.read_text("utf-8").splitlines())


@pytest.mark.parametrize(
    ("broken", "detail"),
    [
        ("def (", r"dev_app\.py, line {line}: invalid syntax"),
        ("import absent_module_of_mine", r"dev_app\.py, line {line} needs the module absent_module_of_mine"),
        ("import os; os._exit(3)", r"the serving process ended with code 3"),
    ],
)
def test_a_file_that_can_not_be_served_is_answered_for_until_it_is_mended(
    desk: Callable[..., Desk], broken: str, detail: str
) -> None:
    dev = desk()
    url = dev.said(r"http://127\.0\.0\.1:\d+")[0]
    assert httpx.get(f"{url}/healthz").status_code == 200
    dev.file.write_text(APP + broken + "\n", "utf-8")
    answer = _answered(url, 503)
    assert answer.headers["content-type"] == "application/problem+json" and answer.headers["retry-after"] == "1"
    line = APP.count("\n") + 1
    assert re.search(detail.format(line=line), answer.json()["detail"]), answer.text
    assert post(f"{url}/workflows/pay", "x" * 100_000).status_code == 503
    dev.file.write_text(APP, "utf-8")
    assert _answered(url, 200).json() == {"status": "ok"}


def test_a_file_that_is_gone_is_said_to_be(desk: Callable[..., Desk]) -> None:
    dev = desk()
    url = dev.said(r"http://127\.0\.0\.1:\d+")[0]
    assert httpx.get(f"{url}/healthz").status_code == 200
    dev.file.unlink()
    assert "dev_app.py any more; put it back" in _answered(url, 503).json()["detail"]
    dev.file.write_text(APP, "utf-8")
    assert _answered(url, 200).json() == {"status": "ok"}
    log = dev.log.read_text("utf-8")
    assert "there is no file" in log and "Usage" not in log and "Traceback" not in log


def _answered(url: str, status: int) -> httpx.Response:
    """The first answer with this status; no request may hang or be refused meanwhile."""
    until = time.monotonic() + PATIENCE
    while (answer := httpx.get(f"{url}/healthz", timeout=PATIENCE)).status_code != status:
        assert time.monotonic() < until, f"no {status} came, but {answer.status_code}: {answer.text}"
        time.sleep(0.1)
    return answer


def test_the_lines_of_what_a_server_can_not_bring_about_by_itself() -> None:
    teller = Teller(quiet=False)
    assert teller.line("t", {"type": "start", "at": 1000}) == Line("▸", "t starts")
    assert teller.line("t", {"type": "step", "at": 1001, "name": "s", "value": 1}) is None
    error = {"kind": "builtins.OSError", "message": "gone", "trace": [["a.py", 3, "f"], ["b.py", 9, "g"]]}
    retrying = {"type": "retrying", "at": 1000, "n": 2, "name": "s", "until": 3000, "error": error}
    assert teller.line("t", retrying) == Line("✗", "t s failed, attempt 2, again in 2.0s: OSError: gone  (b.py:9 in g)")
    skipped = {"type": "skipped", "at": 1, "name": "reply", "why": "no number"}
    assert teller.line("t", skipped) == Line("!", "t passes event 'reply' over: no number")
    assert teller.line("t", {"type": "cancelled", "at": 4000}) == Line("!", "t was cancelled after 3.0s")
    assert teller.line("of another process", {"type": "completed", "at": 4000}) == Line(
        "✓", "of another process completed"
    )
    assert teller.line("x\x1b[2J", {"type": "start", "at": 1}) == Line("▸", "x\\x1b[2J starts")


def test_the_first_hint_works_on_the_files_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert found
    monkeypatch.chdir(tmp_path)
    for name, text in found:
        (tmp_path / name).write_text(text, "utf-8")
        functions = functions_of(load(tmp_path / name))
        command, _ = suggestions(functions, "http://127.0.0.1:8080", token=False)[0]
        words = command.removeprefix("overwinter invoke ").split(" ")
        done = CliRunner().invoke(cli, ["run", name, *words, "--store", "memory://", "--json"])
        assert done.exit_code == 0, (command, done.output)
        assert json.loads(done.stdout)["status"] == "completed"
