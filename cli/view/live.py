"""An execution as it happens: settled rows stay on the screen, below them one living line tells the status.
Without a terminal only the rows are printed.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from ...orchestrator.timeline.entry import Entry
from ...orchestrator.timeline.row import WORK, Row
from ...state.records import Head
from ..again import again, gone
from .command import command
from .lines import Columns, line
from .moments import coarse, now
from .story import STATUS_STYLES, summary, title, whole
from .terminal import put
from .text import clean, excerpt
from .timeline import Timeline


class Display(AbstractContextManager["Display"]):
    """``take`` news while the context is open. Columns are fixed, since the rows to come are unknown."""

    def __init__(self, out: Console, *, quiet: bool = False) -> None:
        self.timeline = Timeline()
        self._out = out
        self._quiet = quiet
        self._announced: set[str] = set()
        self._origin: int | None = None
        wide = out.width >= 100
        bar = (8 if wide else 5) if out.is_terminal and out.width >= 70 else 0
        self._shape = Columns(out.width, 7, 9, 26 if wide else 16, bar, 3, 6, 0, 1)
        self._spinner = Spinner("dots", Text(""))
        self._live = Live(self._spinner, console=out, transient=True, refresh_per_second=10)

    def __enter__(self) -> Display:
        if self._out.is_terminal and not self._quiet:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def take(self, entries: list[tuple[int, Entry]], head: Head) -> None:
        """Print what is settled and bring the living line up to date."""
        for number, entry in entries:
            for row in self.timeline.add(number, entry):
                self._print(row)
        self._announce(head)
        self._spinner.update(text=self._status(head))

    def _announce(self, head: Head) -> None:
        """Say once how to decide what waits for a person."""
        for row in list(self.timeline.waiting.values()):
            if row.kind == "approval" and row.op not in self._announced:
                self._announced.add(row.op)
                self._print(row)
                if not self._quiet and not gone():
                    put(self._out, whole(("  → ", "dim"), (again(command("approve", head.id, row.op)), "bold")))

    def _print(self, row: Row) -> None:
        if self._quiet:
            return
        if self._origin is None or row.kind == "message":
            self._origin = row.at
        if row.kind == "message":
            self._out.print(title(row, self._out.width, now()))
            return
        if row.ms is not None and row.kind in WORK:
            self._shape = self._shape._replace(longest=max(self._shape.longest, row.ms))
        self._out.print(line(row, self._shape, self._origin, now=now()))

    def _status(self, head: Head) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{clean(head.id)} ", "bold")
        text.append(head.status, STATUS_STYLES.get(head.status, ""))
        if head.awaits:
            text.append(f" · {excerpt(head.awaits, 60)}", "yellow")
        if head.note:
            text.append(f" · {excerpt(head.note, 60)}", "italic")
        text.append(f" · {coarse(max(now() - head.created, 0))}", "dim")
        summed = summary(self.timeline.totals)
        text.append(f" · {summed}" if summed else "", "dim")
        return text
