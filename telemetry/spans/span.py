"""A span as it is exported: a value without life of its own, made when its end is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

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
