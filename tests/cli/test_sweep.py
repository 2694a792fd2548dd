"""``overwinter sweep`` as schedulers see it, and the options of ``serve`` that deployments set."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

import overwinter
from overwinter.cli.main import cli
from overwinter.cli.place import Place
from overwinter.functions.invocation.loading import functions_of, load
from overwinter.functions.runtime import Runtime
from overwinter.orchestrator.reading import Reading
from overwinter.state.opening import open_store

FLOW = """
import asyncio
import pathlib
from overwinter import Context, workflow

async def work(seconds: float) -> str:
    pathlib.Path("began").touch()
    await asyncio.sleep(seconds)
    return "done"

@workflow
async def job(ctx: Context, seconds: float) -> str:
    await ctx.sleep("400ms")
    return await ctx.step(work, seconds)

@workflow
async def later(ctx: Context) -> None:
    await ctx.sleep("1h")
"""
ENTRY = [sys.executable, "-m", "overwinter.cli.main"]
HOME = str(Path(overwinter.__file__).absolute().parent.parent)
DSN = "sqlite:///jobs.db"
PATIENCE = 30.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with functions, and no variable of ours or the platform's in the environment."""
    for name in ("OVERWINTER_TOKEN", "OVERWINTER_STATE", "OVERWINTER_DELIVERY_TOKEN", "PORT", "OVERWINTER_GRACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", HOME)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ENTRY, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)


def begin(id: str, function: str, input: float | None = 0) -> None:
    """Start an execution that is due when this returns, unless it sleeps for an hour, and that nobody works on."""

    async def whole() -> None:
        async with Runtime(functions_of(load(Path("flow.py"))), DSN) as runtime:
            await runtime.start(function, input, id=id)
            while (await runtime.show(id)).status != "waiting":  # noqa: ASYNC110  # the store tells nobody
                await asyncio.sleep(0.01)

    asyncio.run(whole())
    time.sleep(0.5)


def status(id: str) -> str:
    """The status of an execution that no living process holds."""

    async def read() -> str:
        store = open_store(DSN)
        await store.open()
        head, now = await Reading(store).show(id), time.time_ns() // 1_000_000
        assert head.owner is None or id in await store.due(now), "it is still held"
        await store.close()
        return head.status

    return asyncio.run(read())


def test_what_is_due_is_done_and_said(folder: Path) -> None:
    begin("j-1", "job")
    done = call("sweep", "flow.py", "--store", DSN)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"\d executions? worked on; nothing to wake later\n", done.stdout)
    assert status("j-1") == "completed"


def test_what_is_not_due_is_left_alone_and_its_time_is_said(folder: Path) -> None:
    begin("l-1", "later", None)
    done = call("sweep", "flow.py", "--store", DSN)
    assert re.fullmatch(r"0 executions worked on; next wake in (59m|1h00m), .+\n", done.stdout)
    swept = json.loads(call("sweep", "flow.py", "--store", DSN, "--json").stdout)
    assert (swept["taken"], swept["active"]) == (0, 0) and swept["next"] > time.time() * 1000


def test_a_limit_hands_over_with_exit_code_5(folder: Path) -> None:
    begin("j-1", "job", 60)
    done = call("sweep", "flow.py", "--store", DSN, "--for", "200ms", "--grace", "100ms", "--json")
    assert done.returncode == 5
    assert json.loads(done.stdout) == {"taken": 1, "active": 1, "next": None}
    assert status("j-1") == "running"


def test_functions_of_others_are_left_to_others(folder: Path) -> None:
    begin("j-1", "job")
    (folder / "other.py").write_text("from overwinter import Agent\necho = Agent('echo', 'scripted:echo')\n")
    done = call("sweep", "other.py", "--store", DSN)
    assert done.returncode == 0 and done.stdout.startswith("0 executions worked on; more is due")


def test_sigterm_hands_over(folder: Path) -> None:
    begin("j-1", "job", 60)
    with subprocess.Popen(
        [*ENTRY, "sweep", "flow.py", "--store", DSN, "--grace", "100ms"], stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + PATIENCE
        while not (folder / "began").exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and "handed over" in said and "Traceback" not in said
    assert status("j-1") == "running"


def test_a_store_that_is_not_there_is_not_made(folder: Path) -> None:
    done = call("sweep", "flow.py", "--store", "sqlite:///nowhere.db")
    assert done.returncode == 4 and "no store at nowhere.db" in done.stderr
    assert not (folder / "nowhere.db").exists()


@pytest.mark.parametrize("option", ["--for", "--grace", "--lease"])
def test_a_duration_that_is_none_is_refused(folder: Path, option: str) -> None:
    refused = CliRunner().invoke(cli, ["sweep", "flow.py", option, "soon"])
    assert refused.exit_code == 2 and option in refused.output and '"5m"' in refused.output


# -- serve -----------------------------------------------------------------------------------------------------


def test_serve_takes_its_settings_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[Place] = []
    monkeypatch.setattr("overwinter.cli.serving.serve", places.append)
    given = {
        "PORT": "9999",
        "OVERWINTER_HOST": "0.0.0.0",
        "OVERWINTER_TOKEN": "a-secret-of-some-length",
        "OVERWINTER_DELIVERY_TOKEN": "another-secret-of-some-length",
        "OVERWINTER_WAIT": "5m",
        "OVERWINTER_MAX_ACTIVE": "7",
        "OVERWINTER_THREADS": "3",
        "OVERWINTER_GRACE": "2m",
        "OVERWINTER_LEASE": "4s",
    }
    assert CliRunner().invoke(cli, ["serve", "flow.py"], env=given, catch_exceptions=False).exit_code == 0
    (place,) = places
    assert (place.host, place.port, place.wait) == ("0.0.0.0", 9999, "5m")
    assert (place.token, place.delivery_token) == (given["OVERWINTER_TOKEN"], given["OVERWINTER_DELIVERY_TOKEN"])
    settings = place.load.settings()
    assert (settings.max_active, settings.threads, settings.grace, settings.lease) == (7, 3, "2m", "4s")


@pytest.mark.parametrize(("grace", "status_then"), [("20s", "completed"), ("300ms", "running")])
def test_serve_hands_over_within_the_grace_period(folder: Path, grace: str, status_then: str) -> None:
    begin("j-1", "job", 1.5)
    command = [*ENTRY, "serve", "flow.py", "--port", "0", "--store", DSN, "--grace", grace]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = None
        while url is None:
            url = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        httpx.post(f"{url[0]}/sweep", headers={"prefer": "respond-async"}).raise_for_status()
        until = time.monotonic() + PATIENCE
        while not (folder / "began").exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert status("j-1") == status_then
