"""``store export``, ``import``, ``move``: over the command, through files and pipes, and through a SIGKILL."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import overwinter
from overwinter.state.opening import open_store
from overwinter.state.records import Change, NewExecution, NewMail

NOW = int(time.time() * 1000)
Command = Callable[..., Result]
ENTRY = [sys.executable, "-m", "overwinter.cli.main"]
HOME = str(Path(overwinter.__file__).absolute().parent.parent)
START = {"type": "start", "at": NOW - 9000, "input": 1, "seed": "s"}
DONE = {"type": "completed", "at": NOW - 7000, "value": 1}


@pytest.fixture
def filled(shelf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    shelf.put("t-1", [START], awaits="event reply")
    shelf.put("t-2", [START, DONE], status="completed")
    return shelf


def listed(overwinter: Command, store: str) -> dict[str, str]:
    page = json.loads(overwinter("ps", "--all", "--json", "--store", store).stdout)
    return {head["id"]: head["status"] for head in page["executions"]}


def test_an_export_is_imported_once(filled: Any, overwinter: Command) -> None:
    done = json.loads(overwinter("store", "export", "out.jsonl", "--json").stdout)
    assert done["executions"] == 2
    assert done["left_out"] == []
    assert done["bytes"] == Path("out.jsonl").stat().st_size
    assert Path("out.jsonl").stat().st_mode & 0o777 == 0o600
    first = overwinter("store", "import", "out.jsonl", "--store", "sqlite:///new.db", "--json")
    assert json.loads(first.stdout) == {
        "file": "out.jsonl",
        "executions": 2,
        "there": 0,
        "values": 0,
        "values_there": 0,
    }
    again = overwinter("store", "import", "out.jsonl", "--store", "sqlite:///new.db")
    assert again.stderr == "imported 0 executions; 2 were there already and stay as they are\n"
    assert listed(overwinter, "sqlite:///new.db") == {"t-1": "waiting", "t-2": "completed"}


def test_a_file_is_not_written_over_and_not_left_half_written(filled: Any, overwinter: Command) -> None:
    Path("out.jsonl").write_text("mine")
    refused = overwinter("store", "export", "out.jsonl")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert Path("out.jsonl").read_text() == "mine"
    assert overwinter("store", "export", "out.jsonl", "--force").exit_code == 0
    assert Path("out.jsonl").read_text().startswith('{"overwinter"')
    assert overwinter("store", "export", "no/such/folder.jsonl").exit_code == 2
    assert sorted(path.name for path in Path().glob("*.part")) == []


def test_filters_choose_what_is_exported(filled: Any, overwinter: Command) -> None:
    for choice, count in (
        (("--status", "completed"), 1),
        (("--where", "prefix=t-"), 2),
        (("--where", "prefix=t-1", "--status", "completed"), 0),
        (("--before", "1s"), 2),
        (("--before", "1h"), 0),
    ):
        done = overwinter("store", "export", "out.jsonl", "--force", "--json", *choice)
        assert json.loads(done.stdout)["executions"] == count, choice


def test_an_export_goes_through_a_pipe(filled: Any, tmp_path: Path) -> None:
    source = f"{sys.executable} -m overwinter.cli.main store export - --store {filled.dsn}"
    target = f"{sys.executable} -m overwinter.cli.main store import - --store sqlite:///piped.db"
    piped = subprocess.run(
        f"{source} | {target}", shell=True, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert piped.returncode == 0
    assert sorted(piped.stderr.splitlines())[-1] == "imported 2 executions"
    cut = subprocess.run(
        f"{source} | head -c 700 | {target}",
        shell=True, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert cut.returncode == 2
    assert "cut off" in cut.stderr


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OVERWINTER_")}
    return {**kept, "PYTHONPATH": HOME}


def test_an_import_names_the_line(filled: Any, overwinter: Command) -> None:
    Path("bad.jsonl").write_text("hello\n")
    result = overwinter("store", "import", "bad.jsonl", "--store", "sqlite:///new.db")
    assert result.exit_code == 2
    assert "line 1" in result.stderr
    assert overwinter("store", "import", "absent.jsonl").exit_code == 2


def test_a_move_is_told_to_everybody(filled: Any, overwinter: Command, tmp_path: Path) -> None:
    moved = overwinter("store", "move", "--to", "sqlite:///new.db")
    assert moved.exit_code == 0
    assert "moved 2 executions to sqlite:///new.db" in moved.stderr
    assert listed(overwinter, "sqlite:///new.db") == {"t-1": "waiting", "t-2": "completed"}
    app = tmp_path / "app.py"
    app.write_text("from overwinter import workflow\n@workflow\nasync def ticket(ctx, x):\n    return x\n")
    refused = overwinter("run", str(app), "ticket", "1")
    assert refused.exit_code == 4
    assert f"moved to sqlite:///{tmp_path}/new.db; use that store" in refused.stderr
    again = json.loads(overwinter("store", "move", "--to", "sqlite:///new.db", "--json").stdout)
    assert (again["before"], again["executions"]) == (True, 2)
    elsewhere = overwinter("store", "move", "--to", "sqlite:///third.db")
    assert elsewhere.exit_code == 4
    kept = overwinter("store", "move", "--undo")
    assert kept.exit_code == 2
    assert "--undo --yes" in kept.stderr
    undone = json.loads(overwinter("store", "move", "--undo", "--yes", "--json").stdout)
    assert undone == {"from": filled.dsn, "to": f"sqlite:///{tmp_path}/new.db", "undone": True}
    assert overwinter("run", str(app), "ticket", "1").exit_code == 0


def test_a_move_needs_a_place_that_lasts(filled: Any, overwinter: Command) -> None:
    assert "name a store" in overwinter("store", "move").stderr
    gone = overwinter("store", "move", "--to", "memory://")
    assert gone.exit_code == 2
    assert "gone when this command ends" in gone.stderr
    secret = overwinter("store", "move", "--to", "nosql://ann:hunter2@host/1")
    assert secret.exit_code == 2
    assert "hunter2" not in secret.output


def test_a_living_process_stops_a_move_and_is_named(filled: Any, overwinter: Command) -> None:
    async def main() -> None:
        store = open_store(filled.dsn)
        await store.open()
        await store.beat("worker-7", time.time_ns() // 1_000_000, 60_000)
        result = await asyncio.to_thread(overwinter, "store", "move", "--to", "sqlite:///new.db", "--patience", "300ms")
        assert result.exit_code == 4
        assert "in use by worker-7. Stop these processes" in result.stderr
        imported = await asyncio.to_thread(overwinter, "store", "import", "/dev/null")
        assert imported.exit_code == 4
        await store.close()

    asyncio.run(main())
    assert overwinter("store", "check").exit_code == 0
    assert overwinter("store", "move", "--to", "sqlite:///new.db").exit_code == 0


async def many(dsn: str, count: int) -> None:
    store = open_store(dsn)
    await store.open()
    await store.beat("p", NOW, 60_000)

    async def put(number: int) -> None:
        id = f"m-{number}"
        await store.accept(id, NewMail("start", 1, NOW, "{}"), now=NOW, owner="p", create=NewExecution("f", "workflow"))
        entries = [json.dumps(START)]
        await store.append(Change(id, "p", 0, NOW, entries, [1], 1, "waiting", NOW + 10**9, True, 1, "t", "", ""))

    await asyncio.gather(*(put(number) for number in range(count)))
    await store.retire("p")
    await store.close()


def test_a_killed_move_is_finished_by_the_next(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"
    asyncio.run(many(source, 1200))

    async def held() -> int:
        if not (tmp_path / "b.db").exists():
            return 0
        store = open_store(target)
        await store.open()
        try:
            return sum((await store.counts()).values())
        finally:
            await store.close()

    killed = 0
    for least in (1, 300):
        mover = subprocess.Popen(
            [*ENTRY, "store", "move", "--store", source, "--to", target],
            env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while mover.poll() is None and asyncio.run(held()) < least:
            time.sleep(0.01)
        mover.send_signal(signal.SIGKILL)
        killed += mover.wait() == -signal.SIGKILL
    assert killed, "no move was killed on its way"
    finished = subprocess.run(
        [*ENTRY, "store", "move", "--store", source, "--to", target, "--json"],
        env=environment(), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    done = json.loads(finished.stdout)
    assert done["executions"] == 1200
    assert done["same"] > 0
    for dsn, wrong in ((target, 0), (source, 0)):
        checked = subprocess.run(
            [*ENTRY, "store", "check", "--store", dsn, "--json"],
            env=environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert json.loads(checked.stdout)["wrong"] == wrong


def test_a_moved_store_says_so_and_takes_nothing_more(filled: Any, overwinter: Command) -> None:
    overwinter("store", "move", "--to", "sqlite:///new.db")
    for words in (("ps",), ("show", "t-1"), ("approvals",)):
        told = overwinter(*words)
        assert told.exit_code == 0 and "has moved to sqlite:///" in told.stderr, words
    assert "moved" not in overwinter("ps", "--store", "sqlite:///new.db").stderr
    for line in ("signal t-1 reply", "cancel t-1", "cancel --where prefix=t --yes"):
        told = overwinter(*line.split())
        assert told.exit_code == 4 and "has moved to sqlite:///" in told.stderr, line
    assert filled.mails("t-1") == []
