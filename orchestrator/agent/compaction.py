"""What becomes of a conversation that has outgrown its window: what leaves it, and what stands in its place.

The agent names the ways (``Compactor``), tried in their order before a model call that does not fit: long results of
tools are shortened, whole groups leave, with or without a summary. What was done is a ``compacted`` entry, so a replay
or another process reads it and decides nothing again. What it names is outside, and stays in the journal.

A group is a past turn, or an answer of the current turn with the results of all its calls. It leaves whole, so a call
never stands without its result. What the current turn is about and its last answer stay, whatever is asked.

A summary is made by a call of its own (``tn.mk.c1``), recorded as ``summary`` with what it covers; one that fails, is
empty or no shorter than what it stands for changes nothing, and the next way is tried. Pure, but for that call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from ..protocol.decider import Fact, Invoke
from .answer import read
from .conversation import Message, Thread, Weight, heaviness
from .leaving import Compactor, Leaving
from .spec import AgentSpec
from .turn import Turn

LONGEST = 32 * 1024
"""Characters of a summary that are taken."""

_MARGIN = 200
"""Characters that a result must be longer than what would be left of it: telling of the rest takes some."""


class _Span(NamedTuple):
    """The groups that are to leave: all up to a turn, or up to an answer of the current turn."""

    covers: Fact  # {"turns": n} or {"steps": n}
    leaving: Leaving


class Compaction:
    """Of the conversations of one agent."""

    __slots__ = ("_spec",)

    def __init__(self, spec: AgentSpec) -> None:
        self._spec = spec

    def due(self, thread: Thread, turn: Turn, affords: Callable[[Invoke], bool]) -> Fact | Invoke | None:
        """The entry or the call that must come before the model is asked; None when it may be. A call for a summary
        that nobody ``affords`` is not made, and the next way is tried."""
        if turn.folded is not None:
            return _summed(thread, turn, turn.folded)
        if not self._spec.compactors:
            return None
        weight = thread.weight.plus(turn.weigh(thread.window))
        why = thread.window.over(weight)
        if not why:
            return None
        for number, way in enumerate(self._spec.compactors):
            found = self._cut(thread, turn, way) if way.keep else self._left(thread, turn, number, way, weight)
            if isinstance(found, Invoke):
                if affords(found):
                    return found
                continue
            if found is not None:
                return {"type": "compacted", "op": turn.thinking(), "name": way.name, "why": why, **found}
        return None

    def _cut(self, thread: Thread, turn: Turn, way: Compactor) -> Fact | None:
        """What there is to shorten: all long results but those that the model has not read yet."""
        begin = turn.steps[-1][1] if turn.steps else len(turn.messages)
        read_before = [message for _, past in thread.past() for message in past.messages] + turn.messages[:begin]
        long = [m.entry for m in read_before if m.entry and len(m.content) > way.keep + _MARGIN]
        return {"shortened": sorted(long), "keep": way.keep} if long else None

    def _left(self, thread: Thread, turn: Turn, number: int, way: Compactor, weight: Weight) -> Fact | Invoke | None:
        span = _span(thread, turn, way.part, weight)
        if span is None:
            return None
        call = way.call(span.leaving)
        if call is None:
            return {**span.covers, **_kept_summary(thread, turn, span.covers)}
        covers = {"way": number, **span.covers}
        which = _which(covers)
        if which in turn.tried or which in turn.spoilt:
            return None
        return Invoke(turn.summarizing(), way.asks, "summary", call, way.threaded, way.policy, covers)


def apply(entry: Fact, thread: Thread, turn: Turn | None) -> None:
    """Take in a ``compacted`` entry. Said twice, or of what is outside already, it changes nothing."""
    summary = str(entry.get("summary", ""))
    if (turns := entry.get("turns")) is not None:
        thread.leave(turns, summary)
    if turn is None:
        return
    turn.folded = None
    if "said" in entry and turn.tried:  # a process that reads no more of what was summarized can't judge that
        turn.spoilt.discard(turn.tried[-1])
    if (steps := entry.get("steps")) is not None:
        turn.leave(steps, summary)
    if shortened := entry.get("shortened"):
        entries, keep = frozenset(cast("list[int]", shortened)), int(entry.get("keep", 0))
        thread.cut(entries, keep)
        turn.cut(entries, keep)


def noted(fact: Fact, thread: Thread, turn: Turn) -> None:
    """Take in a ``summary``. One of no use is not asked for again in this turn."""
    turn.tried.append(_which(fact))
    if _usable(fact, thread, turn):
        turn.folded = fact
    else:
        turn.spoilt.add(_which(fact))


def _which(fact: Fact) -> str:
    """Which way was to summarize what. The turn's answers are summarized again when there are more of them."""
    return f"{fact.get('way')} {'turns' if 'turns' in fact else 'steps'}"


def _span(thread: Thread, turn: Turn, part: float, weight: Weight) -> _Span | None:
    """What must leave so that the rest fits into that part of the window: past turns first, oldest first."""
    gone: list[Message] = []
    last = 0
    for number, past in thread.past():
        if thread.window.holds(weight, part):
            break
        weight, last = weight.minus(past.weight), number
        gone += past.messages
    if last:
        return _Span({"turns": last}, Leaving(tuple(gone), thread.summary))
    ends = [place for _, place in turn.steps[1:]]
    begin = turn.steps[0][1] if turn.steps else 0
    for (number, place), end in zip(turn.steps, ends, strict=False):
        if thread.window.holds(weight, part):
            break
        messages = turn.messages[place:end]
        for message in messages:
            weight = weight.minus(thread.window.weigh(message))
        last, gone = number, turn.messages[begin:end]
    return _Span({"steps": last}, Leaving(tuple(gone), turn.summary)) if last else None


def _kept_summary(thread: Thread, turn: Turn, covers: Fact) -> Fact:
    """What goes along with groups that leave without a summary of their own: the one of those before them. Each entry
    that moves the window has it, so that nothing before the window need be read for it."""
    summary = thread.summary if "turns" in covers else turn.summary
    return {"summary": summary} if summary else {}


def _usable(fact: Fact, thread: Thread, turn: Turn) -> bool:
    covers = _covers(fact)
    text = _text(fact.get("value")) if "error" not in fact else ""
    return bool(text and covers) and len(text) < _length(thread, turn, covers)


def _summed(thread: Thread, turn: Turn, fact: Fact) -> Fact:
    """The entry that a summary becomes."""
    why = thread.window.over(thread.weight.plus(turn.weigh(thread.window)))
    entry: Fact = {"type": "compacted", "op": turn.thinking(), "name": fact.get("name", ""), "why": why}
    return {**entry, **_covers(fact), "said": fact["op"], "summary": _text(fact.get("value"))}


def _covers(fact: Fact) -> Fact:
    return {name: fact[name] for name in ("turns", "steps") if name in fact}


def _length(thread: Thread, turn: Turn, covers: Fact) -> int:
    """Characters of what a summary stands for, the one before it included."""
    if "turns" in covers:
        gone = [past.weight.characters for number, past in thread.past() if number <= covers["turns"]]
        return sum(gone) + len(thread.summary)
    stay = [place for number, place in turn.steps if number > covers["steps"]]
    return heaviness(thread.window, turn.messages[1 : stay[0] if stay else len(turn.messages)]).characters


def _text(value: Any) -> str:
    """What was summarized: the words of a model, or of a function."""
    if isinstance(value, str):
        return value.strip()[:LONGEST]
    if not isinstance(value, dict):
        return ""
    reading = read(cast("dict[str, Any]", value), "")
    usable = not (reading.calls or reading.cut or reading.refusal or reading.malformed)
    return reading.text.strip()[:LONGEST] if usable else ""
