"""The command as a process of its own: starting fast, pipes, signals, the serving process and its reload."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import overwinter
from overwinter.state.opening import open_store

Command = Callable[..., Result]
ENTRY = [sys.executable, "-m", "overwinter.cli.main"]
HOME = str(Path(overwinter.__file__).absolute().parent.parent)  # what these tests import, so do the processes
PATIENCE = 20.0

DESK = '''
from overwinter import Agent, tool
from overwinter.functions.models.scripted import Scripted, call

@tool
def lookup(order_id: str) -> str:
    """Look up an order."""
    return "on its way"

desk = Agent(
    name="desk",
    model=Scripted({r"where": call("lookup", order_id="A-1"), r"way": "WORD, it is on its way."}, "desk"),
    tools=[lookup],
)
'''
SLOW = """
import os
from pathlib import Path
from overwinter import Context, workflow

def note(name: str) -> str:
    with open("calls.txt", "a") as calls:
        calls.write(name + "\\n")
    return name

@workflow
async def slow(ctx: Context, input: str) -> str:
    await ctx.step(note, "first")
    await ctx.wait_for("go")
    await ctx.step(note, "second")
    return "done " + input
"""
COUNTS = """

@workflow
async def count(ctx: Context, number: int) -> int:
    return number
"""


def environment(**more: str) -> dict[str, str]:
    dropped = ("OVERWINTER_STATE", "OVERWINTER_TOKEN", "OVERWINTER_URL", "NO_COLOR", "FORCE_COLOR")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return {**kept, "COLUMNS": "100", "PYTHONPATH": HOME, **more}


def call(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ENTRY, *arguments],
        cwd=folder,
        env=environment(**options.pop("env", {})),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


class Served:
    """A serving command in ``folder``; its output is read as it comes."""

    def __init__(self, folder: Path, *arguments: str, **env: str) -> None:
        self.log = folder / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*ENTRY, *arguments], cwd=folder, env=environment(**env), stdout=log, stderr=subprocess.STDOUT
            )

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first place in the output where ``pattern`` is found."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = re.search(pattern, self.log.read_text())
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{pattern!r} did not come up in:\n{self.log.read_text()}")

    def url(self) -> str:
        return self.wait_for(r"at (http://127\.0\.0\.1:\d+)")[1]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*arguments: str, **env: str) -> Served:
        started.append(Served(tmp_path, *arguments, **env))
        return started[-1]

    yield start
    for served in started:
        served.process.kill()
        served.process.wait()


def test_help_and_ps_load_nothing_heavy(shelf: Any) -> None:
    shelf.put("t", [{"type": "start", "at": 1, "input": None}])
    script = (
        "import sys\nfrom overwinter.cli.main import cli\n"
        "cli(sys.argv[1:], standalone_mode=False)\n"
        "print([m for m in sys.modules if m.split('.')[0] in"
        " ('pydantic', 'httpx', 'uvicorn', 'starlette', 'litellm', 'watchfiles')])"
    )
    for arguments in (["ps", "--store", shelf.dsn], ["show", "t", "--store", shelf.dsn]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments], env=environment(), capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]"


def test_a_closed_pipe_is_no_error(shelf: Any, tmp_path: Path) -> None:
    for number in range(40):
        shelf.put(f"t-{number}", [{"type": "start", "at": 1, "input": "x" * 2000}])
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [*ENTRY, "ps", "--json", "--store", shelf.dsn],
            env=environment(),
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_an_expected_error_shows_its_traceback_only_with_debug(tmp_path: Path) -> None:
    assert "Traceback" not in call(tmp_path, "show", "x").stderr
    shown = call(tmp_path, "show", "x", "--debug")
    assert "Traceback" in shown.stderr and shown.returncode == 4


def test_colours_only_for_a_terminal(shelf: Any, tmp_path: Path) -> None:
    shelf.put("t", [{"type": "start", "at": 1, "input": None}])
    assert "\x1b" not in call(tmp_path, "ps", "--store", shelf.dsn).stdout


def test_dev_serves_and_hands_over_on_sigterm(tmp_path: Path, serve: Callable[..., Served]) -> None:
    (tmp_path / "desk.py").write_text(DESK)
    server = serve("dev", "desk.py", "--port", "0")
    url = server.url()
    server.wait_for(r"desk +agent +scripted/desk")
    answer = call(tmp_path, "invoke", "desk", "Where is it?", "--session", "c-1", "--url", url)
    assert (answer.returncode, answer.stdout) == (0, "WORD, it is on its way.\n")
    tool = call(tmp_path, "invoke", "lookup", '{"order_id": "A-1"}', "--url", url, "--json")
    assert json.loads(tool.stdout) == {"status": "completed", "result": "on its way"}
    unknown = call(tmp_path, "invoke", "nobody", "x", "--url", url)
    assert unknown.returncode == 3 and "lookup, desk" in unknown.stderr
    assert server.stop() == 0
    listed = json.loads(call(tmp_path, "ps", "--all", "--json").stdout)["executions"]
    assert [(head["id"], head["status"], head["owner"]) for head in listed] == [("desk/c-1", "idle", None)]


def test_dev_reloads_and_outlives_a_broken_file(tmp_path: Path, serve: Callable[..., Served]) -> None:
    file = tmp_path / "desk.py"
    file.write_text(DESK)
    server = serve("dev", "desk.py", "--port", "0")
    url = server.url()
    call(tmp_path, "invoke", "desk", "Where is it?", "--session", "c-1", "--url", url)
    file.write_text(DESK + "\nbroken = (\n")
    server.wait_for(r"error: .*desk\.py, line \d+: .*never closed[^\n]*\nwaiting for a change")
    file.write_text(DESK.replace("WORD", "FIXED"))
    server.wait_for(r"serving again: 2 functions at " + url)
    answer = call(tmp_path, "invoke", "desk", "Where is it?", "--session", "c-1", "--url", url)
    assert answer.stdout.startswith("FIXED")
    assert server.stop(signal.SIGINT) == 0


def test_a_killed_serving_process_is_replaced_and_none_outlives_the_watcher(
    tmp_path: Path, serve: Callable[..., Served]
) -> None:
    (tmp_path / "desk.py").write_text(DESK)
    server = serve("dev", "desk.py", "--port", "0")
    url = server.url()
    os.kill(child_of(server.process.pid), signal.SIGKILL)
    server.wait_for("ended by SIGKILL")
    server.wait_for("serving again")
    assert call(tmp_path, "invoke", "desk", "Where?", "--url", url).returncode == 0
    child = child_of(server.process.pid)
    server.stop(signal.SIGKILL)
    until = time.monotonic() + PATIENCE
    while alive(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(child)


def child_of(parent: int) -> int:
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_port_in_use_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "desk.py").write_text(DESK)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in ("dev", "serve"):
            refused = call(tmp_path, command, "desk.py", "--port", str(port))
            assert refused.returncode == 4
            assert f"port {port}" in refused.stderr and "--port" in refused.stderr
            assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", ["dev", "serve"])
def test_beyond_loopback_a_token_is_needed(tmp_path: Path, command: str) -> None:
    (tmp_path / "desk.py").write_text(DESK)
    refused = call(tmp_path, command, "desk.py", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 2 and "OVERWINTER_TOKEN" in refused.stderr


def test_a_token_is_asked_for_and_given(tmp_path: Path, serve: Callable[..., Served]) -> None:
    (tmp_path / "desk.py").write_text(DESK)
    token = "a-long-random-text-for-tests"
    url = serve("dev", "desk.py", "--port", "0", OVERWINTER_TOKEN=token).url()
    refused = call(tmp_path, "invoke", "lookup", '{"order_id": "1"}', "--url", url)
    assert refused.returncode == 2 and "--token" in refused.stderr
    given = call(tmp_path, "invoke", "lookup", '{"order_id": "1"}', "--url", url, env={"OVERWINTER_TOKEN": token})
    assert given.returncode == 0


def test_serve_refuses_a_file_that_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "desk.py").write_text("1 / 0\n")
    refused = call(tmp_path, "serve", "desk.py", "--port", "0")
    assert refused.returncode == 2 and "line 1" in refused.stderr and "Traceback" not in refused.stderr


def test_no_server_is_a_clear_error(tmp_path: Path) -> None:
    refused = call(tmp_path, "invoke", "desk", "hello", "--url", "http://127.0.0.1:9")
    assert refused.returncode == 4 and "overwinter dev" in refused.stderr
    assert call(tmp_path, "invoke", "desk", "hello", "--url", "desk").returncode == 2


def test_run_goes_on_after_a_kill(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(SLOW)
    command = [*ENTRY, "run", "flow.py", "slow", "well", "--id", "f-1"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True) as first:
        wait_until(lambda: (tmp_path / "calls.txt").exists())
        wait_until(lambda: awaits(tmp_path, "f-1") == "event go")
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=PATIENCE)
    assert first.returncode == 130
    assert "overwinter run flow.py slow --id f-1" in said
    assert call(tmp_path, "signal", "f-1", "go").returncode == 0
    done = call(tmp_path, "run", "flow.py", "slow", "--id", "f-1", "--json")
    assert json.loads(done.stdout) | {"value": "done well", "created": False} == json.loads(done.stdout)
    assert (tmp_path / "calls.txt").read_text() == "first\nsecond\n"
    other = call(tmp_path, "run", "flow.py", "slow", "other", "--id", "f-1")
    assert other.returncode == 2 and "another input" in other.stderr


def awaits(folder: Path, id: str) -> str:
    """What the execution in the folder's store waits for, read without a process."""
    path = folder / "overwinter.db"

    async def read() -> str:
        store = open_store(f"sqlite:///{path}")
        await store.open()
        head = await store.head(id)
        await store.close()
        return head.awaits if head is not None else ""

    return asyncio.run(read()) if path.exists() else ""


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.05)


def test_invoke_outlives_a_killed_server(tmp_path: Path, serve: Callable[..., Served]) -> None:
    (tmp_path / "flow.py").write_text(SLOW)
    first = serve("serve", "flow.py", "--port", "0")
    url = first.url()
    command = [*ENTRY, "invoke", "slow", "well", "--id", "f-1", "--url", url]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as asking:
        wait_until(lambda: awaits(tmp_path, "f-1") == "event go")
        first.stop(signal.SIGKILL)
        second = serve("serve", "flow.py", "--port", url.rpartition(":")[2])
        second.url()
        assert call(tmp_path, "signal", "f-1", "go").returncode == 0
        said, complaint = asking.communicate(timeout=PATIENCE)
    assert (asking.returncode, said) == (0, "done well\n"), complaint
    assert (tmp_path / "calls.txt").read_text() == "first\nsecond\n"


def test_serve_lets_a_running_step_end_on_sigterm(tmp_path: Path, serve: Callable[..., Served]) -> None:
    (tmp_path / "flow.py").write_text(
        SLOW.replace("    return name", "    __import__('time').sleep(0.5)\n    return name")
    )
    server = serve("serve", "flow.py", "--port", "0")
    accepted = call(tmp_path, "invoke", "slow", "well", "--id", "f-1", "--url", server.url(), "--no-wait")
    assert accepted.returncode == 0
    wait_until(lambda: (tmp_path / "calls.txt").exists())
    assert server.stop() == 0
    shown = json.loads(call(tmp_path, "show", "f-1", "--json").stdout)
    assert [entry["type"] for entry in shown["entries"]] == ["start", "step"]
    assert shown["execution"]["owner"] is None


def test_invoke_without_waiting_and_with_a_failure(tmp_path: Path, serve: Callable[..., Served]) -> None:
    (tmp_path / "flow.py").write_text(SLOW + COUNTS)
    url = serve("serve", "flow.py", "--port", "0").url()
    accepted = call(tmp_path, "invoke", "slow", "well", "--id", "f-1", "--url", url, "--no-wait", "--json")
    assert accepted.returncode == 0
    assert json.loads(accepted.stdout) == {"id": "f-1", "status": "running"}
    late = call(tmp_path, "invoke", "slow", "well", "--id", "f-1", "--url", url, "--timeout", "1s")
    assert late.returncode == 5 and f"overwinter invoke --url {url} slow well --id f-1 waits for it" in late.stderr
    assert call(tmp_path, "cancel", "f-1", "--reason", "enough").returncode == 0
    ended = call(tmp_path, "invoke", "slow", "well", "--id", "f-1", "--url", url)
    assert ended.returncode == 1 and "f-1 cancelled" in ended.stderr
    invalid = call(tmp_path, "invoke", "count", "one", "--url", url)
    assert invalid.returncode == 2 and "integer" in invalid.stderr
    assert call(tmp_path, "invoke", "slow", "[1", "--url", url, "--no-wait").returncode == 0, "it takes text"


def test_watch_is_interrupted_with_130(shelf: Any, tmp_path: Path) -> None:
    shelf.put("t", [{"type": "start", "at": 1, "input": None}])
    command = [*ENTRY, "watch", "t", "--store", shelf.dsn, "--json"]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watch:
        assert watch.stdout is not None
        assert json.loads(watch.stdout.readline())["type"] == "start"
        watch.send_signal(signal.SIGINT)
        _, said = watch.communicate(timeout=PATIENCE)
    assert watch.returncode == 130 and "Traceback" not in said
