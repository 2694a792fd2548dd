"""One row of a timeline as one line of a terminal: when, what, how long, at what cost, with what result.
Columns exist only where some row has something to say, so that 80 characters suffice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from ...functions.models.reasoning import recorded
from ...orchestrator.errors import traces
from ...orchestrator.errors.groups import lone_in, said_in
from ...orchestrator.timeline.entry import Entry
from ...orchestrator.timeline.row import DROPPED, FAILED, INFO, OPEN, WORK, Row
from ...state.quantities import span
from .condense import Gap
from .moments import clock, coarse, offset
from .text import clean, cost, counted, excerpt, json_text, shorten, tokens

STYLES = {
    "step": "cyan",
    "tool": "yellow",
    "check": "yellow",
    "listed": "yellow",
    "hook": "yellow",
    "model": "magenta",
    "summary": "magenta",
    "child": "blue",
    "approval": "bold yellow",
    "callback": "bold yellow",
    "event": "green",
    "handoff": "bold blue",
    "reply": "green",
    "completed": "bold green",
    "failed": "bold red",
    "cancelled": "bold red",
    "terminated": "bold red",
}
MARKS = {"done": ("✓", "green"), FAILED: ("✗", "red"), OPEN: ("○", "yellow"), INFO: ("·", "dim"), DROPPED: ("–", "dim")}
BLOCKS = " ▏▎▍▌▋▊▉█"
RESULT_LEAST = 24
_ANSWER = frozenset({"text", "tool_calls", "refusal", "reasoning", "opaque", "usage"})
"""Fields by one of which a model's answer is known."""


class Columns(NamedTuple):
    """Widths in cells; 0: the column is not there. ``longest`` is the duration that fills a bar, in ms."""

    width: int
    op: int
    kind: int
    name: int
    bar: int
    attempts: int
    tokens: int
    cost: int
    longest: int

    def room(self) -> int:
        """What is left for the result."""
        pairs = (self.op, self.name, self.bar, self.attempts)
        fixed = 8 + 3 + self.kind + 1 + 7 + self.tokens + self.cost
        return self.width - fixed - sum(width + 1 for width in pairs if width)


def columns(rows: Iterable[Row | Gap], width: int, *, bars: bool = True) -> Columns:
    """Columns fit for these rows on a terminal of ``width``."""
    real = [row for row in rows if isinstance(row, Row)]
    kind = max((len(row.kind) for row in real), default=0)
    op = min(max((len(row.op) for row in real), default=0), 9)
    name = min(max((cell_len(_called(row)) for row in real), default=0), 18 if width < 100 else 30)
    longest = max((row.ms or 0 for row in real if row.kind in WORK), default=0)
    attempts = max((len(f"×{row.attempts}") for row in real if row.attempts > 1), default=0)
    used = any(row.usage for row in real)
    priced = any(row.usage.cost or not row.usage.priced for row in real if row.usage)
    wide = width >= 100
    bar = (10 if wide else 5) if bars and longest else 0
    shape = Columns(width, op, kind, name, bar, attempts, 6 if used else 0, 8 if priced and wide else 0, longest)
    return shape if shape.room() >= RESULT_LEAST else shape._replace(bar=0)


def line(row: Row | Gap, shape: Columns, origin: int, *, now: int) -> Text:
    """The line of a row; ``origin`` is the moment from which offsets count."""
    if isinstance(row, Gap):
        return _gap(row, shape)
    mark, mark_style = MARKS[row.state]
    faint = row.state in (INFO, DROPPED)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(right(offset(row.at - origin), 8), "dim")
    text.append(f" {mark} ", mark_style)
    if shape.op:
        text.append(left(row.op, shape.op) + " ", "dim")
    text.append(left(row.kind, shape.kind) + " ", STYLES.get(row.kind, "dim" if faint else ""))
    if shape.name:
        text.append(left(_called(row), shape.name) + " ", "dim" if faint else "bold")
    text.append(right(_took(row, now), 6) + " ", "dim" if row.kind not in WORK else "")
    if shape.bar:
        text.append(_bar(row, shape) + " ", STYLES.get(row.kind, "dim"))
    if shape.attempts:
        text.append(left(f"×{row.attempts}" if row.attempts > 1 else "", shape.attempts) + " ", "yellow")
    if shape.tokens:
        text.append(right(tokens(row.usage.tokens) if row.usage else "", shape.tokens - 1) + " ", "dim")
    if shape.cost:
        text.append(right(_cost(row), shape.cost - 1) + " ", "dim")
    text.append_text(outcome(row, max(shape.width - text.cell_len, 0), now=now))
    text.rstrip()
    return text


def _called(row: Row) -> str:
    """Its name, with that of the branch it lies in: "air · book"."""
    return clean(" · ".join(filter(None, (row.branch, row.name))))


def _cost(row: Row) -> str:
    """ "0.0031", "?" when nobody knows, "0.0031+" when some of it."""
    used = row.usage
    if used is None or used.priced:
        return "" if used is None else cost(used.cost)
    return f"{cost(used.cost)}+" if used.cost else "?"


def outcome(row: Row, room: int, *, now: int) -> Text:
    """What came of it, in one line of at most ``room`` cells."""
    if row.state == OPEN:
        said, style = _open(row, now), "yellow"
    elif row.error is not None:
        said, style = _complaint_and_place(row.error, room), "red"
    elif row.kind == "approval":
        said, style = _decision(row), "red" if row.state == FAILED else "green"
    elif row.state == DROPPED:
        said, style = "not needed any more", "dim"
    else:
        said, style = _value(row), ""
    return Text(cut(said, room), style)


def complaint(error: Entry) -> str:
    """ "ValueError: no such order", on one line. See ``orchestrator.groups`` for groups."""
    return excerpt(said_in(error))


def _complaint_and_place(error: Entry, room: int) -> str:
    """With the place, where there is room for both."""
    said, place = complaint(error), next(iter(places(error)), "")
    left = room - cell_len(place) - 4
    return f"{cut(said, left)}  ({place})" if place and left >= min(cell_len(said), 30) else said


def places(error: Entry) -> list[str]:
    """Where it came from, "shop.py:31 in refund", the innermost first."""
    frames = reversed(traces.read(lone_in(error).get("trace")) or traces.read(error.get("trace")))
    return [clean(f"{file}:{line} in {function}") for file, line, function in frames]


def details(row: Row) -> list[Text]:
    """Everything recorded, as indented JSON under a row (``--full``)."""
    found: list[Text] = []
    facts = {key: value for key, value in row.facts.items() if value is not None}
    for title, value in (("value", row.value), ("error", row.error), ("about", facts or None)):
        if value is None:
            continue
        lines = json_text(value, indent=2).splitlines()
        if len(lines) == 1:
            found.append(Text(f"{'':9}{title}  {lines[0]}", "dim"))
        else:
            found.append(Text(f"{'':9}{title}", "dim"))
            found.extend(Text(f"{'':11}{part}", "dim") for part in lines)
    return found


def _took(row: Row, now: int) -> str:
    if row.ms is not None:
        return span(row.ms)
    return coarse(now - row.at) + "…" if row.state == OPEN and now > row.at else ""


def _bar(row: Row, shape: Columns) -> str:
    if row.kind not in WORK:
        return " " * shape.bar
    eighths = round((row.ms or 0) / max(shape.longest, 1) * shape.bar * 8)
    full, rest = divmod(max(eighths, 1 if row.ms is not None else 0), 8)
    return (BLOCKS[8] * full + (BLOCKS[rest] if rest else "")).ljust(shape.bar)


def _open(row: Row, now: int) -> str:
    if row.kind in WORK:
        if row.error is not None:
            again = f"again {_when(row.until, now)}" if row.until else "again"
            return f"{counted(row.attempts - 1, 'attempt')} failed, {again}: {complaint(row.error)}"
        if row.facts.get("away"):
            return f"was accepted elsewhere, asked about again {_when(row.until, now)}"
        return "has begun" if row.facts.get("begun") else "runs"
    if row.kind == "child":
        return f"runs as {clean(str(row.facts.get('id', '')))}"
    until = f" until {_when(row.until, now)}" if row.until else ""
    return f"waits for {_whom(row)}{until}" + (f" · {about}" if (about := proposal(row.facts, row.name)) else "")


def doubted(facts: Entry) -> str:
    """The call that is in doubt: its name and arguments."""
    return clean(f"{facts.get('name', '')}({_arguments(facts.get('arguments'))})")


def not_undone(left: Entry) -> str:
    """A call of a saga that could not be undone: with what, under which key, what was to undo it, and why not."""
    key = f", key {clean(str(left['key']))}" if left.get("key") else ""
    return f"{doubted(left)}{key}, by {clean(str(left.get('undo', '')))}: {excerpt(left.get('why'), 300)}"


def proposal(facts: Entry, name: str) -> str:
    """What a person is asked to decide: a tool call of an agent, or what a workflow shows with its question."""
    what, data = facts.get("what"), facts.get("data")
    if isinstance(what, dict):
        call = cast("Entry", what)
        return clean(f"{call.get('tool', name)}({_arguments(call.get('arguments'))})")
    parts = [excerpt(what)] if what and what != name else []
    return " · ".join([*parts, excerpt(data)] if data is not None else parts)


def _whom(row: Row) -> str:
    if row.kind != "approval":
        return "an outside system"
    role = row.facts.get("role")
    return clean(str(role)) if role else "a person"


def _when(at: int | None, now: int) -> str:
    if at is None:
        return ""
    return f"{clock(at, now)} (in {coarse(at - now)})" if at > now else f"{clock(at, now)} (overdue)"


def _decision(row: Row) -> str:
    if row.facts.get("late"):
        return "nobody decided in time"
    said = "approved" if row.facts.get("approved") else "denied"
    by, reason = row.facts.get("by"), row.facts.get("reason")
    edit = f", with {row.facts['edit']}" if row.facts.get("edit") else ""
    return said + (f" by {clean(str(by))}" if by else "") + edit + (f": {excerpt(reason)}" if reason else "")


def _answer(value: Any) -> str:
    """A model's answer: what it said, and which tools it asked for."""
    if not isinstance(value, dict) or not value.keys() & _ANSWER:
        return excerpt(value)
    answer = cast("Entry", value)
    said = [excerpt(answer["text"])] if answer.get("text") else []
    calls = answer.get("tool_calls")
    asked_for = cast("Sequence[Any]", calls) if isinstance(calls, list) else ()
    for call in asked_for:
        asked = cast("Entry", call) if isinstance(call, dict) else {}
        said.append(clean(f"→ {asked.get('name')}({_arguments(asked.get('arguments'))})"))
    if answer.get("refusal"):
        said.append(f"refused: {excerpt(answer['refusal'])}")
    found = " ".join(said) or "an empty answer"
    return f"{found} ({len(reasoning):,} characters of reasoning)" if (reasoning := recorded(answer)) else found


def _arguments(value: Any) -> str:
    return shorten(value if isinstance(value, str) else json_text(value), 120) if value else ""


def _value(row: Row) -> str:
    if row.kind == "model" or (row.kind == "summary" and row.value is not None and not isinstance(row.value, str)):
        return _answer(row.value)
    if row.kind == "timer":
        return str(row.value or "the time was up")
    said = [excerpt(row.value)] if row.value is not None else []
    if row.kind not in ("child", "message"):
        by, reason = row.facts.get("by"), row.facts.get("reason")
        said += [f"by {clean(str(by))}"] if by else []
        said += [excerpt(reason)] if reason else []
    elif row.kind == "child" and not said and row.facts.get("id"):
        said = [clean(str(row.facts["id"]))]
    said += ["as recorded"] if row.facts.get("recorded") is not None else []
    if row.facts.get("late"):
        said = ["too late"]
    return " · ".join(said)


def _gap(gap: Gap, shape: Columns) -> Text:
    plural = (
        gap.kind if gap.kind.endswith("s") else {"reply": "replies", "child": "children"}.get(gap.kind, gap.kind + "s")
    )
    lead = " " * (12 + (shape.op + 1 if shape.op else 0))
    between = span(gap.shortest) if gap.shortest == gap.longest else f"{span(gap.shortest)} to {span(gap.longest)}"
    return Text(f"{lead}… {counted(gap.hidden, 'more ' + gap.kind, 'more ' + plural)}, {between} each", "dim")


def left(text: str, width: int) -> str:
    """Exactly ``width`` cells, from the left."""
    return set_cell_size(text if cell_len(text) <= width else cut(text, width), width)


def right(text: str, width: int) -> str:
    """At least ``width`` cells, to the right."""
    return " " * max(width - cell_len(text), 0) + text


def cut(text: str, room: int) -> str:
    """At most ``room`` cells, with an ellipsis when something was cut."""
    if cell_len(text) <= room:
        return text
    return set_cell_size(text, max(room - 1, 0)).rstrip() + "…" if room > 0 else ""
