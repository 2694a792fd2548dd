"""What an execution did, by the states and the ways of its machine: how often, how long, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ....state.quantities import span

Status = Literal["running", "failed", "caught", "stopped", "succeeded"]


class Taken(NamedTuple):
    """A way: as ``Way`` has it, or ``start`` (of the flow that begins with the state), or ``end`` (that ends there)."""

    state: str
    kind: Literal["next", "rule", "default", "catch", "start", "end"]
    number: int = 0


@dataclass(slots=True)
class Stay:
    """In one state, all visits together; times are milliseconds. ``inside``: how many visits last, the first of them
    ``since``; ``until``: what time one of them waits for."""

    entered: int = 0
    succeeded: int = 0
    caught: int = 0
    failed: int = 0
    stopped: int = 0
    retries: int = 0
    lasted: int = 0
    inside: int = 0
    since: int | None = None
    until: int | None = None
    error: str = ""

    @property
    def status(self) -> Status:
        """What matters most of it."""
        if self.inside:
            return "running"
        if self.failed:
            return "failed"
        if self.caught:
            return "caught"
        return "succeeded" if self.succeeded else "stopped"

    def lines(self, now: int) -> tuple[str, ...]:
        """For people, at a time: how often and how long, and what went wrong."""
        counted = [f"{self.entered}×"] if self.entered > 1 else []
        ended = self.entered - self.inside
        if ended and self.lasted:
            counted.append(span(self.lasted))
        if self.inside:
            many = f"{self.inside} " if self.entered > 1 else ""
            counted.append(f"{many}running for {span(max(now - (self.since or 0), 0))}")
        if self.retries:
            counted.append("1 retry" if self.retries == 1 else f"{self.retries} retries")
        if self.inside and self.until is not None and self.until > now:
            counted.append(f"goes on in {span(self.until - now)}")
        wrong = [f"{count} {word}" for count, word in self._wrong() if self.entered > 1]
        wrong += [self.error] if self.error else []
        lines = [" · ".join(counted), " · ".join(wrong)]
        return tuple(line for line in lines if line)

    def _wrong(self) -> list[tuple[int, str]]:
        counts = ((self.failed, "failed"), (self.caught, "caught"), (self.stopped, "stopped"))
        return [(count, word) for count, word in counts if count]


@dataclass(slots=True)
class Course:
    """``status`` is that of the execution, ``now`` when this was so; ``problem``: why it is not known any further."""

    status: str = "pending"
    now: int = 0
    stays: dict[str, Stay] = field(default_factory=dict[str, Stay])
    taken: dict[Taken, int] = field(default_factory=dict[Taken, int])
    problem: str = ""

    def stay(self, name: str) -> Stay:
        return self.stays.setdefault(name, Stay())

    def take(
        self, state: str, kind: Literal["next", "rule", "default", "catch", "start", "end"], number: int = 0
    ) -> None:
        way = Taken(state, kind, number)
        self.taken[way] = self.taken.get(way, 0) + 1
