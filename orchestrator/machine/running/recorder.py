"""What happened, as AWS's history names it. It is counted, and not kept: who wants it lets the journal pass once
more."""

from __future__ import annotations

from typing import Any

from .limits import HistoryFull

Event = dict[str, Any]


class Counter:
    """Counts the events of a history; each is known by its number, from 1 on."""

    def __init__(self) -> None:
        self.count = 0
        self.most: int | None = None

    def add(self, type: str, at: int, **details: Any) -> int:
        """The number of the event. With ``most``, the last one is kept for what is said of the execution as a whole;
        raises HistoryFull for any other."""
        if self.most is not None and self.count >= self.most - 1 and not type.startswith("Execution"):
            raise HistoryFull
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
