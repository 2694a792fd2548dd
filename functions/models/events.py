"""Server-sent events out of bytes, which may be cut anywhere: within a line, a character or an end of line.

Servers keep to the form in most things. Ends of lines may be LF, CR LF or CR; a space behind the colon, the empty line
behind an event and the end of the last line may be missing; what stands in no field is kept aside, because it may be
a plain answer.
"""

from __future__ import annotations

from typing import NamedTuple

MOST = 16 * 1024 * 1024
"""Bytes of one line, and of what stands in no field."""


class Event(NamedTuple):
    """``kind`` is what the server calls it; "" when it says nothing."""

    kind: str
    data: str


class TooLong(ValueError):
    """A line without an end."""


class Events:
    """Takes bytes, gives events. Nothing is lost between two reads."""

    def __init__(self) -> None:
        self._aside: list[str] = []  # lines that are no field
        self._kept = 0
        self._cut: list[bytes] = []  # of a line that has not ended
        self._size = 0
        self._returned = False  # the last byte was CR, whose LF may come yet
        self._kind = ""
        self._data: list[str] = []
        self._begun = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that end in ``data``. Raises TooLong."""
        if self._returned and data:
            self._returned = False
            data = data[1:] if data[:1] == b"\n" else data
        found: list[Event] = []
        for line in data.splitlines(keepends=True):
            ended = line[-1:] in (b"\n", b"\r")
            self._size += len(line)
            if self._size > MOST:
                raise TooLong(f"a line is longer than {MOST:,} bytes")
            self._cut.append(line)
            if ended:
                self._returned = line[-1:] == b"\r"
                found += self._line(self._whole())
        return found

    def end(self) -> list[Event]:
        """What stands at the end of a stream that ended in order, without the empty line that should follow."""
        return [*(self._line(self._whole()) if self._cut else ()), *self._event()]

    def aside(self) -> str:
        """What stood in no field."""
        return "\n".join(self._aside)

    def _whole(self) -> str:
        line = b"".join(self._cut).rstrip(b"\r\n")
        self._cut.clear()
        self._size = 0
        text = line.decode(errors="replace")
        if not self._begun:
            self._begun = True
            text = text.removeprefix("\ufeff")
        return text

    def _line(self, line: str) -> list[Event]:
        if not line:
            return self._event()
        name, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._kind = value.strip()
        elif name == "error" and colon:  # of older releases of llama.cpp
            self._kind = "error"
            self._data.append(value)
        elif name not in ("", "id", "retry") and self._kept < MOST:
            self._kept += len(line)
            self._aside.append(line)
        return []

    def _event(self) -> list[Event]:
        kind, data = self._kind, self._data
        self._kind, self._data = "", []
        return [Event(kind, "\n".join(data))] if data else []
