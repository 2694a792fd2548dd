"""``invoke --stream`` and ``watch --stream``, as people and programs read them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from overwinter import Agent, Runtime, tool
from overwinter.cli.main import cli
from overwinter.cli.view.speech import Speech
from overwinter.functions.models.scripted import Scripted, call


@tool
async def note(text: str) -> str:
    """Note something down."""
    return text


def store_of(folder: Path) -> str:
    """A run that has ended, and a session that was answered."""
    dsn = f"sqlite:///{folder}/store.db"
    desk = Agent("desk", Scripted([call("note", text="x"), "It \x1b[31msnows."], pace="1ms"), tools=[note])

    async def main() -> None:
        async with Runtime([desk], dsn) as runtime:
            await (await runtime.start(desk, "hello", id="run")).result()
            await (await runtime.send(desk, "k", "hello")).reply()
            desk.model = Scripted({".*": "and again"})
            await (await runtime.send(desk, "k", "once more")).reply()

    asyncio.run(main())
    return dsn


def test_watch_shows_what_was_said(tmp_path: Path) -> None:
    dsn = store_of(tmp_path)
    found = CliRunner().invoke(cli, ["watch", "run", "--stream", "--store", dsn])
    assert found.exit_code == 0, found.output
    assert "\x1b" not in found.output, "what a model says moves no cursor"
    assert found.stdout.splitlines()[-1] == "It \\x1b[31msnows."
    assert "> hello" in found.stderr and '→ note({"text": "x"})' in found.stderr and "✓ note  x" in found.stderr


def test_programs_read_events(tmp_path: Path) -> None:
    dsn = store_of(tmp_path)
    found = CliRunner().invoke(cli, ["watch", "desk/k", "--stream", "--idle", "--json", "--store", dsn])
    assert found.exit_code == 0, found.output
    events = [json.loads(line) for line in found.stdout.splitlines()]
    assert [event["event"] for event in events] == [
        "message", "tool_call", "answer", "observation", "text", "answer", "reply",
        "message", "text", "answer", "reply",
    ]  # fmt: skip
    found = CliRunner().invoke(cli, ["watch", "desk/k", "--stream", "--idle", "--new", "--store", dsn])
    assert found.exit_code == 0 and not found.stdout, "it rests, and nothing is new"
    assert all(set(event) == {"id", "event", "data"} for event in events)
    found = CliRunner().invoke(cli, ["watch", "nobody", "--stream", "--store", dsn])
    assert found.exit_code not in (0, 1) and "nobody" in found.output


def test_streams_wait(tmp_path: Path) -> None:
    found = CliRunner().invoke(cli, ["invoke", "desk", "hi", "--stream", "--no-wait"])
    assert found.exit_code == 2 and "--no-wait" in found.output
    found = CliRunner().invoke(cli, ["invoke", "desk", "hi", "--stream", "--url", "http://127.0.0.1:9"])
    assert "no server answers" in found.output and "Traceback" not in found.output


TOLD: list[tuple[str, dict[str, Any]]] = [
    ("reasoning", {"op": "t1.m1", "attempt": 1, "text": "hm"}),
    ("text", {"op": "t1.m1", "attempt": 1, "text": "It is "}),
    ("reset", {"op": "t1.m1", "attempt": 2}),
    ("text", {"op": "t1.m1", "attempt": 2, "text": "No."}),
    ("answer", {"op": "t1.m1"}),
    ("approval", {"op": "t1.m1.0", "name": "pay", "arguments": {"amount": 1}}),
    ("decided", {"op": "t1.m1.0", "approved": False, "by": "ana"}),
    ("observation", {"op": "t1.m1.0", "name": "pay", "error": {"message": "no"}}),
    ("retrying", {"op": "t1.m2", "name": "model", "attempt": 1, "until": 0, "error": {"message": "away"}}),
    ("routed", {"op": "t1.m2", "model": "b", "why": "a is away"}),
    ("handoff", {"op": "t1.m2.0", "from": "front", "agent": "billing", "why": '{"reason":"a bill"}'}),
    ("status", {"status": "paused"}),
    ("step", {"op": "1", "name": "s", "ms": 3}),
    ("unheard_of", {}),
]


@pytest.mark.parametrize("live", [True, False])
def test_every_event_has_its_line(live: bool, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(stderr=True, width=100, force_terminal=False)
    speech = Speech(console, "desk/k", live=live, messages=True)
    for kind, data in TOLD:
        speech.take(kind, data)
    speech.result("No.")
    out, err = capsys.readouterr()
    assert out == ("It is \nNo.\n" if live else "No.\n"), "in a pipe there is nothing to be taken back"
    for said in ("pay", "waits for approval", "approve desk/k t1.m1.0", "denied by ana", "away", "paused", "3 ms"):
        assert said in err
    assert 'front hands over to billing: {"reason":"a bill"}' in err
    assert ("begins anew (attempt 2)" in err) is live
