"""``store init``, ``check``, ``stats``: what they say of a sound store, a damaged one, and one that can't be opened."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from overwinter.state.opening import open_store
from overwinter.state.records import NewMail

NOW = int(time.time() * 1000)
Command = Callable[..., Result]
START = {"type": "start", "at": NOW - 9000, "input": 1, "seed": "s"}
STEP = {"type": "step", "at": NOW - 8000, "op": "0", "name": "load", "ms": 3, "value": 1}
DONE = {"type": "completed", "at": NOW - 7000, "value": 1}


def filled(shelf: Any) -> None:
    shelf.put("t-1", [START, STEP], awaits="event reply")
    shelf.put("t-2", [START, DONE], status="completed")
    shelf.put(
        "support/c-1", [{"type": "message", "at": NOW, "id": "m"}], function="support", kind="agent", status="idle"
    )


def test_init_makes_a_store_and_says_whether_it_was_there(shelf: Any, overwinter: Command) -> None:
    first, second = overwinter("store", "init"), overwinter("store", "init", "--json")
    assert first.exit_code == 0
    assert f"made sqlite:///{shelf.path}" in first.stderr.replace("\n", "")
    assert json.loads(second.stdout) == {"store": shelf.dsn, "created": False, "executions": 0}


def test_a_sound_store_is_called_so(shelf: Any, overwinter: Command) -> None:
    filled(shelf)
    result = overwinter("store", "check")
    assert result.exit_code == 0
    assert result.stdout == "3 executions, 5 journal entries, 0 blobs: nothing is wrong\n"
    document = json.loads(overwinter("store", "check", "--json").stdout)
    sizes = {"executions": 3, "entries": 5, "blobs": 0}
    assert document == {"ok": True, **sizes, "wrong": 0, "remarks": 0, "findings": []}
    some = json.loads(overwinter("store", "check", "--where", "function=support", "--json").stdout)
    assert some["executions"] == 1


def test_what_is_wrong_is_said_and_is_exit_code_1(shelf: Any, overwinter: Command) -> None:
    filled(shelf)
    shelf.put("dead", [START], status="pending")
    shelf.put("kid", [START], awaits="event x", parent="gone")
    with sqlite3.connect(shelf.path) as connection:
        connection.execute("UPDATE journal SET body = '{' WHERE body LIKE '%\"step\"%'")
    connection.close()
    result = overwinter("store", "check", env={"COLUMNS": "70"})
    assert result.exit_code == 1
    flat = " ".join(result.stdout.split())
    assert "✗ dead it is pending, nobody holds it, and nothing will wake it" in flat
    assert "→ overwinter resume dead wakes it" in result.stdout.splitlines()
    assert "✗ t-1 entry 2 can't be read: a journal entry is not JSON" in flat
    assert "! kid its parent gone is not in this store" in flat
    assert "5 executions, 7 journal entries, 0 blobs: 2 wrong, 1 remark" in flat
    assert "store export" in result.stderr
    document = json.loads(overwinter("store", "check", "--json").stdout)
    assert (document["ok"], document["wrong"], document["remarks"]) == (False, 2, 1)
    assert {(found["id"], found["level"]) for found in document["findings"]} == {
        ("dead", "wrong"),
        ("t-1", "wrong"),
        ("kid", "remark"),
    }


def test_resume_wakes_what_the_check_says_it_wakes(shelf: Any, overwinter: Command) -> None:
    shelf.put("dead", [START], status="pending")
    assert overwinter("store", "check").exit_code == 1
    assert overwinter("resume", "dead").exit_code == 0
    assert overwinter("store", "check").exit_code == 0


def test_stats_counts_everything(shelf: Any, overwinter: Command) -> None:
    filled(shelf)
    shelf.put("late", [START], awaits="timer", wake=NOW - 60_000)

    async def deliver() -> None:
        store = open_store(shelf.dsn)
        await store.open()
        await store.accept("t-1", NewMail("", 1, NOW, json.dumps({"type": "event", "at": NOW})), now=NOW)
        await store.close()

    asyncio.run(deliver())
    document = json.loads(overwinter("store", "stats", "--json").stdout)
    assert document["counts"] == {"waiting": 2, "completed": 1, "idle": 1}
    assert document["functions"][0] == {
        "function": "ticket",
        "kind": "workflow",
        "counts": {"waiting": 2, "completed": 1},
    }
    assert (document["executions"], document["entries"], document["mail"], document["due"]) == (4, 6, 1, 2)
    assert document["overdue_ms"] >= 60_000
    assert document["bytes"] > 0
    assert document["owners"] == []
    shown = overwinter("store", "stats").stdout
    assert re.search(r"ticket +workflow +3 +2 waiting · 1 completed", shown)
    assert re.search(r"6 journal entries · 1 mail waiting · 2 due, the oldest for \d+m", shown)
    assert "no process is at work" in shown


def test_stats_of_an_empty_store_and_doctor_beside_it(shelf: Any, overwinter: Command) -> None:
    overwinter("store", "init")
    assert "no executions yet" in overwinter("store", "stats").stdout
    checks = json.loads(overwinter("doctor", "--json", "--port", "1").stdout)["checks"]
    assert "store" in [check["name"] for check in checks]


@pytest.mark.parametrize("command", ["check", "stats"])
def test_user_data_does_not_steer_the_terminal(shelf: Any, overwinter: Command, command: str) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m[bold]x[/] \u202etxt.exe"
    shelf.put("e\x1b[5m[red]", [{"type": evil, "at": NOW}], function="f\x1b[5m", status="pending", parent=evil)
    result = overwinter("store", command, env={"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "300"})
    bare = re.sub(r"\x1b\[[0-9;]*[mK]|\x1b\[\?25[lh]|\x1b\[1A|\r", "", result.output)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", bare)
    assert "\x1b[5m" not in result.output


COMMANDS = [
    ("check",),
    ("stats",),
    ("export", "out.jsonl"),
    ("prune", "--yes"),
    ("move", "--to", "sqlite:///other.db"),
    ("move", "--undo"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_store_that_is_not_there_is_not_made(shelf: Any, overwinter: Command, command: tuple[str, ...]) -> None:
    result = overwinter("store", *command)
    assert result.exit_code == 4
    assert "there is no store at" in result.stderr
    assert not shelf.path.exists()
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize("command", [("init",), ("check",), ("stats",), ("export", "-")])
@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda path: path.write_bytes(b"not a database at all" * 100), "not an SQLite database"),
        (lambda path: _versioned(path, 99), "newer"),
    ],
    ids=["no database", "newer"],
)
def test_a_store_that_can_not_be_opened_says_why(
    shelf: Any, overwinter: Command, command: tuple[str, ...], damage: Callable[[Path], None], complaint: str
) -> None:
    overwinter("store", "init")
    damage(shelf.path)
    result = overwinter("store", *command)
    assert result.exit_code == 4
    assert result.stderr.startswith("error: ")
    assert complaint in result.stderr
    assert "Traceback" not in result.output


def _versioned(path: Path, version: int) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_help_names_every_command(overwinter: Command) -> None:
    shown = overwinter("store", "--help").stdout
    for command in ("init", "check", "stats", "export", "import", "move", "prune"):
        assert re.search(rf"^  {command} +\S", shown, re.MULTILINE)
        assert overwinter("store", command, "--help").exit_code == 0
    assert "No such command" in overwinter("store", "chekc").stderr
