"""Real processes: one that is killed, two that serve the same, and none at all but the sweep of a platform."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import overwinter
from overwinter.orchestrator.control import Control
from overwinter.orchestrator.schedules import Schedule
from overwinter.state.opening import open_store

HOME = str(Path(overwinter.__file__).absolute().parent.parent)
APP = """
from overwinter import Context, schedule, workflow

@schedule(every="1s", name="tick")
@workflow
async def report(ctx: Context) -> str:
    return ctx.execution
"""
PATIENCE = 60.0


@contextmanager
def serving(folder: Path) -> Generator[subprocess.Popen[str]]:
    code = (
        "import asyncio, app\n"
        "from overwinter import Runtime\n"
        "async def main():\n"
        "    async with Runtime([app.report], 'sqlite:///tick.db'):\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environment(folder), text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{HOME}{os.pathsep}{folder}"}


def sweep(folder: Path) -> None:
    command = [sys.executable, "-m", "overwinter.cli.main", "sweep", "app.py", "--store", "sqlite:///tick.db", "--json"]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "next" in json.loads(done.stdout)


async def seen(folder: Path, runs: int) -> Schedule:
    """The schedule, when it has had so many runs."""
    path = folder / "tick.db"
    async with asyncio.timeout(PATIENCE):
        while not path.exists():  # noqa: ASYNC110  # another process makes it
            await asyncio.sleep(0.02)
        store = open_store(f"sqlite:///{path}")
        await store.open()
        try:
            while True:
                found = await Control(store).schedules.list()
                if found and found[0].runs >= runs:
                    return found[0]
                await asyncio.sleep(0.02)
        finally:
            await store.close()


async def ordered(folder: Path) -> Counter[str]:
    store = open_store(f"sqlite:///{folder / 'tick.db'}")
    await store.open()
    try:
        entries = [fact async for fact in Control(store).entries("schedule/tick", 0)]
        return Counter(fact["id"] for fact in entries if fact["type"] == "ordered")
    finally:
        await store.close()


def test_killed_at_zero_and_woken_by_a_sweep(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with serving(tmp_path) as process:
        before = asyncio.run(seen(tmp_path, 2))
        process.send_signal(signal.SIGKILL)
        process.wait()
    after = asyncio.run(seen(tmp_path, 1))
    while after.runs <= before.runs + 1:  # nobody is awake but now and then
        sweep(tmp_path)
        after = asyncio.run(seen(tmp_path, 1))
    runs = asyncio.run(ordered(tmp_path))
    assert set(runs.values()) == {1} and len(runs) == after.runs


def test_two_processes_begin_each_run_once(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with serving(tmp_path), serving(tmp_path):
        asyncio.run(seen(tmp_path, 4))
    assert set(asyncio.run(ordered(tmp_path)).values()) == {1}
