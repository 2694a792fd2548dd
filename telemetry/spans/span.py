"""A span as it is exported: a value without life of its own, made when its end is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from .ids import Context

Attribute = str | int | float | bool | tuple[str, ...]
MS = 1_000_000
"""Nanoseconds."""
WITHIN = 1_000
"""Nanoseconds. A record's time is the millisecond in which something ended. Receivers take a span without any duration
for a clock that goes wrong, and some of them count in microseconds; so each ends that much within its last one."""
Kind = Literal["internal", "client", "server", "producer", "consumer"]


class SpanEvent(NamedTuple):
    """Something that happened within a span. ``at`` is in milliseconds since 1970."""

    name: str
    at: int
    attributes: Mapping[str, Attribute] = {}


class Link(NamedTuple):
    """Another span that this one has to do with and does not hang under."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Attribute] = {}


class Span(NamedTuple):
    """``trace_id`` has 32 hexadecimal digits, ``span_id`` and ``parent_id`` ("" none) have 16. ``start`` and ``end``
    are in milliseconds since 1970. ``error`` is "" when nothing failed."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: Kind
    start: int
    end: int
    attributes: Mapping[str, Attribute] = {}
    events: Sequence[SpanEvent] = ()
    links: Sequence[Link] = ()
    error: str = ""
    tracestate: str = ""


class Step(NamedTuple):
    """The span of a step about which nothing else is known, as most are, in short. ``context`` is its root's, and
    ``span_id`` has 8 bytes."""

    context: Context
    span_id: bytes
    name: str
    op: str
    start: int
    end: int

    @property
    def span(self) -> Span:
        context = self.context
        return Span(
            context.trace_id, self.span_id.hex(), context.span_id, self.name, "internal", self.start, self.end,
            {"overwinter.operation": self.op}, tracestate=context.tracestate,
        )  # fmt: skip


def whole(span: Span | Step) -> Span:
    return span.span if isinstance(span, Step) else span
