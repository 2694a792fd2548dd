"""The whole of ``show``: who it is, what happened, what it cost, what it waits for, and what to type next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.text import Text

from ...orchestrator.agent.keeping import kept_in
from ...orchestrator.machine.history.states import Flow
from ...orchestrator.machine.version import definition_of
from ...orchestrator.protocol.stuck import REASONS, reason
from ...orchestrator.timeline.row import DONE, WORK, Row, Turn
from ...orchestrator.workflow.takes import EVENT, events, taken, waits
from ...state.quantities import span
from ...state.records import FINAL, Head
from ..again import again
from . import doubts
from .command import command
from .condense import Gap, condense
from .example import written
from .lines import STYLES, Columns, columns, complaint, details, line, not_undone, places, proposal
from .moments import ago, clock
from .spending import spending
from .states import state_lines
from .text import clean, clean_lines, cost, counted, excerpt, shorten, tokens
from .timeline import Timeline, Totals

STATUS_STYLES = {
    "pending": "cyan",
    "running": "bold cyan",
    "waiting": "yellow",
    "in-doubt": "bold yellow",
    "idle": "green",
    "paused": "yellow",
    "stuck": "bold red",
    "completed": "green",
    "failed": "bold red",
    "cancelled": "red",
    "terminated": "red",
}
ERROR_LINES = 12
PLACES = 4  # frames of a failure that are shown; --full shows all


class Story(NamedTuple):
    """What ``show`` tells. ``earlier`` entries were not read, ``mail`` waits in the mailbox."""

    head: Head
    timeline: Timeline
    children: Sequence[Head] = ()
    mail: int = 0
    earlier: int = 0
    problem: str = ""  # of a stuck execution: what disagrees, and where
    now: int = 0
    states: Flow | None = None  # of a state machine


def tell(story: Story, width: int, *, full: bool = False, last: int = 12, bars: bool = True) -> Iterator[Text]:
    """The lines, top to bottom; ``last`` turns of a session are shown unless ``full``."""
    yield from heading(story)
    if story.states is not None:
        yield Text()
        yield from state_lines(story.states, width, story.now, full=full, bars=bars)
        yield from ending(story, width)
        return
    turns = story.timeline.turns
    hidden = 0 if full else max(len(turns) - last, 0)
    shown = [(turn, list(turn.rows) if full else condense(turn.rows)) for turn in turns[hidden:]]
    everything = [row for turn, rows in shown for row in ([turn.message] if turn.message else []) + rows]
    shape = columns(everything, width, bars=bars)
    yield Text()
    if hidden or story.earlier:
        yield _earlier(hidden, story.earlier)
    for turn, rows in shown:
        yield from turn_lines(turn, rows, shape, story, full=full)
    yield from _kept(story)
    yield from spending(story.head)
    yield from ending(story, width)


def _kept(story: Story) -> Iterator[Text]:
    """What an agent keeps, such as a to-do list."""
    kept = kept_in(story.head.state) if story.head.kind == "agent" else {}
    for row in story.timeline.rows():
        if "keeps" in row.facts and row.state == DONE:
            kept[str(row.facts["keeps"])] = str(row.value or "")
    for key, text in kept.items():
        if not text:
            continue
        yield Text()
        yield Text(clean(key), "bold")
        yield from (Text(f"  {part}") for part in clean_lines(text).splitlines())


def turn_lines(
    turn: Turn, rows: Sequence[Row | Gap], shape: Columns, story: Story, *, full: bool = False
) -> Iterator[Text]:
    """A turn: the message as its title, then its rows, with offsets from the message."""
    origin = story.head.created if story.earlier else story.timeline.started or story.head.created
    if turn.message is not None:
        origin = turn.message.at
        yield title(turn.message, shape.width, story.now)
    for row in rows:
        yield line(row, shape, origin, now=story.now)
        if full and isinstance(row, Row):
            yield from details(row)


def title(message: Row, width: int, now: int) -> Text:
    """The line that opens a turn of a session: when, from whom, what was said."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("▌", "green")
    text.append(f" {clock(message.at, now)} ", "dim")
    if message.name:
        text.append(clean(message.name) + " ", "bold")
    text.append(excerpt(message.value, max(width * 2, 80)))
    text.truncate(width, overflow="ellipsis")
    return text


def heading(story: Story) -> Iterator[Text]:
    head, now = story.head, story.now
    text = Text()
    text.append(clean(head.id), "bold")
    text.append(f" · {head.kind} ", "dim")
    text.append(clean(head.function))
    text.append(" · ", "dim")
    text.append(f"● {head.status}", STATUS_STYLES.get(head.status, ""))
    yield text
    parts = [f"began {clock(head.created, now)} ({ago(head.created, now)})"]
    if head.status in FINAL:
        parts.append(f"ended after {span(head.updated - head.created)}")
    elif head.updated != head.created:
        parts.append(f"last change {ago(head.updated, now)}")
    parts.append(counted(head.length, "entry", "entries"))
    if definition := definition_of(head.state):
        parts.append(f"definition {definition[:19]}")  # of its digest the first 12 digits
    if head.parent:
        parts.append(f"called by {clean(head.parent)}")
    yield Text(" · ".join(parts), "dim")
    if head.note:
        yield Text.assemble(("note  ", "dim"), (excerpt(head.note), "italic"))


def ending(story: Story, width: int) -> Iterator[Text]:
    """Totals, children, the error, what it waits for, and the next command."""
    yield Text()
    summed = summary(story.timeline.totals)
    if summed:
        yield Text(f"of the entries read: {summed}" if story.earlier else summed, "dim")
    yield from _children(story)
    yield from _errors(story)
    yield from _waits(story)
    for suggested in map(again, next_commands(story)):
        yield whole(("  → ", "dim"), (suggested, "bold"))


def summary(totals: Totals) -> str:
    """ "3 steps · 2 model calls · 4.1k tokens · 0.0123 · 1 retry · worked 3.4s"."""
    parts = [
        counted(count, noun, plural)
        for count, noun, plural in (
            (totals.steps, "step", ""),
            (totals.models, "model call", ""),
            (totals.tools, "tool call", ""),
            (totals.replies, "reply", "replies"),
        )
        if count
    ]
    if totals.tokens:
        parts.append(f"{tokens(totals.tokens)} tokens")
    if totals.cost:
        parts.append(f"cost {cost(totals.cost)}")
    if totals.unpriced:
        parts.append(f"{counted(totals.unpriced, 'answer')} unpriced")
    if totals.retries:
        parts.append(counted(totals.retries, "retry", "retries"))
    if totals.repairs:
        parts.append(counted(totals.repairs, "repair"))
    if totals.failed:
        parts.append(f"{totals.failed} failed")
    if totals.worked:
        parts.append(f"worked {span(totals.worked)}")
    return " · ".join(parts)


def next_commands(story: Story) -> list[str]:
    """What one would type now."""
    head = story.head
    open_rows = story.timeline.waiting.values()
    approvals = [row for row in open_rows if row.kind == "approval"]
    doubtful = [row for row in open_rows if row.facts.get("doubt")]
    if head.status == "failed":
        ends = [row.error for row in story.timeline.rows() if row.kind == "failed"]
        undone = bool(ends and ends[-1] and ends[-1].get("undone"))
        return [] if undone else [command("retry", head.id)]
    if head.status in ("stuck", "paused"):
        return [command("resume", head.id)]
    if head.status in FINAL:
        return []
    signals = [signalling(head.id, event, head.state) for event in events(head.state, head.awaits)[:3]]
    if approvals:
        some = approvals[:3]
        named = [[head.id] if len(approvals) == 1 else [head.id, row.op] for row in some]
        commands = [command("approve", *words) for words in named]
        return [*commands, command("deny", *named[0], reason="…"), *signals]
    if doubtful:
        return [doubts.ways(command("resolve", head.id, row.op)) for row in doubtful[:3]]
    asking = [child for child in story.children if child.awaits.startswith("approval")]
    if asking:
        return [command("approve", child.id) for child in asking[:3]]
    if signals:
        return signals
    if head.kind == "agent" and head.status == "idle" and "/" in head.id:
        agent, _, key = head.id.partition("/")
        return [command("invoke", agent, "…", session=key)]
    return [command("watch", head.id)] if head.status in ("running", "pending", "waiting") else []


def signalling(id: str, event: str, state: str) -> str:
    """The command that sends the event which is awaited, with data of its type when the head tells of it."""
    example = taken(state, EVENT + event)
    data = written(json.loads(example)) if example else "…"
    return command("signal", id, event, data)


def whole(*parts: tuple[str, str]) -> Text:
    """A line that is never broken: it holds a command, which is copied as it stands (``terminal.put``)."""
    return Text.assemble(*parts, no_wrap=True, overflow="ignore")


def _earlier(turns: int, entries: int) -> Text:
    parts = [counted(turns, "earlier turn")] if turns else []
    parts += [counted(entries, "earlier entry", "earlier entries") + " not read"] if entries else []
    return Text(f"  … {' and '.join(parts)} (--full shows all)", "dim")


def _children(story: Story) -> Iterator[Text]:
    for head in story.children[:10]:
        text = Text("  ↳ ", "dim")
        text.append(clean(head.id), STYLES["child"])
        text.append(f" {clean(head.function)} ", "dim")
        text.append(head.status, STATUS_STYLES.get(head.status, ""))
        if head.note or head.awaits:
            text.append(f" · {excerpt(head.note or head.awaits, 80)}", "dim")
        yield text
    if len(story.children) > 10:
        more = f"  ↳ … {len(story.children) - 10} more"
        yield whole((f"{more} ({again(command('ps', parent=story.head.id))})", "dim"))


def _errors(story: Story) -> Iterator[Text]:
    if story.head.status == "stuck":
        yield Text(f"stuck: {REASONS[reason(story.head.awaits)]}", "bold red")
        yield from (whole(("  " + part, "red")) for part in clean_lines(story.problem).splitlines()[:ERROR_LINES])
    if story.head.status != "failed":
        return
    ended = [row for row in story.timeline.rows() if row.kind == "failed"]
    if ended and ended[-1].error is not None:
        error = ended[-1].error
        at = f" in operation {clean(str(error['op']))}" if error.get("op") else ""
        yield Text(f"failed{at}: {complaint(error)}", "bold red")
        yield from (Text(f"  {place}", "red") for place in places(error)[:PLACES])
    retried = max((row.number for row in story.timeline.rows() if row.kind == "retry"), default=0)
    for row in story.timeline.rows():
        left = row.facts.get("left", ()) if row.number > retried else ()
        yield from (Text(f"not undone: {not_undone(one)}", "bold red") for one in left)


def _waits(story: Story) -> Iterator[Text]:
    head, now = story.head, story.now
    if head.status in FINAL:
        return
    for row in story.timeline.waiting.values():
        if row.facts.get("doubt"):
            yield doubts.told(row.name, row.facts, row.at, now)
            continue
        if row.kind in WORK and row.until is None:
            continue
        until = f" until {clock(row.until, now)} ({ago(row.until, now)})" if row.until else ""
        text = Text.assemble(("waiting for ", "yellow"), (_thing(row), "bold yellow"), (until, "yellow"))
        about = proposal(row.facts, row.name)
        text.append(f": {shorten(about, 200)}" if about else "")
        yield text.append(_such(head.state, f"{row.kind} {row.name}"))
    things = [] if head.status == "stuck" else waits(head.state, head.awaits)
    if story.timeline.waiting:
        things = [thing for thing in things if thing.startswith(EVENT)]  # no entry tells of those
    for thing in things:
        timed = thing == head.awaits and not story.timeline.waiting and head.wake is not None and head.wake > now
        wakes = f" (wakes {clock(head.wake, now)}, {ago(head.wake, now)})" if timed and head.wake else ""
        such = _such(head.state, thing)
        yield Text.assemble(("waiting for ", "yellow"), (clean(thing), "bold yellow"), (such + wakes, "yellow"))
    if story.mail:
        yield Text(f"{counted(story.mail, 'mail')} in the mailbox", "yellow")
    if head.deaths:
        died = "the process that ran it" if head.deaths == 1 else f"the last {head.deaths} processes that ran it"
        yield Text(f"{died} died", "bold red")
    if head.owner is None and head.wake is not None and head.wake < now - 10_000 and head.status != "paused":
        yield whole((f"due since {clock(head.wake, now)}, but no process serves it: overwinter dev FILE", "bold red"))


def _such(state: str, awaits: str) -> str:
    """What it takes, by an example."""
    example = taken(state, awaits)
    return f", such as {clean(example)}" if example else ""


def _thing(row: Row) -> str:
    name = clean(" · ".join(filter(None, (row.branch, row.name)))) or row.kind
    if row.kind == "approval":
        role = row.facts.get("role")
        return f"approval {name!r}" + (f" by {clean(str(role))}" if role else "")
    if row.kind in WORK:
        return f"another attempt of {name}"
    if row.kind == "child":
        return f"child {clean(str(row.facts.get('id', name)))}"
    return f"{row.kind} {name!r}"
