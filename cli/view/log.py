"""What happens to an execution, an event a line: when, what, which operation, how long it took, what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.text import Text

from ...orchestrator.timeline.entry import Entry, at, error
from ...orchestrator.timeline.row import FAILED, OPEN, Row
from ...state.quantities import span
from .lines import MARKS, STYLES, complaint, left, outcome, places, right
from .text import clean
from .timeline import Timeline

SILENT = frozenset({"begun", "beat", "answered", "passed", "checkpoint"})
"""Entries that tell of nothing that a person would look for."""
SETTLED = 300  # characters of what came of it


class Log:
    """The lines of several executions; ``named``: each says of which it is."""

    def __init__(self, *, named: bool) -> None:
        self._named = named
        self._folds: dict[str, Timeline] = {}

    def take(self, execution: str, number: int, entry: Entry) -> list[Event]:
        """The events of an entry, in order."""
        fold = self._folds.setdefault(execution, Timeline())
        rows = fold.add(number, entry)
        if entry.get("type") in SILENT:
            return []
        told = [Event(execution, number, when(entry, row), row) for row in rows]
        if not rows and (row := fold.waiting.get(str(entry.get("op", "")))) is not None:
            told = [Event(execution, number, when(entry, row), row, str(entry["type"]), error(entry.get("error")))]
        return told

    def line(self, event: Event, *, now: int) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(_clock(event.at) + " ", "dim")
        if self._named:
            text.append(clean(event.execution) + " ", "bold")
        row, style = event.row, STYLES.get(event.row.kind, "")
        mark, colour = MARKS[FAILED] if event.error is not None else MARKS[row.state]
        text.append(f"{mark} ", colour)
        text.append(left(event.what, 9) + " ", style)
        text.append(left(row.op, 8) + " ", "dim")
        text.append(right("" if event.ms is None else span(event.ms), 6) + " ", "dim")
        text.append(clean(" · ".join(filter(None, (row.branch, row.name)))) or "", "bold")
        said = self._said(event, now)
        text.append_text(Text.assemble(" " if row.name else "", said))
        text.rstrip()
        return text

    def _said(self, event: Event, now: int) -> Text:
        found = event.error if event.error is not None else event.row.error
        if event.verb in ("retrying", "doubt") and found is not None:
            then = f", again in {span(max(event.row.until - event.at, 0))}" if event.row.until else ""
            words = "in doubt" if event.verb == "doubt" else f"attempt {max(event.row.attempts - 1, 1)} failed"
            return Text(f"{words}{then}: {complaint(found)}", "red")
        if found is not None:
            place = next(iter(places(found)), "")
            return Text(complaint(found) + (f"  ({place})" if place else ""), "red")
        tried = f"×{event.row.attempts} " if event.row.attempts > 1 and not event.verb else ""
        return Text.assemble((tried, "yellow"), outcome(event.row, SETTLED, now=now))


class Event:
    """One thing to tell. ``verb`` is the entry's type where the row is still open."""

    __slots__ = ("at", "error", "execution", "ms", "number", "row", "verb")

    def __init__(
        self, execution: str, number: int, at: int, row: Row, verb: str = "", failed: Entry | None = None
    ) -> None:
        self.execution = execution
        self.number = number
        self.at = at
        self.row = row
        self.verb = verb
        self.error = failed
        self.ms = None if verb or row.state == OPEN else row.ms

    @property
    def what(self) -> str:
        return self.verb if self.verb and self.verb != "ordered" else self.row.kind

    def as_json(self) -> dict[str, Any]:
        row = self.row
        found = self.error if self.error is not None else row.error
        return {
            "at": self.at,
            "execution": self.execution,
            "seq": self.number,
            "event": self.what,
            "op": row.op,
            "name": row.name,
            "branch": row.branch,
            "status": FAILED if self.error is not None else row.state,
            "ms": self.ms,
            "attempts": row.attempts,
            "until": row.until,
            "error": None if found is None else complaint(found),
            "line": None if found is None else next(iter(places(found)), None),
        }


def when(entry: Entry, row: Row) -> int:
    try:
        return at(entry)
    except (TypeError, ValueError):
        return row.at


def _clock(ms: int) -> str:
    """ "21 Nov 14:03:22.118", in the local time zone."""
    try:
        moment = datetime.fromtimestamp(ms / 1000).astimezone()
    except (OverflowError, OSError, ValueError):
        return f"{ms}ms"
    return f"{moment:%b %d %H:%M:%S}.{ms % 1000:03}"
