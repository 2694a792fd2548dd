"""A conversation as it is shown: what the agent does while it is asked goes to stderr, one line each as it happens, and
what it answers to stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import click
from rich.console import Console
from rich.status import Status
from rich.text import Text

from ...orchestrator.timeline.entry import Entry
from ...orchestrator.timeline.row import WORK, Row
from ...state.quantities import span
from .lines import MARKS, complaint, outcome, proposal
from .moments import ago, now
from .text import clean, clean_lines, excerpt, json_text
from .timeline import Timeline

INDENT = "  "


class Talk:
    """``quiet``: programs read, and only answers are written."""

    def __init__(self, out: Console, *, quiet: bool) -> None:
        self._out = out
        self._quiet = quiet
        self._timeline = Timeline()
        self._told: set[tuple[str, int]] = set()
        self._status = Status("", console=out, spinner="dots")
        self._turning = False

    def take(self, number: int, entry: Entry) -> None:
        """Show what an entry settles, and which attempt failed."""
        rows = self._timeline.add(number, entry)
        if self._quiet:
            return
        for row in rows:
            self._row(row)
        for row in self._timeline.waiting.values():
            if row.kind in WORK and row.error is not None and (row.op, row.attempts) not in self._told:
                self._told.add((row.op, row.attempts))
                again = f"; again {ago(row.until, now())}" if row.until else ""
                self._line("↻", "yellow", f"{row.name}: {complaint(row.error)}{again}", "yellow")

    def _row(self, row: Row) -> None:
        if row.kind == "model" and row.error is None:
            self._said(row.value)
        elif row.kind in ("tool", "approval", "child"):  # a model that fails is the answer, told below
            mark, style = MARKS[row.state]
            took = f" {span(row.ms)}" if row.ms is not None and row.kind in WORK else ""
            came = outcome(row, max(self._out.width - len(row.name) - len(took) - 8, 20), now=now())
            self._line(mark, style, f"{row.name or row.kind}{took}  {came.plain}", came.style or "dim")
        elif row.kind == "observed":
            self._line("!", "yellow", f"{row.name}: {excerpt(row.value, 200)}", "yellow")

    def _said(self, value: Any) -> None:
        """Which tools the model asks for, and what it says meanwhile. Its last word is the answer."""
        answer = cast("Entry", value) if isinstance(value, dict) else {}
        calls = cast("Sequence[Entry]", answer.get("tool_calls") or ())
        if calls and answer.get("text"):
            self._line("·", "dim", excerpt(answer["text"], 400), "dim")
        for call in calls:
            about = proposal({"what": {"tool": call.get("name"), "arguments": call.get("arguments")}}, "")
            self._line("→", "cyan", about, "")

    def _line(self, mark: str, mark_style: str, said: str, style: Any) -> None:
        line = Text.assemble(INDENT, (f"{mark} ", mark_style), (clean(said), style))
        self._out.print(line, soft_wrap=not self._out.is_terminal)

    def note(self, sentence: str, style: str = "dim") -> None:
        """A line about the conversation."""
        from .terminal import say

        if not self._quiet:
            self.still()
            say(sentence, style=style)

    def prompt(self, words: str) -> None:
        self.still()
        self._out.print(Text(words, "bold cyan"), end="")

    def gap(self) -> None:
        """What was typed ends without a line break of its own."""
        self._out.print()

    def waits(self, what: str) -> None:
        """A living line while nothing else is shown."""
        if self._out.is_terminal and not self._quiet:
            self._status.update(Text(f"{clean(what)} …", "dim"))
            self._status.start()

    def still(self) -> None:
        self._status.stop()

    def question(self, execution: str, approval: Entry) -> None:
        """What is to be decided, before it is asked."""
        self.still()
        name = clean(str(approval.get("name") or approval.get("what") or "the request"))
        about = proposal(approval, name)
        about = about if about.startswith(name) else f"{name}: {about}" if about else name
        role = f" by {clean(str(approval['role']))}" if approval.get("role") else ""
        until = f" · expires {ago(int(approval['until']), now())}" if approval.get("until") else ""
        head = Text.assemble(INDENT, ("? ", "yellow"), (about, "bold yellow"))
        self._out.print(head, soft_wrap=not self._out.is_terminal)
        self._out.print(Text(f"{INDENT}  waits for an approval{role}{until} · {clean(execution)}", "dim"))

    def answer(self, value: Any) -> None:
        self.still()
        click.echo(clean_lines(value) if isinstance(value, str) else json_text(value, indent=2))

    def failed(self, error: Entry) -> None:
        self.still()
        self._out.print(Text(f"{INDENT}✗ {complaint(error)}", "red"), soft_wrap=True)
