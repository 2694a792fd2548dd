"""How many connections are open, and how long each may keep quiet. A connection is always in one stage; every stage but
the work on a whole request has an end, and whoever stands in such a stage gives way when all places are taken, the one
that has used up most of its time first. So a client that sends what it has to send gets in whatever others do not send.

What is not bounded here by time is bounded by bytes in ``connection``, and the work itself in ``room``.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from enum import Enum
from typing import Protocol

from .limits import Limits

PARTING = 2.0  # seconds for a client to take the last answer and to stop sending
LOOK = 1.0  # seconds between two looks at the clock, or a quarter of the shortest time


class Stage(Enum):
    """Where a connection stands."""

    PARTING = "parting"  # it has got its last answer
    IDLE = "idle"  # between two requests
    HEAD = "head"  # a request's head is awaited or arrives
    BODY = "body"  # a request's body arrives
    WORK = "work"  # a request has arrived whole and is worked on


class Guest(Protocol):
    """A connection, as the door sees it."""

    def too_late(self, stage: Stage) -> None:
        """The time of this stage is over."""

    def give_way(self) -> None:
        """The place is needed: close at once."""

    def unread(self) -> int:
        """Bytes of answers that the client has not taken yet."""
        ...


class Door:
    """Counts the connections of one server and watches the clock for them."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self.limits = limits.measured()
        times = self.limits
        self._times = {
            Stage.PARTING: PARTING,
            Stage.IDLE: times.idle_time,
            Stage.HEAD: times.head_time,
            Stage.BODY: times.body_time,
        }
        self._waiting: dict[Stage, OrderedDict[Guest, float]] = {stage: OrderedDict() for stage in self._times}
        self._stages: dict[Guest, Stage] = {}
        self._unread: OrderedDict[Guest, float] = OrderedDict()
        self._pause = min(LOOK, *(time / 4 for time in (*self._times.values(), times.answer_time)))
        self._look: asyncio.TimerHandle | None = None
        self.counts: Counter[str] = Counter(late=0, gave_way=0, turned_away=0, refused=0)

    # -- coming and going ----------------------------------------------------------------------------

    def enter(self, guest: Guest) -> None:
        """A connection is open. Somebody else gives way for it when there are too many, or it does itself."""
        self._stages[guest] = Stage.HEAD
        self._waiting[Stage.HEAD][guest] = self._now()
        if len(self._stages) > self.limits.connections:
            first = self._first()
            self.counts["turned_away" if first is guest else "gave_way"] += 1
            self.leave(first)
            first.give_way()

    def _first(self) -> Guest:
        """Who gives way: of those that have been longest in their stage, the one with the least time left, by share."""
        now = self._now()
        longest = [(*next(iter(one.items())), self._times[stage]) for stage, one in self._waiting.items() if one]
        return max(longest, key=lambda one: (now - one[1]) / one[2])[0]

    def leave(self, guest: Guest) -> None:
        """It is closed. Idempotent."""
        stage = self._stages.pop(guest, None)
        if stage is not None and stage is not Stage.WORK:
            del self._waiting[stage][guest]
        self._unread.pop(guest, None)

    def move(self, guest: Guest, stage: Stage) -> None:
        """It stands in this stage now. The time counts from the first time that this is said."""
        before = self._stages.get(guest, stage)
        if before is stage:
            return  # or it has left
        if before is not Stage.WORK:
            del self._waiting[before][guest]
        self._stages[guest] = stage
        if stage is not Stage.WORK:
            self._waiting[stage][guest] = self._now()

    # -- answers that are not fetched ----------------------------------------------------------------

    def stalls(self, guest: Guest) -> None:
        """Its client does not take what has been sent. Those that have done so longest lose their answers when all of
        them together are too many bytes."""
        if guest not in self._stages:
            return
        self._unread.setdefault(guest, self._now())
        held = {one: one.unread() for one in self._unread}
        total = sum(held.values())
        for one, size in held.items():
            if total <= self.limits.held or one is guest:
                break
            total -= size
            self.counts["gave_way"] += 1
            self.leave(one)
            one.give_way()

    def flows(self, guest: Guest) -> None:
        """Its client has taken nearly all."""
        self._unread.pop(guest, None)

    # -- the clock -----------------------------------------------------------------------------------

    def _now(self) -> float:
        loop = asyncio.get_running_loop()
        if self._look is None:
            self._look = loop.call_later(self._pause, self._watch)
        return loop.time()

    def _watch(self) -> None:
        """End what has lasted too long. Within a stage all have the same time, so the first are the oldest."""
        self._look = None
        if not self._stages:
            return
        now = self._now()
        for stage, waiting in self._waiting.items():
            limit = self._times[stage]
            for guest in _before(waiting, now - limit):
                guest.too_late(stage)
        for guest in _before(self._unread, now - self.limits.answer_time):
            self.counts["late"] += 1
            guest.give_way()

    def numbers(self) -> dict[str, object]:
        """Connections by stage, what they hold, and the limits."""
        return {
            "connections": len(self._stages),
            "max_connections": self.limits.connections,
            **{stage.value: len(guests) for stage, guests in self._waiting.items()},
            "unread_bytes": sum(one.unread() for one in self._unread),
            "max_unread_bytes": self.limits.held,
            **self.counts,
        }


def _before(waiting: OrderedDict[Guest, float], moment: float) -> list[Guest]:
    found: list[Guest] = []
    for guest, since in waiting.items():
        if since > moment:
            break
        found.append(guest)
    return found
