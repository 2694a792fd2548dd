"""An execution's events as they are read: what the model says goes to stdout, everything else to stderr, a line each.

On a terminal the words appear as they are said, and a line tells when an answer begins anew. In a pipe an answer is
written when it is whole, so that nothing has to be taken back.
"""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from ...orchestrator.protocol.media import said
from ..again import again, gone
from .command import command
from .lines import complaint
from .moments import ago, now
from .text import clean, clean_lines, excerpt, json_text

_QUOTED = 200


class Speech:
    """Writes the events of one execution. ``messages``: what is asked is shown too."""

    def __init__(self, out: Console, id: str, *, live: bool, messages: bool = False) -> None:
        self._out = out
        self._id = id
        self._live = live
        self._messages = messages
        self._held: list[str] = []  # pieces of the answer that is being said
        self._open = False  # the line on stdout has not ended
        self._thinking = False
        self._said = ""  # the last whole answer

    def take(self, kind: str, data: dict[str, Any]) -> None:
        """Show one event; kinds that say nothing to people are passed over."""
        show = getattr(self, f"on_{kind}", None)
        if show is not None:
            show(data)

    def over(self) -> None:
        """Nothing more is shown."""
        self._end()

    def result(self, value: Any) -> None:
        """The outcome, unless it has just been said."""
        self._end()
        if not (isinstance(value, str) and value == self._said):
            click.echo(clean_lines(value) if isinstance(value, str) else json_text(value, indent=2))

    def failed(self, data: dict[str, Any]) -> None:
        """The outcome is an error."""
        self._line("✗", "red", f"{data.get('status', 'failed')}: {complaint(data.get('error') or {})}", "red")

    # -- answers -------------------------------------------------------------------------------------

    def on_text(self, data: dict[str, Any]) -> None:
        if self._thinking:
            self._thinking = False
            self._out.print()
        self._held.append(str(data["text"]))
        if self._live:
            self._write(str(data["text"]))

    def on_reasoning(self, data: dict[str, Any]) -> None:
        if self._live:
            self._end()
            self._thinking = True
            self._out.print(Text(_words(str(data["text"])), "dim italic"), end="", soft_wrap=True)

    def on_reset(self, data: dict[str, Any]) -> None:
        begun, self._held = bool(self._held), []
        if self._live and begun:
            anew = f"the answer begins anew (attempt {data.get('attempt', '?')})"
            self._line("↻", "yellow", "the answer broke off" if data.get("failed") else anew, "yellow")

    def on_answer(self, data: dict[str, Any]) -> None:
        self._said, self._held = "".join(self._held), []
        if self._said and not self._live:
            click.echo(clean_lines(self._said))
        self._end()

    # -- what goes on beside -------------------------------------------------------------------------

    def on_message(self, data: dict[str, Any]) -> None:
        if self._messages and data.get("content") is not None:
            self._line(">", "bold cyan", excerpt(said(data["content"]), _QUOTED), "bold")

    def on_tool_call(self, data: dict[str, Any]) -> None:
        self._line("→", "cyan", f"{data.get('name', '')}({json_text(data.get('arguments'))})", "")

    def on_observation(self, data: dict[str, Any]) -> None:
        name = f"{data['name']}  " if data.get("name") else ""
        if "error" in data:
            self._line("✗", "red", f"{name}{complaint(data['error'])}", "red")
        else:
            self._line("✓", "green", f"{name}{excerpt(data.get('result'), _QUOTED)}", "dim")

    def on_step(self, data: dict[str, Any]) -> None:
        self.on_observation({**data, "result": f"{data.get('ms', 0)} ms"})

    def on_approval(self, data: dict[str, Any]) -> None:
        what = f"{data.get('name', '')} {json_text(data.get('arguments'))} waits for approval"
        self._line("?", "yellow", what, "yellow")
        if not gone():
            self._out.print(Text(f"  {again(command('approve', self._id, str(data['op'])))}", "bold"), soft_wrap=True)

    def on_decided(self, data: dict[str, Any]) -> None:
        by = f" by {data['by']}" if data.get("by") else ""
        self._line("·", "dim", f"{'approved' if data.get('approved') else 'denied'}{by}", "dim")

    def on_retrying(self, data: dict[str, Any]) -> None:
        when = f"; again {ago(int(data['until']), now())}" if data.get("until") else ""
        self._line("↻", "yellow", f"{data.get('name', '')}: {complaint(data['error'])}{when}", "yellow")

    def on_routed(self, data: dict[str, Any]) -> None:
        self._line("·", "dim", f"{data.get('model', '')}: {data.get('why', '')}", "dim")

    def on_handoff(self, data: dict[str, Any]) -> None:
        why = f": {data['why']}" if data.get("why") else ""
        self._line("⇒", "bold blue", f"{data.get('from', '')} hands over to {data.get('agent', '')}{why}", "bold")

    def on_status(self, data: dict[str, Any]) -> None:
        self._line("·", "dim", str(data.get("status", "")), "dim")

    # -- lines ---------------------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        sys.stdout.write(_words(text))
        sys.stdout.flush()
        self._open = not text.endswith("\n")

    def _end(self) -> None:
        """Whatever line is open ends."""
        if self._thinking:
            self._thinking = False
            self._out.print()
        if self._open:
            self._open = False
            sys.stdout.write("\n")
            sys.stdout.flush()

    def _line(self, mark: str, mark_style: str, said: str, style: str) -> None:
        self._end()
        line = Text.assemble("  ", (f"{mark} ", mark_style), (clean(said), style))
        self._out.print(line, soft_wrap=not self._out.is_terminal)


def _words(text: str) -> str:
    """Safe, with its line breaks, also at its end."""
    return "\n".join(clean(line) for line in text.split("\n"))
