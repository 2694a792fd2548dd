"""Redis' protocol (RESP2), as much of it as the store needs: commands into bytes, bytes into replies.

A command is packed once, when it is handed in, and its bytes are kept until it is answered: a repetition sends
the very same. The reader keeps its place between two pieces of data, so a long answer is read once however it is
cut on its way.
"""

from __future__ import annotations

from typing import TypeAlias

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


Reply: TypeAlias = "bytes | int | Refusal | list[Reply] | None"


def pack(*parts: bytes) -> bytes:
    """One command."""
    return b"*%d\r\n%b" % (len(parts), b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]))


def bulk(part: bytes) -> bytes:
    """One part of a command."""
    return b"$%d\r\n%b\r\n" % (len(part), part)


class Reader:
    """Takes data as it comes and gives back the replies that are whole."""

    __slots__ = ("_need", "_open", "_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._need = 0  # what must have come before it is worth looking again
        self._open: list[tuple[list[Reply], int]] = []  # arrays that are not whole, and how long they will be

    def feed(self, data: bytes) -> list[Reply]:
        self._pieces.append(data)
        self._size += len(data)
        if self._size < self._need:
            return []
        buffer = data if len(self._pieces) == 1 else b"".join(self._pieces)
        replies, position = self._read(buffer)
        rest = buffer[position:]
        self._pieces = [rest] if rest else []
        self._size = len(rest)
        return replies

    def _read(self, buffer: bytes) -> tuple[list[Reply], int]:
        replies: list[Reply] = []
        arrays, position, size = self._open, 0, len(buffer)
        value: Reply
        self._need = 0
        while position < size:
            end = buffer.find(b"\r\n", position)
            if end < 0:
                break
            kind, text, after = buffer[position], buffer[position + 1 : end], end + 2
            if kind == 36:  # $
                length = int(text)
                value = None
                if length >= 0:
                    if size < after + length + 2:
                        self._need = after + length + 2 - position
                        break
                    value = buffer[after : after + length]
                    after += length + 2
            elif kind == 42:  # *
                length = int(text)
                if length > 0:
                    arrays.append(([], length))
                    position = after
                    continue
                value = [] if length == 0 else None
            elif kind == 58:  # :
                value = int(text)
            elif kind == 43:  # +
                value = text
            elif kind == 45:  # -
                value = Refusal(text.decode("utf-8", "replace"))
            else:
                raise StoreCorrupt("what answers does not speak Redis' protocol. Check the host and the port")
            position = after
            while arrays:
                array, length = arrays[-1]
                array.append(value)
                if len(array) < length:
                    break
                arrays.pop()
                value = array
            else:
                replies.append(value)
        return replies, position


def _code(text: str) -> str:
    code, _, rest = text.partition(" ")
    if code == "ERR" and rest.startswith("Error running script"):
        # Before Redis 7 what a command said inside a script stands within the script's own error.
        for word in rest.split():
            if word.removeprefix("-") in _INSIDE:
                return word.removeprefix("-")
    return code
