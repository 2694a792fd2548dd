"""How far somebody has been told: the id of the last event, from which any process goes on.

    17.0                            the first 17 entries of the journal
    17.2                            … and two events of the next one
    17.0~t3.m1~9f2c1a~1~0~240~…     … and 240 characters of what attempt 1 of the model call t3.m1 was saying

The last field tells the text that was told from any other, whoever says it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from ...state.errors import InvalidInput

_FORM = re.compile(
    r"(\d{1,15})(?:\.(\d{1,6}))?(?:~([\w.]{1,60})~([0-9a-f]{0,16})~(\d{1,9})~(\d{1,9})~(\d{1,9})~([0-9a-f]{1,8})(!?))?",
    re.ASCII,
)
_CALL = re.compile(r"t(\d+)\.m(\d+)(?:\.r(\d+))?", re.ASCII)


class Position(NamedTuple):
    """``seq`` entries are told, and ``part`` events of the next one. ``op`` is the model call that was told last:
    ``done`` when its record was, else so many characters of its ``reasoning`` and ``text``, with the ``digest`` of that
    text, as ``by`` said them at an ``attempt``."""

    seq: int = 0
    part: int = 0
    op: str = ""
    by: str = ""
    attempt: int = 0
    reasoning: int = 0
    text: int = 0
    digest: int = 0
    done: bool = False

    def __str__(self) -> str:
        seq, part, op, by, attempt, reasoning, text, sum, done = self
        if not op:
            return f"{seq}.{part}"
        return f"{seq}.{part}~{op}~{by}~{attempt}~{reasoning}~{text}~{sum:x}{'!' if done else ''}"

    @property
    def open(self) -> bool:
        """Whether something was told of an answer that is not whole."""
        return bool(self.op) and not self.done and bool(self.text or self.reasoning)

    def after(self, number: int) -> Position:
        """All of that entry has been told."""
        return Position(number, 0, *self[2:])

    def further(self) -> Position:
        """One more event of the next entry has been told."""
        return Position(self[0], self[1] + 1, *self[2:])

    def said(self, text: str, reasoning: str = "") -> Position:
        """So much more has been told."""
        seq, part, op, by, attempt, before, length, sum, done = self  # for each piece: _replace takes much longer
        return Position(
            seq, part, op, by, attempt, before + len(reasoning), length + len(text), digest(text, sum), done
        )

    def begins(self, text: str) -> bool:
        """Whether ``text`` begins with what was told."""
        return len(text) >= self.text and digest(text[: self.text]) == self.digest


def digest(text: str, before: int = 0) -> int:
    """A number of the whole text, of which ``before`` is that of the part before this one."""
    return crc32(text.encode("utf-8", "surrogatepass"), before)


def position(id: str) -> Position:
    """The position that an event's id names; "" is the beginning. Raises InvalidInput."""
    if not id:
        return Position()
    found = _FORM.fullmatch(id)
    if found is None:
        raise InvalidInput(f"{id[:80]!r} is the id of no event; leave Last-Event-ID out to be told all")
    seq, part, op, by, attempt, reasoning, text, sum, done = found.groups()
    if op is None:
        return Position(int(seq), int(part or 0))
    told = Position(int(seq), int(part or 0), op, by, int(attempt), int(reasoning), int(text), int(sum, 16))
    return told._replace(done=bool(done))


@lru_cache(maxsize=1024)
def order(op: str) -> tuple[int, int, int]:
    """Model calls of an execution in the order in which they are made."""
    found = _CALL.fullmatch(op)
    return (0, 0, 0) if found is None else (int(found[1]), int(found[2]), int(found[3] or 0))
