"""What happened, as AWS's history names it. It is counted, and not kept: who wants it lets the journal pass once
more."""

from __future__ import annotations

from typing import Any

from .frame import Frame

Event = dict[str, Any]


class Counter:
    """Counts the events of a history; each is known by its number, from 1 on."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, type: str, at: int, **details: Any) -> int:
        """The number of the event."""
        self.count += 1
        return self.count


class Recorder(Counter):
    """``events`` in order, each ``{"id", "type", "at", …}``."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def add(self, type: str, at: int, **details: Any) -> int:
        number = super().add(type, at, **details)
        self.events.append({"id": number, "type": type, "at": at, **details})
        return number


class Own(Counter):
    """Counts what happens within an item of a distributed Map, whose history is its own."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self._frame = frame

    def add(self, type: str, at: int, **details: Any) -> int:
        self._frame.events += 1
        return self._frame.events
