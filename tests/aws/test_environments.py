"""Execution environments as processes: one for each event with everything at zero in between, stops, cold starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import overwinter
from overwinter.tests.aws.environment import PROGRAMS, Environment
from overwinter.tests.aws.lambda_events import SWEEP, http

HOME = str(Path(overwinter.__file__).absolute().parent.parent)
PATIENCE = 30.0


def settings(dsn: str, folder: Path) -> dict[str, str]:
    given = {
        "_HANDLER": "overwinter.functions.aws.entry.handler",
        "OVERWINTER_APP": str(PROGRAMS / "night_desk.py"),
        "OVERWINTER_STATE": dsn,
        "OVERWINTER_AUTH": "iam",
        "NIGHT_DESK": str(folder),
        "PYTHONPATH": HOME,
    }
    return {**os.environ, **given}


def environment(dsn: str, folder: Path) -> Environment:
    return Environment(settings(dsn, folder))


def test_a_timer_fires_by_the_schedule_alone(dsn: str, tmp_path: Path) -> None:
    with environment(dsn, tmp_path) as first:
        assert first.take(http("POST", "/workflows/remind", 5, query="id=r-1"))["statusCode"] == 202
    until = time.monotonic() + PATIENCE
    answer: dict[str, Any] = {"statusCode": 202}
    while answer["statusCode"] == 202:
        assert time.monotonic() < until, "no sweep has taken the timer"
        time.sleep(0.3)
        with environment(dsn, tmp_path) as tick:
            assert tick.take(SWEEP)["active"] == 0
        with environment(dsn, tmp_path) as visitor:
            answer = visitor.take(http("GET", "/results/r-1"))
    assert json.loads(answer["body"])["result"] == "slept, then 5"


def test_a_stop_between_two_events_ends_the_process_in_order(dsn: str, tmp_path: Path) -> None:
    with environment(dsn, tmp_path) as running:
        running.take(SWEEP)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(PATIENCE) == 0


def test_a_stop_in_the_middle_of_an_event_hands_over(dsn: str, tmp_path: Path) -> None:
    with environment(dsn, tmp_path) as stopped:
        stopped.begin(http("POST", "/workflows/long_night", query="id=n-1"), seconds=900)
        until = time.monotonic() + PATIENCE
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        stopped.process.send_signal(signal.SIGTERM)
        assert stopped.end()["statusCode"] == 202
    (tmp_path / "go").touch()
    with environment(dsn, tmp_path) as after:
        after.take(SWEEP)
        assert json.loads(after.take(http("GET", "/results/n-1"))["body"])["result"] == "by hand"


def test_a_start_loads_nothing_that_no_event_has_asked_for(tmp_path: Path) -> None:
    code = (
        "import sys; from overwinter.functions.aws.entry import handler; "
        "print([name for name in ('starlette', 'uvicorn', 'httpx', 'litellm', 'click', 'boto3', 'botocore', 'redis') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=settings(f"sqlite:///{tmp_path / 'store.db'}", tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "[]\n"


def test_an_environment_without_an_app_says_what_to_set() -> None:
    bare = {name: value for name, value in os.environ.items() if name != "OVERWINTER_APP"} | {"PYTHONPATH": HOME}
    done = subprocess.run(
        [sys.executable, "-c", "from overwinter.functions.aws.entry import handler"],
        env=bare,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "InvalidInput: set OVERWINTER_APP" in done.stderr
