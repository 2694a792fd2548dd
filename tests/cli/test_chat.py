"""``overwinter chat``: answers on stdout, what happens on stderr, approvals in place, and nothing lost at any end."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import overwinter

Command = Callable[..., Result]
ENTRY = [sys.executable, "-m", "overwinter.cli.main"]
HOME = str(Path(overwinter.__file__).absolute().parent.parent)
PATIENCE = 30.0
APP = '''
from overwinter import Agent, Context, tool, workflow
from overwinter.functions.model import Scripted, call

@tool
def look_up(order_id: str) -> str:
    """Look up."""
    return "on its way"

@tool(effect="irreversible", approval="desk")
def refund(order_id: str) -> str:
    """Refund."""
    return "refunded " + order_id

@workflow
async def ask_twice(ctx: Context, what: str) -> str:
    """Ask somebody."""
    await ctx.approve(what)
    return "agreed"

clerk = Agent("clerk", Scripted({
    "where": call("look_up", order_id="A-1"),
    "way": "It is on its way.",
    "refund a": call("refund", order_id="A-1"),
    "refunded": "The money is on its way.",
    "denied": "It was not approved.",
    "ask": call("ask_twice", input="really?"),
    "agreed": "They agreed.",
    "^42$": "A number.",
}, "clerk"), tools=[look_up, refund, ask_twice])
'''


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chat_app.py").write_text(APP, "utf-8")
    return tmp_path


def environment(shelf: Any) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OVERWINTER_", "FORCE_COLOR"))}
    return {**kept, "OVERWINTER_STATE": shelf.dsn, "PYTHONPATH": HOME, "COLUMNS": "100", "TERM": "dumb"}


def test_a_pipe_says_one_message_a_line(app: Path, overwinter: Command) -> None:
    done = overwinter("chat", "clerk", "chat_app.py", "--session", "s", input="Where is it?\n\n42\n")
    assert done.exit_code == 0 and done.stdout == "It is on its way.\nA number.\n"
    assert '→ look_up({"order_id":"A-1"})' in done.stderr and "✓ look_up" in done.stderr
    assert "Go on: overwinter chat clerk chat_app.py --session s" in done.stderr and ">" not in done.stderr
    shown = overwinter("show", "clerk/s").stdout
    assert "Where is it?" in shown and "42" in shown


def test_a_message_that_fails_ends_with_1_and_the_rest_is_said(app: Path, overwinter: Command) -> None:
    done = overwinter("chat", "clerk", "chat_app.py", input="nonsense\nwhere?")
    assert done.exit_code == 1 and done.stdout == "It is on its way.\n"
    assert done.stderr.count("has no rule for 'nonsense'") == 1


def test_for_programs_there_is_a_line_of_json_for_each(app: Path, overwinter: Command) -> None:
    done = overwinter("chat", "clerk", "chat_app.py", "--session", "s", "--json", input="nonsense\nwhere?\n")
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["status"], second["status"]) == ("failed", "completed") and done.exit_code == 1
    assert second["id"] == "clerk/s" and second["result"] == "It is on its way." and done.stderr == ""


def test_nobody_can_be_asked_in_a_pipe_and_the_next_chat_catches_up(app: Path, overwinter: Command) -> None:
    done = overwinter("chat", "clerk", "chat_app.py", "--session", "s", input="refund A-1\n42\n")
    assert done.exit_code == 5 and done.stdout == ""
    command = re.search(r"overwinter (approve clerk/s \S+)", done.stderr)
    assert command is not None and overwinter(*command[1].split()).exit_code == 0
    done = overwinter("chat", "clerk", "chat_app.py", "--session", "s", input="42\n")
    assert done.exit_code == 0 and done.stdout == "The money is on its way.\nA number.\n"
    assert "still at an earlier message" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("ask_twice", "chat_app.py"), 2, "only an agent can be talked to; agents: clerk"),
        (("clark", "chat_app.py"), 3, "its agents: clerk"),
        (("clerk", "chat_app.py", "--url", "http://127.0.0.1:9"), 2, "give one"),
        (("clerk", "--url", "http://127.0.0.1:9"), 4, "clerk FILE talks to it in this process"),
        (("clerk", "chat_app.py", "--timeout", "banana"), 2, "banana"),
        (("clerk", "chat_app.py", "--session", ""), 2, "empty"),
    ],
)
def test_what_can_not_be_talked_to_is_told(
    app: Path, overwinter: Command, words: tuple[str, ...], code: int, told: str
) -> None:
    done = overwinter("chat", *words, input="hello\n")
    assert done.exit_code == code and told in done.stderr


class Terminal:
    """The command at a terminal: ``sees`` waits for a text, ``types`` writes."""

    def __init__(self, folder: Path, env: dict[str, str], *words: str) -> None:
        self._own, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*ENTRY, *words], cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self._text = ""

    def sees(self, text: str) -> str:
        """Everything up to the text."""
        while text not in self._text:
            ready, _, _ = select.select([self._own], [], [], PATIENCE)
            assert ready, f"no {text!r} in {self._text!r}"
            try:
                piece = os.read(self._own, 4096)
            except OSError:
                piece = b""
            assert piece, f"it ended without {text!r}: {self._text!r}"
            self._text += piece.decode("utf-8", "replace")
        before, _, self._text = self._text.partition(text)
        return before

    def types(self, text: str) -> None:
        os.write(self._own, text.encode())

    def ends(self) -> int:
        code = self.process.wait(PATIENCE)
        os.close(self._own)
        return code


@pytest.fixture
def terminal(app: Path, shelf: Any) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def begin(*words: str) -> Terminal:
        opened.append(Terminal(app, environment(shelf), "chat", *words))
        return opened[-1]

    yield begin
    for one in opened:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_an_approval_is_asked_in_place_and_ctrl_d_says_how_to_go_on(terminal: Callable[..., Terminal]) -> None:
    chat = terminal("clerk", "chat_app.py", "--session", "s")
    chat.sees("> ")
    chat.types("refund A-1\n")
    asked = chat.sees("[y/n] ")
    assert 'refund: order_id: "A-1"' in asked and "by desk" in asked
    chat.types("perhaps\n")
    chat.sees("[y/n] ")
    chat.types("y\n")
    chat.sees("The money is on its way.")
    chat.sees("> ")
    chat.types("ask them\n")
    assert "really?" in chat.sees("[y/n] "), "one of a workflow that the agent has started"
    chat.types("y\n")
    chat.sees("They agreed.")
    chat.sees("> ")
    chat.types("\x04")
    chat.sees("Go on: overwinter chat clerk chat_app.py --session s")
    assert chat.ends() == 0


def test_ctrl_c_loses_nothing(terminal: Callable[..., Terminal]) -> None:
    chat = terminal("clerk", "chat_app.py", "--session", "s")
    chat.sees("> ")
    chat.types("refund A-1\n")
    chat.sees("[y/n] ")
    chat.process.send_signal(signal.SIGINT)
    assert "Traceback" not in chat.sees("Go on: overwinter chat clerk chat_app.py --session s")
    assert chat.ends() == 130
    chat = terminal("clerk", "chat_app.py", "--session", "s")
    chat.sees("[y/n] ")
    chat.types("n\n")
    chat.sees("It was not approved.")
    chat.sees("> ")
    chat.types("\x04")
    assert chat.ends() == 0


def test_over_a_server_it_is_the_same(app: Path, shelf: Any, overwinter: Command) -> None:
    serving = subprocess.Popen(
        [*ENTRY, "serve", "chat_app.py", "--port", "0"],
        cwd=app,
        env=environment(shelf),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert serving.stderr is not None
        url = ""
        for line in serving.stderr:
            if found := re.search(r"http://\S+", line):
                url = found[0]
                break
        done = overwinter("chat", "clerk", "--url", url, "--session", "s", input="Where is it?\n42\nask them\n")
        assert done.exit_code == 5 and done.stdout == "It is on its way.\nA number.\n"
        assert "✓ look_up" in done.stderr and f"overwinter chat --url {url} clerk --session s" in done.stderr
        child = re.search(r"overwinter approve (\S+) (\S+)", done.stderr)
        assert child is not None and overwinter("approve", child[1], child[2]).exit_code == 0
        done = overwinter("chat", "clerk", "--url", url, "--session", "s", "--json", input="42\n")
        assert json.loads(done.stdout.splitlines()[-1])["result"] == "A number."
        assert "They agreed." in overwinter("show", "clerk/s").stdout
    finally:
        serving.terminate()
        serving.communicate(timeout=PATIENCE)


def test_who_says_nothing_has_begun_nothing(app: Path, overwinter: Command) -> None:
    done = overwinter("chat", "clerk", "chat_app.py", input="")
    assert done.exit_code == 0 and done.stdout == "" and "Go on" not in done.stderr
