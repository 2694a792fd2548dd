"""How much one app takes on at once: requests, and bytes of their bodies. What is more is refused with 503 and asked to
come again; nothing has been done with it then. Probes always find room.
"""

from __future__ import annotations

from ..messages.problem import Refused

MAX_HELD = "64MB"
MAX_REQUESTS = 950
AROUND = 1024 * 1024  # bytes of an answer beside the largest value that it may hold


class Room:
    """Counts what is being worked on."""

    def __init__(self, max_requests: int, max_held: int) -> None:
        self.max_requests = max_requests
        self.max_held = max_held
        self.requests = 0
        self.held = 0

    def numbers(self) -> dict[str, object]:
        """What there is now, and the limits."""
        return {
            "open": self.requests,
            "max_open": self.max_requests,
            "held_bytes": self.held,
            "max_held_bytes": self.max_held,
        }


class Stay:
    """One request's share of the room, from ``begin`` to ``end``."""

    __slots__ = ("_bytes", "_room")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._bytes = 0

    def begin(self) -> None:
        """Raises Refused when there is no room for one more."""
        room = self._room
        if room.requests >= room.max_requests:
            raise Refused(
                503, f"{room.max_requests} requests are open here, and that is the limit; send it again later"
            )
        room.requests += 1

    def hold(self, size: int) -> None:
        """So many bytes more of a body are kept. Raises Refused when all together would be too many."""
        room = self._room
        if room.held + size > room.max_held:
            raise Refused(503, f"the requests open here hold {room.max_held} bytes; send it again later")
        room.held += size
        self._bytes += size

    def release(self) -> None:
        """The body has served; what waits now waits without it."""
        self._room.held -= self._bytes
        self._bytes = 0

    def end(self) -> None:
        self.release()
        self._room.requests -= 1
