"""The conversation as the model sees it: messages, and the window of past turns that is kept.

Nothing here is stored. The journal is the conversation; this is what it reads like. Past turns leave the
window whole, oldest first, so a tool's result never stands without the call that asked for it. They leave at the end
of a turn, or as a ``compacted`` entry says (``compaction``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple, Protocol

from ...state.codec import dumps
from ..governance.usage import NOTHING, Usage
from ..protocol.media import Part

Opaque = Mapping[str, Any]
"""What a provider gave beside its words and wants to see again, unchanged: signed reasoning, for one. Nobody else may
read it, and it is no use to another model."""


class ToolCall(NamedTuple):
    """A call the model asked for. ``arguments`` is JSON text as the model wrote it; ``opaque`` goes back with it."""

    id: str
    name: str
    arguments: str
    opaque: Opaque | None = None


class Message(NamedTuple):
    """One message. ``role`` is system, user, assistant or tool; a tool's message names the call it answers.
    ``model`` said it, if a model did; what is ``opaque`` in it and in its calls is for that one alone. Where there are
    images, sounds or files in it, ``parts`` is the message, and ``content`` what of it can be said in words. ``entry``
    is the number of the journal entry that holds the whole of a tool's result; 0: nobody keeps it apart."""

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    opaque: Opaque | None = None
    model: str = ""
    parts: tuple[Part, ...] = ()
    entry: int = 0


class Counter(Protocol):
    """Counts the tokens of texts. ``name`` says by what, for people."""

    @property
    def name(self) -> str: ...

    def __call__(self, text: str, /) -> int: ...


class Weight(NamedTuple):
    """How much some messages are. ``tokens`` is 0 where nobody counts them."""

    messages: int = 0
    characters: int = 0
    tokens: int = 0

    def plus(self, other: Weight) -> Weight:
        return Weight(self[0] + other[0], self[1] + other[1], self[2] + other[2])

    def minus(self, other: Weight) -> Weight:
        return Weight(self[0] - other[0], self[1] - other[1], self[2] - other[2])


RESULT = 64 * 1024
"""Characters of one tool result that a model reads where nothing else is said; the journal keeps all of it."""


class Window(NamedTuple):
    """How much the model reads of a conversation, its instructions and tools not counted; None: no bound. ``counter``
    counts tokens. ``drops``: past turns leave by themselves, at the end of a turn, all but the last; else only what is
    ``compacted`` leaves. ``result``: characters of one tool result that are read."""

    messages: int | None = 200
    characters: int | None = 64 * 1024
    tokens: int | None = None
    counter: Counter | None = None
    drops: bool = True
    result: int = RESULT

    def holds(self, weight: Weight, part: float = 1) -> bool:
        """Whether so much fits into it, or into a part of it."""
        bounds = zip(weight, self[:3], strict=True)
        return all(bound is None or has <= bound * part for has, bound in bounds)

    def weigh(self, message: Message) -> Weight:
        size = size_of(message)
        if self.tokens is None or self.counter is None:
            return Weight(1, size)
        said = [message.content, *(f"{call.name} {call.arguments}" for call in message.tool_calls)]
        rest = (
            max(0, size - sum(map(len, said))) // 4
        )  # images, files, what is opaque: no text that anybody could count
        return Weight(1, size, sum(map(self.counter, said)) + rest + OVERHEAD)

    def over(self, weight: Weight) -> str:
        """What does not fit, for people: "41,200 of 32,000 tokens (estimate)"; "" when all does."""
        told: list[str] = []
        for name, has, bound in zip(weight._fields, weight, self[:3], strict=True):
            if bound is not None and has > bound:
                by = f" ({self.counter.name})" if name == "tokens" and self.counter is not None else ""
                told.append(f"{has:,} of {bound:,} {name}{by}")
        return ", ".join(told)


OVERHEAD = 4
"""Tokens that a message takes beside its words: its role, and what parts it from the next."""


class Past(NamedTuple):
    """A turn that is over."""

    first: int  # sequence number of the entry it began with
    id: str  # of the message it answered
    messages: tuple[Message, ...]
    weight: Weight
    usage: Usage
    holder: str = ""  # who had the conversation when it began; "" the agent that it was begun with


UNSEEN = "not shown again, since a turn that showed it has failed"


def in_words(message: Message) -> Message:
    """The message with words in place of images, sounds and files."""
    if not message.parts:
        return message
    return message._replace(content="\n".join(part.label(UNSEEN) for part in message.parts), parts=())


def size_of(message: Message) -> int:
    """Characters of a message, with the arguments of its calls and what is opaque."""
    size = len(message.content) + _weight(message.opaque)
    for part in message.parts:
        size += part.weight() if part.kind != "text" else 0
    for call in message.tool_calls:
        size += len(call.name) + len(call.arguments) + _weight(call.opaque)
    return size


def _weight(opaque: Opaque | None) -> int:
    return len(dumps(opaque)) if opaque else 0


class Thread:
    """The past turns within the window, and the sums over those that have left it. ``summary`` stands in the place of
    these, where somebody has made one; ``noted`` is the number of the entry that has it."""

    __slots__ = ("_outside", "_past", "_shown", "_total", "before", "dropped", "noted", "summary", "used", "window")

    def __init__(self, window: Window, dropped: int = 0, before: Usage = NOTHING) -> None:
        self.window = window
        self._past: deque[Past] = deque()
        self._total = Weight()
        self._shown: tuple[Message, ...] = ()  # the summary
        self.summary: str = ""
        self.noted = 0
        self.dropped = dropped  # number of turns before the window
        self.before = before  # what they used
        self.used = before  # what all past turns used, those outside of the window included
        self._outside: dict[str, Any] | None = None  # what ``outside`` has said last, while it still holds

    def close(self, past: Past) -> None:
        """A turn is over; drop what no longer fits."""
        if not self._past:
            self._outside = None
        self._past.append(past)
        self.used = self.used.plus(past.usage)
        self._total = self._total.plus(past.weight)
        while self.window.drops and len(self._past) > 1 and not self.window.holds(self._total):
            self._drop()

    def refit(self, window: Window) -> None:
        """From now on somebody reads it who has that window."""
        if window == self.window:
            return
        self.window, self._total = window, Weight()
        for index, past in enumerate(self._past):
            self._past[index] = past._replace(weight=heaviness(window, past.messages))
            self._total = self._total.plus(self._past[index].weight)
        self._total = self._total.plus(self._heaviness())
        while window.drops and self._past and not window.holds(self._total):
            self._drop()

    def _drop(self) -> None:
        oldest = self._past.popleft()
        self._outside = None
        self._total = self._total.minus(oldest.weight)
        self.dropped += 1
        self.before = self.before.plus(oldest.usage)

    def half(self) -> int | None:
        """How many of the past turns have about half of its size, one at the least; None when none can be spared."""
        kept, size, whole = 0, 0, sum(past.weight.characters for past in self._past)
        for past in reversed(self._past):
            size += past.weight.characters
            if kept and size * 2 > whole:
                break
            kept += 1
        return kept if 0 < kept < len(self._past) else None

    def shorten(self, kept: int) -> None:
        """Drop all but so many of the past turns, at least one."""
        while len(self._past) > max(1, kept):
            self._drop()

    def leave(self, turns: int, summary: str) -> None:
        """All turns up to the one of that number are outside, and the summary stands in their place."""
        while self._past and self.dropped < turns:
            self._drop()
        if summary != self.summary:
            self._total = self._total.minus(self._heaviness())
            self.summary = summary
            self._shown = (summarized(summary),) if summary else ()
            self._total = self._total.plus(self._heaviness())

    def _heaviness(self) -> Weight:
        return self.window.weigh(self._shown[0]) if self._shown else Weight()

    @property
    def weight(self) -> Weight:
        """Of what is in the window."""
        return self._total

    def past(self) -> Iterator[tuple[int, Past]]:
        """The turns in the window with their numbers, oldest first."""
        return enumerate(self._past, self.dropped + 1)

    def sees(self) -> bool:
        """Whether there are images, sounds or files in the past."""
        return any(message.parts for past in self._past for message in past.messages)

    def unsee(self) -> None:
        """From now on there are words in their place."""
        for index, past in enumerate(self._past):
            if any(message.parts for message in past.messages):
                self._put(index, tuple(map(in_words, past.messages)))

    def cut(self, entries: frozenset[int], keep: int) -> None:
        """From now on only so many characters of the results that stand in these entries."""
        for index, past in enumerate(self._past):
            if any(message.entry in entries for message in past.messages):
                self._put(index, tuple(cut(message, entries, keep) for message in past.messages))

    def _put(self, index: int, messages: tuple[Message, ...]) -> None:
        past = self._past[index]
        weight = heaviness(self.window, messages)
        self._total = self._total.minus(past.weight).plus(weight)
        self._past[index] = past._replace(messages=messages, weight=weight)

    def outside(self, current: str = "", holder: str = "") -> dict[str, Any]:
        """The sums over the turns before the window and how many they are, the message it begins with (that of the
        ``current`` turn when no other is left), and who had the conversation then, as a record that nobody changes. It
        is asked for at each commit, and another one only when the window moves."""
        if self._outside is None:
            self._outside = {**self.before.record(), "turn": self.dropped}
            if self._past:
                self._outside["to"] = self._past[0].id
            elif self.dropped and current:
                self._outside["to"] = current
            if holder := self._past[0].holder if self._past else holder:
                self._outside["agent"] = holder
        return self._outside

    def oldest(self) -> Past | None:
        return self._past[0] if self._past else None

    def answered(self, id: str) -> bool:
        """Whether a turn in the window answered this message."""
        return bool(id) and any(past.id == id for past in self._past)

    def messages(self, current: list[Message]) -> tuple[Message, ...]:
        """What the model reads: the window and the current turn."""
        return (*self._shown, *chain.from_iterable(past.messages for past in self._past), *current)


def heaviness(window: Window, messages: tuple[Message, ...] | list[Message]) -> Weight:
    weight = Weight()
    for message in messages:
        weight = weight.plus(window.weigh(message))
    return weight


SUMMARY = "This is a summary of what was said and done before. It stands in the place of the messages themselves:\n"
READER = "read_result"
"""Name of the tool that reads what was cut."""


def brought(tool: str, call: str, parts: tuple[Part, ...]) -> Message:
    """The images, sounds and files that a tool has given, as a message of its own: few providers take them in a result,
    all that take any take them here."""
    shown = (Part("text", f"[from {tool}, {call}]"), *(part for part in parts if part.kind != "text"))
    return Message("user", "\n".join(part.label() for part in shown), parts=shown)


def summarized(text: str) -> Message:
    """The message that a summary is. It is no instruction of the agent's, so it does not stand among these."""
    return Message("user", SUMMARY + text)


def cut(message: Message, entries: frozenset[int], keep: int) -> Message:
    """The message with its beginning and end only, if it is one of those."""
    if message.entry not in entries or len(message.content) <= keep:
        return message
    return message._replace(content=shortened(message.content, keep, message.entry))


def shortened(text: str, keep: int, entry: int) -> str:
    """Beginning and end of a text, and how the whole is read, which stands in that entry."""
    if len(text) <= keep:
        return text
    tail = keep // 4
    return (
        f"{text[: keep - tail]}… [{len(text) - keep:,} characters were taken out to save room; "
        f"{READER}(entry={entry}) reads the whole] …{text[len(text) - tail :]}"
    )
