"""``overwinter schedule``: what it prints, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from overwinter.cli.main import cli

APP = """
from overwinter import Context, schedule, workflow

@schedule("0 7 * * MON-FRI", zone="Europe/Berlin")
@workflow
async def report(ctx: Context, about: str = "all") -> str:
    return about
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OVERWINTER_STATE", "OVERWINTER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text(APP)
    assert run("run", "app.py", "report")[0] == 0


def run(*args: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, args)
    return done.exit_code, done.output


def told(*args: str) -> Any:
    code, output = run("schedule", *args, "--json")
    assert code == 0, output
    return json.loads(output)


def sweep() -> None:
    code, output = run("sweep", "app.py")
    assert code == 0, output


def test_from_making_to_removing() -> None:
    assert [one["name"] for one in told("list")["schedules"]] == ["report"]
    made = told("add", "report", "--every", "1h", "--name", "hourly", "--input", "news", "--by", "me")
    assert (made["every"], made["status"], made["next"][-7:]) == (3600.0, "active", ":00:00Z")
    changed = told("change", "hourly", "0 8 * * *", "--overlap", "queue", "--zone", "Europe/Berlin")
    assert (changed["cron"], changed["overlap"], changed["zone"]) == ("0 8 * * *", "queue", "Europe/Berlin")
    assert told("run", "hourly", "--id", "a") == {"name": "hourly", "run": "hourly@a"}
    sweep()
    shown = told("show", "hourly")
    assert shown["input"] == "news" and [one["id"] for one in shown["latest"]] == ["hourly@a"]
    assert shown["runs"] == 1 and shown["last"]["status"] == "completed"
    assert told("pause", "hourly") == {"name": "hourly", "done": "pause"}
    sweep()
    assert told("show", "hourly")["status"] == "paused" and told("show", "hourly")["next"] is None
    told("resume", "hourly")
    sweep()
    assert told("list", "--prefix", "hour")["schedules"][0]["status"] == "active"
    told("remove", "hourly")
    sweep()
    assert [one["name"] for one in told("list", "--function", "report")["schedules"]] == ["report"]
    assert told("list", "--function", "other") == {"schedules": []}


def test_for_people() -> None:
    code, output = run("schedule", "list")
    assert code == 0 and output.splitlines()[0].split() == ["NAME", "FUNCTION", "STATUS", "WHEN", "NEXT", "RUNS"]
    assert "0 7 * * MON-FRI" in output  # the zone is cut where the time of the next run is long
    made = run("schedule", "add", "report", "--every", "15m", "--name", "news")[1]
    assert "schedule news made: every 15m, next " in made
    run("schedule", "run", "report")
    sweep()
    code, output = run("schedule", "show", "report")
    assert "begins report 0 7 * * MON-FRI Europe/Berlin" in output and "1 run · the last completed" in output
    assert "report@" in output.splitlines()[-1]
    code, output = run("show", "schedule/report")
    assert code == 0 and "report@" in output


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("show", "none"), 3, "there is no schedule 'none'"),
        (("add", "nobody", "@daily"), 2, "no process has served 'nobody'"),
        (("add", "report"), 2, "no time is given"),
        (("add", "report", "0 8 * * *"), 2, "another schedule 'report'"),
        (("add", "report", "x", "--name", "y"), 2, "is no cron expression"),
        (("change", "report"), 2, "nothing is given to change"),
        (("change", "report", "--zone", "Berlin"), 2, "is it Europe/Berlin?"),
        (("list", "--function", ""), 2, "it is empty"),
    ],
)
def test_what_is_wrong_is_said(args: tuple[str, ...], code: int, says: str) -> None:
    assert run("schedule", *args)[0] != 0
    assert says in run("schedule", *args)[1]
    assert run("schedule", *args, "--json")[1].startswith('{"error"')
