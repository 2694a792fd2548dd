"""The images, sounds and files of a conversation, brought for one request to a model. What can't be shown leaves a word
in its place, so that one of them fails neither this turn nor, as part of the past, those that follow."""

from __future__ import annotations

from collections.abc import Sequence

from ...orchestrator.agent.conversation import Message
from ...orchestrator.agent.observations import OBSERVATION_LIMIT
from ...orchestrator.engine.performing import CallInfo, current_call
from ...orchestrator.protocol.media import Part
from .hosts import Hosts

ROOM = 32 * 1024 * 1024
"""Bytes that go into one request; the latest are shown."""
MOST = 50
"""How many images, sounds and files go into one request."""
_WRITTEN = ("application/json", "application/xml", "application/yaml", "application/x-yaml", "application/toml")
OLDER = "not shown again, there are many"
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

    async def shown(self, part: Part) -> Part:
        if part.kind == "text":
            return part
        if not self._left or part.size > self._room:
            return _told(part, OLDER)
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
        return _read(part, data) or part._replace(data=data)

    async def _bytes(self, digest: str) -> bytes | None:
        call = self._call
        return None if call is None or call.shelf is None else await call.shelf.bring(call.execution, digest)


def _told(part: Part, why: str) -> Part:
    return Part("text", part.label(why))


def _read(part: Part, data: bytes) -> Part | None:
    """A file that is text, as text: no model needs more, and most take no other."""
    if part.kind != "file" or not (part.media_type.startswith("text/") or part.media_type in _WRITTEN):
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    left = len(text) - OBSERVATION_LIMIT
    rest = f"… [{left:,} more characters were left out]" if left > 0 else ""
    return Part("text", f"{part.label()}\n{text[:OBSERVATION_LIMIT]}{rest}")
