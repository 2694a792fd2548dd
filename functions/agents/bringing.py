"""The images, sounds and files of a conversation, brought for one request to a model. What can't be shown leaves a word
in its place, so that one of them fails neither this turn nor, as part of the past, those that follow."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...orchestrator.agent.conversation import Message
from ...orchestrator.engine.performing import CallInfo, current_call
from ...orchestrator.protocol.media import TEXT, Part, written
from ..models.hosts import Hosts

ROOM = 32 * 1024 * 1024
"""Bytes that go into one request; the latest are shown."""
MOST = 50
"""How many images, sounds and files go into one request."""
WORDS = 4 * TEXT
"""Characters of files of text that go into one request."""
_CODES = ("utf-8-sig", "utf-16", "cp1252")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BINARY = ("application/pdf", "application/zip")
MANY = "not shown, there are too many"
GONE = "no longer there"


async def brought(messages: Sequence[Message], hosts: Hosts) -> tuple[Message, ...]:
    """The messages with the bytes of their parts. Raises StoreError."""
    try:
        call: CallInfo | None = current_call()
    except LookupError:
        call = None
    made, bag = list(messages), _Bag(call, hosts)
    for index in range(len(made) - 1, -1, -1):
        if made[index].parts:
            parts = [await bag.shown(part) for part in reversed(made[index].parts)]
            made[index] = made[index]._replace(parts=tuple(reversed(parts)))
    return tuple(made)


class _Bag:
    """What fits into one request."""

    def __init__(self, call: CallInfo | None, hosts: Hosts) -> None:
        self._call = call
        self._hosts = hosts
        self._room = ROOM
        self._left = MOST
        self._words = WORDS

    async def shown(self, part: Part) -> Part:
        if part.kind == "text":
            return part
        if not self._left or part.size > self._room:
            return _told(part, MANY)
        if part.url:
            if why := self._hosts.refusal(part.url):
                return _told(part, why)
            self._left -= 1
            return part
        data = await self._bytes(part.digest)
        if data is None:
            return _told(part, GONE)
        self._room -= len(data)
        self._left -= 1
        text = _text(part, data)
        if text is None:
            return part._replace(data=data)
        if not self._words:
            return _told(part, MANY)
        shown = text[: min(TEXT, self._words)]
        self._words -= len(shown)
        left = len(text) - len(shown)
        rest = f"… [{left:,} more characters were left out]" if left else ""
        return part._replace(kind="text", text=f"{part.label()}\n{shown}{rest}", data=data)

    async def _bytes(self, digest: str) -> bytes | None:
        call = self._call
        return None if call is None or call.shelf is None else await call.shelf.bring(call.execution, digest)


def _told(part: Part, why: str) -> Part:
    return Part("text", part.label(why))


def _text(part: Part, data: bytes) -> str | None:
    """The text that a file is, whatever its type is said to be; None for one that is none. A model reads it as text:
    most take no files but PDFs."""
    if part.kind != "file" or part.media_type in _BINARY:
        return None
    for code in _CODES if written(part.media_type) else _CODES[:1]:
        if code == "utf-16" and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            continue
        try:
            text = data.decode(code)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            return text
    return None
