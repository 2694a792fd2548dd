"""Real processes that are asked to stop: they end, whatever their threads and their event loop do."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from overwinter.state.opening import open_store
from overwinter.tests.cli.test_processes import ENTRY, Served, call, environment, wait_until

FLOW = """
import asyncio, threading, time
from pathlib import Path
from typing import Any
from overwinter import Context, tool, workflow

def mark(name): Path(name).touch()

def sleeps() -> None:
    mark("began")
    time.sleep(1000)

async def sleeps_in_asyncios_thread() -> None:
    await asyncio.to_thread(sleeps)

async def leaves_a_thread() -> None:
    threading.Thread(target=sleeps).start()
    await asyncio.sleep(1000)

async def is_not_cancelled() -> None:
    mark("began")
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass

async def computes() -> None:
    mark("began")
    while True:
        pass

@workflow
async def flow(ctx: Context, kind: str) -> None:
    await ctx.step(globals()[kind])

@tool
def stuck() -> None:
    '''Never returns.'''
    sleeps()
"""
KINDS = ["sleeps", "sleeps_in_asyncios_thread", "leaves_a_thread", "is_not_cancelled", "computes"]
HANGING = 60.0  # seconds after which a process is taken to hang; it should end after four


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*arguments: str, **env: str) -> Served:
        started.append(Served(folder, *arguments, **env))
        return started[-1]

    yield start
    for served in started:
        served.process.kill()
        served.process.wait()


def is_free(folder: Path, id: str) -> bool:
    """Whether any process could go on with the execution at once: its lease has been given back."""

    async def look() -> bool:
        store = open_store(f"sqlite:///{folder / 'overwinter.db'}")
        await store.open()
        try:
            return id in await store.due(int(time.time() * 1000), limit=10)
        finally:
            await store.close()

    return asyncio.run(look())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_within_its_grace_period_whatever_runs(
    folder: Path, serve: Callable[..., Served], kind: str, number: signal.Signals
) -> None:
    server = serve("serve", "flow.py", "--port", "0", "--grace", "1s")
    started = call(folder, "invoke", "flow", kind, "--id", "f-1", "--no-wait", "--url", server.url())
    assert started.returncode == 0 or kind == "computes", started.stderr  # that one lets nobody answer
    wait_until((folder / "began").exists)
    server.process.send_signal(number)
    code = server.process.wait(HANGING)
    if kind == "computes":
        assert code == 1
        server.wait_for(
            r"did not stop within 4\.0s .* stands in computes \(flow\.py:\d+\), called as 'computes', by f-1"
        )
    else:
        assert code == 0, server.log.read_text()
        assert is_free(folder, "f-1"), "its lease was not given back"


def test_a_second_signal_does_not_wait_for_the_grace_period(folder: Path, serve: Callable[..., Served]) -> None:
    server = serve("serve", "flow.py", "--port", "0", "--grace", "1h")
    assert call(folder, "invoke", "flow", "sleeps", "--id", "f-1", "--no-wait", "--url", server.url()).returncode == 0
    wait_until((folder / "began").exists)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(HANGING) == 0
    assert is_free(folder, "f-1")


def test_dev_passes_a_second_signal_on(folder: Path, serve: Callable[..., Served]) -> None:
    server = serve("dev", "flow.py", "--port", "0", OVERWINTER_GRACE="1h")
    assert call(folder, "invoke", "flow", "sleeps", "--id", "f-1", "--no-wait", "--url", server.url()).returncode == 0
    wait_until((folder / "began").exists)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(HANGING) == 0
    assert "is killed" not in server.log.read_text()
    assert is_free(folder, "f-1")


def test_an_open_request_to_a_tool_that_hangs_keeps_nothing(folder: Path, serve: Callable[..., Served]) -> None:
    server = serve("serve", "flow.py", "--port", "0", "--grace", "1s")
    asking = threading.Thread(target=call, args=(folder, "invoke", "stuck", "{}", "--url", server.url()), daemon=True)
    asking.start()
    wait_until((folder / "began").exists)
    assert server.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("path", "body", "status", "whose"),
    [
        ("/workflows/flow?id=f-1", "sleeps", 202, None),  # it is durable, and goes on elsewhere
        ("/tools/stuck", {}, 503, "fault"),  # nobody knows how far it came
    ],
)
def test_a_request_that_is_open_at_the_end_is_told_so(
    folder: Path, serve: Callable[..., Served], path: str, body: Any, status: int, whose: str | None
) -> None:
    server = serve("serve", "flow.py", "--port", "0", "--grace", "1s")
    url, answers = server.url(), []

    def ask() -> None:
        answers.append(httpx.post(url + path, json=body, headers={"prefer": "wait=60"}, timeout=HANGING))

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until((folder / "began").exists)
    assert server.stop(signal.SIGTERM) == 0
    asking.join()
    (answer,) = answers
    assert (answer.status_code, answer.headers.get("overwinter-error")) == (status, whose), answer.text
    assert answer.headers.get("location") == ("/results/f-1" if status == 202 else None)
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_run_ends_and_says_how_to_go_on(folder: Path, kind: str) -> None:
    command = [*ENTRY, "run", "flow.py", "flow", kind, "--id", "f-1"]
    said, code = stopped(folder, command, signal.SIGINT, signal.SIGINT)
    assert code == 130
    if kind == "computes":
        assert "did not stop within" in said and "computes (flow.py:" in said
    else:
        assert "overwinter run flow.py flow --id f-1" in said
        assert is_free(folder, "f-1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_of_a_tool_that_hangs_ends(folder: Path, number: signal.Signals) -> None:
    said, code = stopped(folder, [*ENTRY, "run", "flow.py", "stuck", "{}"], number)
    assert code == 130 and "stopped; stuck did not end" in said


def stopped(folder: Path, command: list[str], *numbers: signal.Signals) -> tuple[str, int]:
    """What a command says on stderr, and its exit code, when it gets these signals."""
    with subprocess.Popen(
        command, cwd=folder, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        try:
            wait_until((folder / "began").exists)
            for number in numbers:
                process.send_signal(number)
                time.sleep(0.1)
            _, said = process.communicate(timeout=HANGING)
        finally:
            process.kill()
    return said, process.returncode


def test_a_command_that_is_done_waits_for_no_thread_of_asyncio(folder: Path) -> None:
    (folder / "quick.py").write_text(
        FLOW
        + """
@workflow
async def quick(ctx: Context) -> str:
    return await ctx.step(gives_up)

async def gives_up() -> str:
    try:
        async with asyncio.timeout(0.1):
            await asyncio.to_thread(sleeps)
    except TimeoutError:
        return "gave up"
    return "never"
"""
    )
    done = subprocess.run(
        [*ENTRY, "run", "quick.py", "quick"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=HANGING,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "gave up"), done.stderr


def test_a_script_is_done_when_its_run_is(folder: Path) -> None:
    script = """
import asyncio, time
from overwinter import run, workflow

async def gives_up() -> str:
    task = asyncio.ensure_future(asyncio.to_thread(time.sleep, 1000))
    await asyncio.sleep(0.05)
    task.cancel()
    return "gave up"

@workflow
async def quick(ctx) -> str:
    return await ctx.step(gives_up)

print(run(quick, store="memory://"))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=HANGING, check=True
    )
    assert done.stdout.strip() == "gave up"
