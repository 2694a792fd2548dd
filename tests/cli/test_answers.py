"""What a command says when it can't do what was asked: JSON for programs whatever was wrong, a code that means what the
page says, nothing started before the line is read whole, and no traceback when its output goes nowhere."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from overwinter.cli.main import COMMANDS, cli
from overwinter.tests.cli.conftest import Shelf
from overwinter.tests.cli.test_processes import ENTRY, Served, call, environment

Command = Callable[..., Result]
FILE = """
from overwinter import Context, workflow
from pydantic import BaseModel, field_validator

class Named(BaseModel):
    country: int

    @field_validator("country")
    @classmethod
    def known(cls, country: int) -> int:
        raise SystemExit({49: 49}[country])

@workflow
async def named(ctx: Context, input: Named) -> str:
    return "never"

@workflow
async def waits(ctx: Context) -> str:
    return str(await ctx.wait_for("go"))
"""
START = {"type": "start", "at": 1, "seed": "s", "input": None}
ASKED = {"type": "ordered", "op": "0", "kind": "approval", "name": "pay", "what": "pay", "digest": "d", "at": 2}
ENDED = {"type": "completed", "at": 3, "value": 1}


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


@pytest.mark.parametrize(
    "words",
    [
        ["ps", "--limit", "0"],
        ["ps", "--status", "bogus"],
        ["ps", "--nonsense"],
        ["run", "nofile.py", "f"],
        ["cancel"],
        ["signal", "x"],
        ["show"],
        ["store", "import", "nofile"],
        ["store", "nonsense"],
        ["invoke", "f", "--url", "notaurl"],
        ["signal", "x", "y", "{bad"],
        ["nonsense"],
        *[[name, "--nonsense"] for name in COMMANDS],
    ],
)
def test_wrong_usage_is_json_for_who_asked_for_json(words: list[str]) -> None:
    for line in ([*words, "--json"], [words[0], "--json", *words[1:]]):
        result = run(*line)
        assert result.exit_code == 2 and result.stdout == ""
        told = json.loads(result.stderr)["error"]
        assert told["code"] == 2 and told["message"] and "--help" in told["advice"], told
    plain = run(*words)
    assert plain.exit_code == 2 and plain.stderr.startswith("Usage:")


@pytest.mark.parametrize("timeout", ["0", "-1s", "soon"])
def test_nothing_is_started_before_the_line_is_read_whole(timeout: str, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(FILE)
    store = f"sqlite:///{tmp_path}/x.db"
    for session in ((), ("--session", "s")):
        result = run("run", str(tmp_path / "x.py"), "waits", "--timeout", timeout, "--store", store, *session)
        assert result.exit_code == 2 and "--timeout" in result.stderr
    assert not (tmp_path / "x.db").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["ps", "--prefix", ""],
        ["ps", "--function", ""],
        ["ps", "--parent", ""],
        ["ps", "--cursor", ""],
        ["approvals", "--role", ""],
        ["approvals", "--function", ""],
        ["run", __file__, "f", "--id", ""],
        ["run", __file__, "f", "--session", ""],
        ["invoke", "f", "--session", ""],
        ["invoke", "f", "--id", ""],
        ["cancel", "--where", "prefix=", "--yes"],
    ],
)
def test_an_empty_text_does_not_mean_none(words: list[str]) -> None:
    result = run(*words)
    assert result.exit_code == 2 and ("is empty" in result.stderr or "KEY=VALUE" in result.stderr), result.stderr


def test_the_codes_mean_what_the_page_says(shelf: Shelf) -> None:
    shelf.put("done", [START, ASKED, ENDED], status="completed")
    shelf.put("open", [START, ASKED], awaits="approval pay")
    assert run("approvals", "", "--store", shelf.dsn).exit_code == 3
    assert run("approve", "none", "--store", shelf.dsn).exit_code == 3
    for words in (["approve", "done"], ["approve", "open", "7"], ["store", "move", "--to", shelf.dsn]):
        assert run(*words, "--store", shelf.dsn).exit_code == 2, words


def test_what_was_decided_is_not_offered_again_though_nobody_has_taken_it_up(shelf: Shelf) -> None:
    shelf.put("open", [START, ASKED], awaits="approval pay")
    assert run("approve", "open", "--store", shelf.dsn).exit_code == 0
    listed = run("approvals", "--json", "--store", shelf.dsn)
    assert json.loads(listed.stdout) == {"approvals": []}
    assert run("approve", "open", "--store", shelf.dsn).exit_code == 2


def test_a_watchdog_of_nothing_is_none() -> None:
    assert run("serve", __file__, "--watchdog", "nothing").exit_code == 2
    served = run("serve", __file__, "--watchdog", "0", "--host", "0.0.0.0")  # refused for its host, not for that
    assert "--watchdog" not in served.stderr and "token" in served.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_output_that_goes_nowhere_is_no_traceback(tmp_path: Path, shelf: Shelf) -> None:
    shelf.put("x", [START, ENDED], status="failed")
    where = {"cwd": tmp_path, "env": environment(), "stderr": subprocess.PIPE, "text": True, "timeout": 60}
    for words in (["ps", "--all"], ["ps", "--json"], ["show", "x"], ["store", "export", "-"], ["watch", "x"]):
        line = [*ENTRY, *words, "--store", shelf.dsn]
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(line, stdout=full, check=False, **where)  # type: ignore[call-overload]
        assert done.returncode == 74 and "can't be written" in done.stderr, (words, done.stderr)
        assert "Traceback" not in done.stderr and "Exception" not in done.stderr
        closed = subprocess.run(["/bin/sh", "-c", '"$@" >&-', "sh", *line], check=False, **where)  # type: ignore[call-overload]
        assert "Traceback" not in closed.stderr and closed.returncode in (0, 1), closed.stderr
        reader, writer = os.pipe()
        os.close(reader)
        broken = subprocess.run(line, stdout=writer, check=False, **where)  # type: ignore[call-overload]
        os.close(writer)
        assert (broken.returncode, broken.stderr.count("Traceback")) == (141, 0), (words, broken.stderr)


def test_a_server_starts_without_asking_the_users_code_and_shows_the_numbers_of_its_door(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(FILE)
    served = Served(tmp_path, "serve", "x.py", "--port", "0", "--watchdog", "0")
    try:
        told: dict[str, Any] = httpx.get(served.url() + "/stats", timeout=20).json()
    finally:
        assert served.stop() == 0
    assert told["door"]["connections"] == 1 and told["door"]["max_connections"] == 1000
    assert [told[name] for name in ("events", "unwanted", "refused", "server errors")] == [0, 0, 0, 0]
    assert "invoke named" not in served.log.read_text()


def test_a_traceback_that_was_asked_for_tells_no_secret(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("import os\nraise ValueError('bad key ' + os.environ['SHOP_KEY'])\n")
    done = call(tmp_path, "run", "x.py", "f", "--debug", env={"SHOP_KEY": "tulips-and-roses"})
    assert "Traceback" in done.stderr and "tulips" not in done.stderr and "bad key ***" in done.stderr
