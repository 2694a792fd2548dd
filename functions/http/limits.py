"""What one server's door bounds: connections, and what comes through them in bytes and in time. docs/operations.md has
a table of them.

Whoever has not said who they are can hold no more than this, whatever they send or leave unsent.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...state.errors import InvalidInput
from ...state.quantities import Duration, seconds, size


@dataclass(frozen=True)
class Limits:
    """Sizes and times as people write them. ``measured`` gives numbers; InvalidInput for what serves nobody."""

    connections: int = 1000  # open at once; beyond that the one that has kept quiet longest gives way
    head: str | int = "32KB"  # request line and headers
    fields: int = 100  # headers of one request
    body: str | int = "4MB"  # of one request
    held: str | int = "64MB"  # bodies of all requests that are being read or worked on; answers nobody has fetched yet
    head_time: Duration = "10s"  # from the connection, or the first byte of a later request, to the end of the head
    body_time: Duration = "60s"  # from the end of the head to the end of the body
    answer_time: Duration = "60s"  # for a client to fetch what has been sent to it
    idle_time: Duration = "75s"  # between two requests on one connection

    def measured(self) -> Measured:
        if self.connections < 10:
            raise InvalidInput(f"{self.connections} connections are too few for a server; allow 10 or more")
        if self.fields < 10 or size(self.head) < 1024:
            raise InvalidInput("a request's head needs 1KB and 10 headers at the least; allow more")
        times = [seconds(one) for one in (self.head_time, self.body_time, self.answer_time, self.idle_time)]
        if min(times) <= 0:
            raise InvalidInput("the times of the door must be longer than nothing, like 10s")
        sizes = size(self.head), self.fields, size(self.body), size(self.held)
        if size(self.held) < size(self.body):
            raise InvalidInput(f"what is held, {self.held}, must have room for one body of {self.body}")
        return Measured(self.connections, *sizes, *times)


@dataclass(frozen=True)
class Measured:
    """Limits in bytes and seconds."""

    connections: int
    head: int
    fields: int
    body: int
    held: int
    head_time: float
    body_time: float
    answer_time: float
    idle_time: float

    @property
    def requests(self) -> int:
        """Requests that may be worked on at once: fewer than connections, so that probes and refusals find a place."""
        return self.connections - max(5, self.connections // 20)
