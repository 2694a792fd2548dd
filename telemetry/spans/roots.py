"""The span that others hang under: an execution, a turn of a session, or a stretch of one between long waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .conventions import Attributes, Described, failure
from .ids import Context
from .span import Link, Span, SpanEvent

Fact = Mapping[str, Any]


class Open:
    """An operation of which something is known and that has not ended. ``waits``: nobody is at work on it here."""

    __slots__ = ("entry", "errors", "since", "waits")

    def __init__(self, entry: Fact, since: int, *, waits: bool = False) -> None:
        self.entry = entry
        self.since = since
        self.waits = waits
        self.errors: list[SpanEvent] = []


class Root:
    """What is open of it. ``begin`` names it within its execution; ``number`` is the entry that it begins with."""

    __slots__ = (
        "begin", "context", "cost", "described", "done", "events", "last", "links", "number", "parent_id", "start",
    )  # fmt: skip

    def __init__(
        self, begin: tuple[object, ...], context: Context, parent_id: str, described: Described, start: int, number: int
    ) -> None:
        self.begin = begin
        self.context = context
        self.parent_id = parent_id
        self.described = described
        self.start = self.last = start
        self.number = number
        self.events: list[SpanEvent] = []
        self.links: list[Link] = []
        self.cost = 0.0
        self.done: set[str] = set()

    def event(self, name: str, at: int, **said: str | int | float | bool) -> None:
        """Something that is worth knowing and no span. Empty texts say nothing."""
        told = {key.replace("__", "."): value for key, value in said.items() if value != ""}
        self.events.append(SpanEvent(name, at, told))

    def closed(self, end: int, error: Any = None, links: tuple[Link, ...] = (), status: str = "") -> Span:
        attributes: Attributes = dict(self.described.attributes)
        if status:
            attributes["overwinter.status"] = status
        text = ""
        if self.cost:
            attributes["overwinter.cost"] = round(self.cost, 9)
        if error is not None:
            text, classes = failure(error)
            attributes |= classes
        context, described = self.context, self.described
        return Span(
            context.trace_id,
            context.span_id,
            self.parent_id,
            described.name,
            described.kind,
            self.start,
            max(end, self.start),
            attributes,
            tuple(self.events),
            (*self.links, *links),
            text,
            context.tracestate,
        )
