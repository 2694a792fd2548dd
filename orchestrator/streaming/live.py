"""An answer while it is being said in this process."""

from __future__ import annotations

import itertools
import secrets
from typing import Any, NamedTuple

from ...state.codec import clean, dumps, loads
from ..protocol.decider import Heard

MOST = 1024 * 1024
"""Characters of an answer that are told as they come; the rest comes with its record."""
_CONTENT = 16 * 1024
"""Characters of a message that are told before it is in the journal."""


_PROCESS, _NUMBERS = secrets.token_hex(4), itertools.count(secrets.randbelow(0xFFFFFFF))


_WHOLE = ("", "")


class Spoken(NamedTuple):
    """What is known of an answer that is being said: by whom, at which attempt of which call, to which message."""

    op: str
    by: str
    attempt: int
    message: str
    content: Any
    reasoning: str
    text: str


class Live:
    """One attempt of a model call. ``pieces`` are (text, reasoning), one of them empty. ``by`` names it among all
    attempts of all processes."""

    __slots__ = ("_content", "_half", "attempt", "by", "full", "heard", "op", "pieces", "reasoning", "text")

    def __init__(self, op: str, attempt: int, heard: Heard) -> None:
        self.op = op
        self.by = f"{_PROCESS}{next(_NUMBERS) & 0xFFFFFFF:x}"
        self.attempt = attempt
        self.heard = heard
        self.pieces: list[tuple[str, str]] = []
        self.text = self.reasoning = 0  # characters
        self.full = False  # what comes now comes with the record
        self._half = _WHOLE  # of a pair that ends a piece of text, and of reasoning
        self._content: tuple[Any] | None = None  # what the store is told of the message, when it was measured

    def say(self, text: str, reasoning: str) -> bool:
        """False when there is nothing to be told of it now."""
        if self._half != _WHOLE or not (text.isascii() and reasoning.isascii()):
            text, half = _joined(self._half[0] + text)
            reasoning, other = _joined(self._half[1] + reasoning)
            self._half = (half, other)
        self.full = self.full or self.text + self.reasoning + len(text) + len(reasoning) > MOST
        if self.full or not (text or reasoning):
            return False
        if text:
            self.pieces.append((text, ""))
        if reasoning:
            self.pieces.append(("", reasoning))
        self.text += len(text)
        self.reasoning += len(reasoning)
        return True

    def spoken(self) -> Spoken:
        """All of it until now."""
        text = "".join(text for text, _ in self.pieces)
        reasoning = "".join(reasoning for _, reasoning in self.pieces)
        heard = self.heard
        return Spoken(self.op, self.by, self.attempt, heard.message, heard.content, reasoning, text)

    def written(self) -> str:
        """All of it until now, as JSON for a store. A long message is left out; it comes with the journal."""
        if self._content is None:
            content = self.heard.content
            self._content = (content if len(dumps(content)) <= _CONTENT else None,)
        return dumps(self.spoken()._replace(content=self._content[0])._asdict())


def _joined(text: str) -> tuple[str, str]:
    """Text as it is recorded, and the half of a pair at its end: some servers cut a character in two."""
    if text.isascii():
        return text, ""
    half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
    return clean(text.removesuffix(half) if half else text), half


def read(text: str) -> Spoken | None:
    """What ``Live.written`` gave; None for what can't be read."""
    try:
        value: dict[str, Any] = loads(text)
        return Spoken(
            str(value["op"]), str(value["by"]), int(value["attempt"]), str(value["message"]), value["content"],
            str(value["reasoning"]), str(value["text"]),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
