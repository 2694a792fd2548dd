"""The rows of a workflow, an agent or a tool: those of the fold, a turn for each message of a session, and what is
waited for without an entry that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...state.records import FINAL, Head
from ..workflow.takes import EVENT, waits
from .bar import IN_DOUBT, TURN, Bar, error_text, line_of
from .fold import Fold
from .row import DONE, DROPPED, FAILED, INFO, OPEN, WORK, Row, Turn
from .tree import path_of

WAITS = frozenset({"approval", "callback", "event", "sleep"})
CUT_OFF = "cut-off"
_TIMED = {"sleep": "sleep", "timer": "sleep", "event": "event", "callback": "callback", "approval": "approval"}
"""Kinds of timers behind which an operation stands that has no other entry."""


def plain(fold: Fold, head: Head, first: int) -> list[Bar]:
    """Rows without an order, their begins not yet guessed."""
    turns = _Turns(fold.turns, first)
    bars: list[Bar] = []
    for row in fold.rows():
        if row.kind == "message":
            bars.append(turns.bar(row))
        elif row.kind != "reply" or not turns.answers(row):
            bars.append(bar_of(row))
    _await(bars)
    if head.status not in FINAL:
        bars += _open(head, bars)
    elif head.status == "terminated" and head.kind == "workflow":
        bars += _cut_off(bars)
    return bars


def bar_of(row: Row) -> Bar:
    """A row as it stands in the journal."""
    kind = _TIMED.get(row.what, row.kind) if row.kind == "timer" else row.kind
    timed = row.kind == "timer" and kind != "timer"
    used = row.usage
    bar = Bar(row.op, kind, row.name, row.at, row.end, row.state, row.branch, entry=row.number)
    if row.facts.get("doubt"):
        bar.status, bar.wait = IN_DOUBT, True
    elif timed:
        bar.status, bar.guessed = DONE if kind == "sleep" else FAILED, True
    bar.wait = bar.wait or (kind in WAITS and row.state != INFO) or timed
    if kind == "sleep" and row.what == "timer":
        bar.name = ""  # asyncio's
    bar.guessed = bar.guessed or not row.sure
    bar.until = row.until if row.state == OPEN else None
    bar.tried, bar.attempts = row.attempts, row.tries if len(row.tries) > 1 or row.attempts > 1 else ()
    bar.child = str(row.facts.get("id") or "") if row.kind == "child" else ""
    bar.error, bar.line = error_text(row.error), line_of(row.error)
    if used is not None:
        bar.tokens, bar.cost = used.tokens, used.cost if used.priced or used.cost else None
    return bar


class _Turns:
    """A session's turns: ``t3`` is the third message, from its coming to the answer."""

    def __init__(self, turns: Sequence[Turn], first: int) -> None:
        messages = [turn.message for turn in turns if turn.message is not None]
        before = 0 if first <= 1 else _before(turns, len(messages))
        self._ops = {id(message): f"t{number}" for number, message in enumerate(messages, before + 1)}
        self._of = {str(message.facts.get("id")): message for message in messages}
        self._replies = {row.to: row for turn in turns for row in turn.rows if row.kind == "reply"}

    def answers(self, reply: Row) -> bool:
        """Whether a row of ``bar`` tells of it."""
        return reply.to in self._of

    def bar(self, message: Row) -> Bar:
        op, reply = self._ops[id(message)], self._replies.get(str(message.facts.get("id")))
        bar = Bar(op, TURN, message.name, message.at, None, OPEN, entry=message.number)
        if reply is not None:
            bar.end, bar.status, bar.entry = max(reply.at, message.at), reply.state, reply.number
            bar.error, bar.line = error_text(reply.error), line_of(reply.error)
        return bar


def _before(turns: Sequence[Turn], messages: int) -> int:
    """How many messages came before the first one that was read: by the first operation after one."""
    seen = 0
    for turn in turns:
        seen += turn.message is not None
        for row in turn.rows:
            part = path_of(row.op)[0] if row.op else ""
            if seen and part.startswith("t") and part[1:].isdigit():
                return max(int(part[1:]) - seen, 0)
    return 0


def _await(bars: list[Bar]) -> None:
    """An event that came while nothing ran was waited for: from what happened before it on."""
    work = sorted((bar.begin, bar.end) for bar in bars if bar.end is not None and bar.kind in WORK)
    moments = sorted({bar.end for bar in bars if bar.end is not None} | {bar.begin for bar in bars})
    reached, at = 0, 0
    running: list[int] = []
    for bar in sorted((bar for bar in bars if bar.kind == "event" and bar.status == INFO), key=lambda bar: bar.begin):
        while at < len(work) and work[at][0] < bar.begin:
            running.append(work[at][1] or 0)
            at += 1
        running = [end for end in running if end > bar.begin]
        while reached + 1 < len(moments) and moments[reached + 1] < bar.begin:
            reached += 1
        if not running and moments[reached] < bar.begin:
            bar.begin, bar.end, bar.status, bar.wait, bar.guessed = moments[reached], bar.begin, DONE, True, True


def _open(head: Head, bars: Sequence[Bar]) -> Iterator[Bar]:
    """What the head says is waited for, and no entry tells of."""
    told = {f"{bar.kind} {bar.name}" for bar in bars if bar.open}
    if head.status == "paused":
        yield Bar("", "paused", "", head.updated, None, OPEN, wait=True, guessed=True)
    if head.kind != "workflow" or head.status == "stuck":
        return
    for thing in waits(head.state, head.awaits):
        kind, _, name = thing.partition(" ")
        if thing.startswith(EVENT) and thing not in told:
            yield Bar("", "event", name, head.updated, None, OPEN, wait=True, guessed=True)
        elif kind == "timer" and name.startswith("until"):
            yield Bar("", "sleep", "", head.updated, None, OPEN, wait=True, until=head.wake, guessed=True)


def _cut_off(bars: Sequence[Bar]) -> Iterator[Bar]:
    """What was under way when it was terminated, where no entry tells what that was: a sleep, the wait for an event, or
    a step in this process."""
    last = max((bar.begin for bar in bars if bar.kind == "terminated"), default=None)
    if last is None or any(bar.status == DROPPED for bar in bars):
        return
    before = max((bar.end or bar.begin for bar in bars if bar.kind != "terminated"), default=last)
    if before < last:
        yield Bar("", CUT_OFF, "", before, last, DROPPED, wait=True, guessed=True)


def end(bars: Sequence[Bar], head: Head, now: int) -> int:
    """When the execution ended, or now. What was open then, like a message without an answer, ended with it."""
    last = max((bar.end or bar.begin for bar in bars), default=head.created)
    if head.status in FINAL:
        for bar in bars:
            if bar.end is None:
                bar.end, bar.status = last, DROPPED if bar.status == OPEN else bar.status
        return last
    for bar in bars:
        if bar.status == DROPPED and bar.end is None:
            bar.end = last
    return max(now, last)
