"""Redis' protocol (RESP2), as much of it as the store needs: commands into bytes, bytes into replies.

A command is packed once, when it is handed in, and its bytes are kept until it is answered: a repetition sends
the very same. hiredis packs in half of the time that it takes in Python, and reads in a sixth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

import hiredis

from ..errors import StoreCorrupt

_INSIDE = frozenset({"OOM", "READONLY", "MISCONF", "WRONGTYPE", "NOREPLICAS", "NOPERM", "MASTERDOWN", "CLUSTERDOWN"})


class Refusal:
    """An error reply. ``code`` is its first word, also when a script ran into it."""

    __slots__ = ("code", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.code = _code(text)

    def __repr__(self) -> str:
        return f"Refusal({self.text!r})"


_hiredis: Any = hiredis  # whose types say less than it can do
_pack = cast("Callable[[tuple[bytes, ...]], bytes]", _hiredis.pack_command)
_MORE: Final = object()
"""What the reader gives when no reply is whole."""
Reply: TypeAlias = "bytes | int | Refusal | list[Reply] | None"


def pack(*parts: bytes) -> bytes:
    """One command."""
    return _pack(parts)


def bulk(part: bytes) -> bytes:
    """One part of a command."""
    return b"$%d\r\n%b\r\n" % (len(part), part)


def bulks(parts: list[bytes]) -> bytes:
    """Parts of a command, without its beginning."""
    return _pack(tuple(parts))[len(b"*%d\r\n" % len(parts)) :]


class Reader:
    """Takes data as it comes and gives back the replies that are whole."""

    __slots__ = ("_reader",)

    def __init__(self) -> None:
        self._reader: Any = _hiredis.Reader(replyError=Refusal, notEnoughData=_MORE)

    def feed(self, data: bytes) -> list[Reply]:
        reader, replies = self._reader, list[Reply]()
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _MORE:
                replies.append(reply)
        except hiredis.ProtocolError as error:
            message = "what answers does not speak Redis' protocol. Check the host and the port"
            raise StoreCorrupt(message) from error
        return replies


def _code(text: str) -> str:
    code, _, rest = text.partition(" ")
    if code == "ERR" and rest.startswith("Error running script"):
        # Before Redis 7 what a command said inside a script stands within the script's own error.
        for word in rest.split():
            if word.removeprefix("-") in _INSIDE:
                return word.removeprefix("-")
    return code
