"""The conversation as the model sees it: messages, and the window of past turns that is kept.

Nothing here is stored. The journal is the conversation; this is what it reads like. Past turns leave the
window whole, oldest first, so a tool's result never stands without the call that asked for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import chain
from typing import Any, NamedTuple

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
    images, sounds or files in it, ``parts`` is the message, and ``content`` what of it can be said in words."""

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    opaque: Opaque | None = None
    model: str = ""
    parts: tuple[Part, ...] = ()


class Window(NamedTuple):
    """How much of the past is kept for the model. The turn before the current one is always kept."""

    messages: int = 200
    characters: int = 64 * 1024


class Past(NamedTuple):
    """A turn that is over."""

    first: int  # sequence number of the entry it began with
    id: str  # of the message it answered
    messages: tuple[Message, ...]
    size: int  # characters
    usage: Usage


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
    """The past turns within the window, and the sums over those that have left it."""

    __slots__ = ("_count", "_outside", "_past", "_size", "_window", "before", "dropped", "used")

    def __init__(self, window: Window, dropped: int = 0, before: Usage = NOTHING) -> None:
        self._window = window
        self._past: deque[Past] = deque()
        self._count = 0
        self._size = 0
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
        self._count += len(past.messages)
        self._size += past.size
        while len(self._past) > 1 and (self._count > self._window.messages or self._size > self._window.characters):
            self._drop()

    def _drop(self) -> None:
        oldest = self._past.popleft()
        self._outside = None
        self._count -= len(oldest.messages)
        self._size -= oldest.size
        self.dropped += 1
        self.before = self.before.plus(oldest.usage)

    def half(self) -> int | None:
        """How many of the past turns have about half of its size, one at the least; None when none can be spared."""
        kept, size = 0, 0
        for past in reversed(self._past):
            size += past.size
            if kept and size * 2 > self._size:
                break
            kept += 1
        return kept if 0 < kept < len(self._past) else None

    def shorten(self, kept: int) -> None:
        """Drop all but so many of the past turns, at least one."""
        while len(self._past) > max(1, kept):
            self._drop()

    def sees(self) -> bool:
        """Whether there are images, sounds or files in the past."""
        return any(message.parts for past in self._past for message in past.messages)

    def unsee(self) -> None:
        """From now on there are words in their place."""
        for index, past in enumerate(self._past):
            messages = tuple(map(in_words, past.messages))
            size = sum(map(size_of, messages))
            self._size += size - past.size
            self._past[index] = past._replace(messages=messages, size=size)

    def outside(self) -> dict[str, Any]:
        """The sums over the turns before the window and how many they are, and the message it begins with, as a record
        that nobody changes. It is asked for at each commit, and another one only when the window moves."""
        if self._outside is None:
            self._outside = {**self.before.record(), "turn": self.dropped}
            if self._past:
                self._outside["to"] = self._past[0].id
        return self._outside

    def oldest(self) -> Past | None:
        return self._past[0] if self._past else None

    def first(self) -> int:
        """The entry with which it begins; 0 while there is nothing before the current turn."""
        return self._past[0].first if self._past else 0

    def answered(self, id: str) -> bool:
        """Whether a turn in the window answered this message."""
        return bool(id) and any(past.id == id for past in self._past)

    def messages(self, current: list[Message]) -> tuple[Message, ...]:
        """What the model reads: the window and the current turn."""
        return (*chain.from_iterable(past.messages for past in self._past), *current)
