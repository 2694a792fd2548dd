"""``ps``, ``show``, ``watch``, ``doctor``: what people and programs read, and what a reading command never does."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

NOW = int(time.time() * 1000)
Command = Callable[..., Result]


def ticket(**last: Any) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = [
        {"type": "start", "at": NOW - 9000, "input": {"question": "Where is it?"}, "seed": "s"},
        {"type": "step", "at": NOW - 7600, "op": "1", "name": "classify", "ms": 1300, "value": "billing"},
        {"type": "step", "at": NOW - 7000, "op": "2", "name": "load", "ms": 20, "n": 3, "value": [1, 2]},
    ]
    return [*entries, *([last] if last else [])]


APPROVAL: dict[str, Any] = {
    "type": "ordered",
    "at": NOW - 6000,
    "op": "3",
    "kind": "approval",
    "name": "refund",
    "what": "refund",
    "role": "desk",
    "digest": "sha256:1",
    "until": NOW + 3_600_000,
    "data": {"amount": "12.50"},
}


def test_show_tells_what_ran_and_what_it_waits_for(shelf: Any, overwinter: Command) -> None:
    shelf.put("t-1", ticket(**APPROVAL), awaits="approval refund", note="asking")
    result = overwinter("show", "t-1")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert any("classify" in line and "1.3s" in line and "billing" in line for line in lines)
    assert any("load" in line and "×3" in line for line in lines)
    assert any("waiting for approval 'refund'" in line and "desk" in line for line in lines)
    assert "overwinter approve t-1" in result.stdout
    assert "asking" in result.stdout


@pytest.mark.parametrize("width", [80, 120])
def test_show_fits_the_width(shelf: Any, overwinter: Command, width: int) -> None:
    long = {"type": "step", "at": NOW, "op": "4", "name": "n" * 90, "ms": 5, "value": "漢字 " * 200}
    shelf.put("t-1", ticket(**long), note="x" * 300)
    result = overwinter("show", "t-1", env={"COLUMNS": str(width)})
    from rich.cells import cell_len

    assert max(cell_len(line) for line in result.stdout.splitlines()) <= width


def test_show_json_holds_entries_totals_and_what_is_open(shelf: Any, overwinter: Command) -> None:
    shelf.put("t-1", ticket(**APPROVAL), awaits="approval refund")
    document = json.loads(overwinter("show", "t-1", "--json").stdout)
    assert document["execution"]["id"] == "t-1"
    assert [entry["type"] for entry in document["entries"]] == ["start", "step", "step", "ordered"]
    assert document["totals"] | {"steps": 2, "retries": 2, "worked_ms": 1320} == document["totals"]
    assert document["waiting"][0] | {"op": "3", "kind": "approval", "role": "desk"} == document["waiting"][0]


def test_show_groups_the_turns_of_a_session(shelf: Any, overwinter: Command) -> None:
    entries: list[dict[str, Any]] = []
    for turn in range(5):
        at = NOW - 50_000 + turn * 5000
        usage = {"input": 1000, "output": 200}
        answer = {"text": f"answer {turn}", "usage": usage, "cost": "0.25", "model": "scripted/x"}
        entries += [
            {"type": "message", "at": at, "id": f"m{turn}", "content": f"question {turn}", "by": "ann"},
            {"type": "model", "at": at + 900, "op": f"{turn}", "name": "scripted/x", "ms": 800, "value": answer},
            {"type": "reply", "at": at + 901, "to": f"m{turn}", "value": f"answer {turn}"},
        ]
    shelf.put("support/c-1", entries, function="support", kind="agent", status="idle")
    shown = overwinter("show", "support/c-1", "--last", "2").stdout
    assert "3 earlier turns" in shown
    assert "question 4" in shown and "question 3" in shown and "question 2" not in shown
    assert "6.0k tokens" in shown and "cost 1.25" in shown
    assert "question 0" in overwinter("show", "support/c-1", "--full").stdout
    assert "invoke support '…' --session c-1" in shown


def test_many_like_steps_become_few_lines(shelf: Any, overwinter: Command) -> None:
    entries: list[dict[str, Any]] = [{"type": "start", "at": NOW - 5000, "input": None}]
    for item in range(300):
        fact = {"error": {"kind": "builtins.ValueError", "message": "bad page"}} if item == 77 else {"value": item}
        entries.append({"type": "step", "at": NOW - 4000 + item, "op": f"1.{item}", "name": "embed", "ms": 3, **fact})
    shelf.put("map", entries)
    shown = overwinter("show", "map").stdout
    assert len(shown.splitlines()) < 25
    assert "more steps" in shown and "bad page" in shown and "1.299" in shown


@pytest.mark.parametrize(
    "arguments", [("show", "{id}"), ("show", "{id}", "--full"), ("ps", "--all"), ("watch", "{id}")]
)
def test_user_data_neither_styles_nor_steers_the_terminal(
    shelf: Any, overwinter: Command, arguments: tuple[str, ...]
) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m[bold red]x[/] \u202etxt.exe"
    entries = ticket(type="failed", at=NOW, error={"kind": evil, "message": evil, "op": evil})
    entries[1] |= {"name": evil, "value": {evil: evil}}
    shelf.put("e\x1b[31m[red]", entries, function="f\x1b[5m", status="failed", awaits=evil, note=evil)
    call = [argument.format(id="e\x1b[31m[red]") for argument in arguments]
    result = overwinter(*call, env={"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "300"})
    ours = r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[1A|\x1b\[2K|\r"  # colours, and the living line of watch
    bare = re.sub(ours, "", result.output)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", bare)
    assert "\x1b[5m" not in result.output and "\x1b[31m[red]" not in result.output
    assert "[bold red]x[/]" in bare or "ps" in arguments


def test_json_output_is_safe_to_look_at(shelf: Any, overwinter: Command) -> None:
    shelf.put("t", ticket(type="step", at=NOW, op="4", name="\x1b[2J", ms=1, value="ü \x9b \u202e \x7f"))
    text = overwinter("show", "t", "--json").stdout
    assert not set("\x1b\x9b\u202e\x7f") & set(text)
    assert json.loads(text)["entries"][3]["value"] == "ü \x9b \u202e \x7f"
    assert "ü" in text


def test_an_entry_of_a_newer_release_is_shown(shelf: Any, overwinter: Command) -> None:
    shelf.put("t", ticket(type="migrated", at=NOW, to="v2"))
    assert any("migrated" in line and "v2" in line for line in overwinter("show", "t").stdout.splitlines())


def test_ps_lists_what_has_not_ended(shelf: Any, overwinter: Command) -> None:
    shelf.put("t-1", ticket(), awaits="event reply")
    shelf.put("t-2", ticket(type="completed", at=NOW, value=1), status="completed")
    shown = overwinter("ps").stdout
    assert "t-1" in shown and "event reply" in shown and "t-2" not in shown
    assert "t-2" in overwinter("ps", "--all").stdout
    assert "t-2" in overwinter("ps", "--status", "completed").stdout
    assert "t-1" in overwinter("ps").stdout.splitlines()[1]


def test_ps_json_pages_through_everything(shelf: Any, overwinter: Command) -> None:
    for number in range(5):
        shelf.put(f"t-{number}", ticket())
    seen: list[str] = []
    cursor: list[str] = []
    while True:
        page = json.loads(overwinter("ps", "--json", "--limit", "2", "--prefix", "t-", *cursor).stdout)
        seen += [head["id"] for head in page["executions"]]
        if page["cursor"] is None:
            break
        cursor = ["--cursor", page["cursor"]]
    assert seen == [f"t-{number}" for number in (4, 3, 2, 1, 0)]
    assert page["counts"]["waiting"] == 5
    assert set(page["executions"][0]) == set(
        [
            "id",
            "function",
            "kind",
            "status",
            "version",
            "length",
            "created",
            "updated",
            "wake",
            "awaits",
            "takes",
            "note",
            "parent",
            "owner",
            "deaths",
            "tokens",
            "cost",
            "definition",
        ]
    )


@pytest.mark.parametrize("command", [("ps",), ("show", "x"), ("watch", "x"), ("approvals",), ("cancel", "x")])
def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, overwinter: Command, command: tuple[str, ...]) -> None:
    absent = tmp_path / "absent.db"
    result = overwinter(*command, "--store", f"sqlite:///{absent}")
    assert result.exit_code == 4
    assert "no store" in result.stderr and "overwinter dev" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_id_is_not_found_and_like_ones_are_named(shelf: Any, overwinter: Command) -> None:
    shelf.put("ticket-42", ticket())
    result = overwinter("show", "ticket-4")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "ticket-42" in result.stderr
    failure = json.loads(overwinter("show", "nothing", "--json").stderr)
    assert failure["error"]["kind"] == "UnknownExecution" and failure["error"]["code"] == 3


@pytest.mark.parametrize(
    ("status", "code"), [("completed", 0), ("failed", 1), ("cancelled", 1), ("terminated", 1), ("stuck", 1)]
)
def test_watch_ends_with_the_execution(shelf: Any, overwinter: Command, status: str, code: int) -> None:
    error = {"kind": "builtins.ValueError", "message": "no"}
    last = {"type": status, "at": NOW, "value": 1, "error": error, "reason": "r"}
    shelf.put("t", ticket() if status == "stuck" else ticket(**last), status=status)
    result = overwinter("watch", "t")
    assert result.exit_code == code
    assert "classify" in result.stdout


@pytest.mark.parametrize(("status", "verb"), [("stuck", "resume"), ("failed", "retry")])
def test_watch_goes_on_when_an_execution_was_asked_to(shelf: Any, overwinter: Command, status: str, verb: str) -> None:
    last = {"type": status, "at": NOW, "error": {"kind": "builtins.ValueError", "message": "no"}}
    shelf.put("t", ticket(**last), status=status)
    assert overwinter("watch", "t", "--timeout", "100ms").exit_code == 1
    assert overwinter(verb, "t").exit_code == 0
    assert overwinter("watch", "t", "--timeout", "100ms").exit_code == 5


def test_show_says_once_why_an_execution_is_stuck(shelf: Any, overwinter: Command) -> None:
    shelf.put("t", ticket(), status="stuck", awaits="shop.py:3 asked for another step")
    assert overwinter("show", "t").stdout.count("shop.py:3") == 1


def test_watch_json_writes_one_entry_a_line(shelf: Any, overwinter: Command) -> None:
    shelf.put("t", ticket(type="completed", at=NOW, value="a\nb"), status="completed")
    lines = [json.loads(line) for line in overwinter("watch", "t", "--json").stdout.splitlines()]
    assert [(line["seq"], line["type"]) for line in lines] == [(1, "start"), (2, "step"), (3, "step"), (4, "completed")]


def test_watch_gives_up_after_the_timeout(shelf: Any, overwinter: Command) -> None:
    shelf.put("t", ticket())
    assert overwinter("watch", "t", "--timeout", "100ms").exit_code == 5
    assert overwinter("watch", "t", "--timeout", "soon").exit_code == 2


def test_watch_may_stop_at_an_idle_session(shelf: Any, overwinter: Command) -> None:
    shelf.put("a/1", [{"type": "message", "at": NOW, "id": "m", "content": "hi"}], kind="agent", status="idle")
    assert overwinter("watch", "a/1", "--idle").exit_code == 0


def test_doctor_finds_what_needs_help(shelf: Any, overwinter: Command) -> None:
    shelf.put("t-1", ticket(), status="stuck", awaits="operation 2 differs")
    shelf.put("t-2", ticket(type="failed", at=NOW, error={"kind": "x", "message": "y"}), status="failed")
    shelf.put("t-3", ticket(), wake=NOW - 60_000)
    document = json.loads(overwinter("doctor", "--json").stdout)
    states = {check["name"]: check["state"] for check in document["checks"]}
    assert states | {"stuck": "warn", "failed": "warn", "overdue": "warn", "writes": "ok", "store": "ok"} == states
    assert document["ok"] is True


def test_doctor_fails_on_a_broken_file_and_a_damaged_store(tmp_path: Path, overwinter: Command) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def :\n")
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"no database at all" * 100)
    result = overwinter("doctor", str(broken), "--store", f"sqlite:///{damaged}")
    assert result.exit_code == 1
    failed = [line for line in result.stdout.splitlines() if line.startswith("✗")]
    assert [line.split()[1] for line in failed] == ["functions", "store"]
    assert "Traceback" not in result.output


def test_doctor_does_not_make_a_store(tmp_path: Path, overwinter: Command) -> None:
    assert overwinter("doctor", "--store", f"sqlite:///{tmp_path}/absent.db").exit_code == 0
    assert list(tmp_path.iterdir()) == []
