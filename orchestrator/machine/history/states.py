"""The states of an execution: each that was entered, how often it was tried, what went wrong, what runs within it, and
what it waits for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Attempt:
    """One time that a state was begun. Times are milliseconds. ``again``: when it is begun once more."""

    began: int
    ended: int | None = None
    error: str | None = None
    cause: str | None = None
    again: int | None = None

    def as_json(self) -> dict[str, Any]:
        told = {"began": self.began, "ended": self.ended, "error": self.error, "cause": self.cause, "again": self.again}
        return {name: value for name, value in told.items() if value is not None}


@dataclass(slots=True)
class Wait:
    """What a state waits for: ``time``, ``retry``, ``approval``, ``token``, ``execution`` or ``function``, of that
    name or id, and until when at the most; or for the ``end``, until what was begun elsewhere is told of it, or taken
    away."""

    what: str
    name: str = ""
    until: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {"for": self.what, "name": self.name, "until": self.until}


@dataclass(slots=True)
class Visit:
    """A state that was entered. ``status``: ``completed``, ``caught``, ``failed``, ``aborted`` (something beside it, or
    the execution, ended first), ``running`` or ``waiting``. ``event`` is the number of the event that tells of its
    entering. ``result`` is what a Task's call gave. ``flows`` are the branches of a Parallel, or what a Map does with
    its items, of its last attempt; ``length`` is the number of a Map's items."""

    name: str
    kind: str
    event: int
    entered: int
    input: Any
    status: str = "running"
    left: int | None = None
    output: Any = None
    result: Any = None
    error: str | None = None
    cause: str | None = None
    next: str | None = None
    resource: str = ""
    length: int | None = None
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    flows: dict[int, Flow] = field(default_factory=dict[int, "Flow"])
    waits: Wait | None = None

    @property
    def over(self) -> bool:
        return self.left is not None

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "name": self.name,
            "type": self.kind,
            "event": self.event,
            "status": self.status,
            "entered": self.entered,
            "left": self.left,
            "input": self.input,
        }
        if self.status in ("completed", "caught"):
            told["output"] = self.output
        for name in ("result", "error", "cause", "next", "length"):
            if (value := getattr(self, name)) is not None:
                told[name] = value
        if self.resource:
            told["resource"] = self.resource
        if self.waits is not None:
            told["waits"] = self.waits.as_json()
        if self.attempts:
            told["attempts"] = [attempt.as_json() for attempt in self.attempts]
        if self.flows:
            told["flows"] = [flow.as_json() for flow in self.flows.values()]
        return told


@dataclass(slots=True)
class Flow:
    """The states of a machine, of a branch, or of one item, in order."""

    index: int = 0
    status: str = "running"
    visits: list[Visit] = field(default_factory=list[Visit])

    def as_json(self) -> dict[str, Any]:
        return {"index": self.index, "status": self.status, "states": [visit.as_json() for visit in self.visits]}

    def walk(self) -> Iterator[Visit]:
        """Every state that was entered, those within others after them."""
        for visit in self.visits:
            yield visit
            for flow in visit.flows.values():
                yield from flow.walk()
