"""What lies in a queue, from its delivery until it is over."""

from __future__ import annotations

from typing import Any

from ..protocol.callers import of_event
from ..protocol.decider import Fact


class Delivery:
    """One delivery. ``op`` is the number of its entry in the journal, ``attempt`` the one that is under way or was
    last."""

    __slots__ = ("attempt", "begun", "error", "fact", "last", "number", "running", "sent", "until")

    def __init__(self, number: int, fact: Fact) -> None:
        self.number = number
        self.fact = fact
        self.attempt = 0
        self.running = False  # a child is at work on it
        self.sent = False  # its start is confirmed
        self.until = 0  # it is not tried before
        self.error: Fact | None = None  # it failed for good, and is being set aside
        self.begun = 0  # when it was first tried
        self.last = 0

    @property
    def op(self) -> str:
        """Of the attempt."""
        return f"{self.number}.{self.attempt}"

    @property
    def child(self) -> str:
        """The id of the attempt's execution."""
        id = str(self.fact["id"])
        return id if self.attempt <= 1 else f"{id}~{self.attempt}"

    @property
    def before(self) -> int:
        """Attempts that there were before it was delivered: who sends it again delivers it as the next one, and what
        is sent after that needs another id."""
        number = str(self.fact["id"]).rpartition(":")[2].partition("~")[2]
        return int(number) - 1 if number.isdecimal() else 0

    @property
    def key(self) -> str:
        return str(self.fact.get("key", ""))

    @property
    def input(self) -> Any:
        """What the function is given of the event."""
        event = self.fact["event"]
        return event if self.fact.get("gives") == "event" else event.get("data")

    @property
    def caller(self) -> dict[str, str]:
        """What goes on of who published the event."""
        return of_event(self.fact["event"])

    def letter(self, subscription: str, function: str) -> dict[str, Any]:
        """What is kept of it when it has failed for good."""
        letter: dict[str, Any] = {"id": str(self.fact["id"]), "subscription": subscription, "function": function}
        letter |= {"event": self.fact["event"], "error": self.error}
        return letter | {"attempts": self.before + self.attempt, "first": self.begun, "last": self.last}
