"""Spans as OpenTelemetry's SDK has them, for exporters that are given those. Needs the extra ``otel``."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link as SdkLink
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from .conventions import SCHEMA
from .span import MS, WITHIN, Link, Span, SpanEvent

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_STATES = 256


def readable(span: Span, resource: Resource) -> ReadableSpan:
    """The span as the SDK has it."""
    context = _context(span.trace_id, span.span_id, span.tracestate, remote=False)
    parent = _context(span.trace_id, span.parent_id, span.tracestate, remote=True) if span.parent_id else None
    return ReadableSpan(
        name=span.name,
        context=context,
        parent=parent,
        resource=resource,
        attributes=dict(span.attributes),
        events=[_event(event) for event in span.events],
        links=[_link(link) for link in span.links],
        kind=_KINDS[span.kind],
        instrumentation_scope=_scope(),
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
        start_time=span.start * MS,
        end_time=span.end * MS + WITHIN,
    )


@lru_cache(1)
def _scope() -> InstrumentationScope:
    return InstrumentationScope("overwinter", version("overwinter"), SCHEMA)


def _context(trace_id: str, span_id: str, tracestate: str, *, remote: bool) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)  # what comes here is to be kept, whatever was decided at first
    return SpanContext(int(trace_id, 16), int(span_id, 16), remote, flags, _state(tracestate))


@lru_cache(_STATES)
def _state(text: str) -> Any:
    return TraceState.from_header([text]) if text else TraceState()


def _event(event: SpanEvent) -> Event:
    return Event(event.name, dict(event.attributes), event.at * MS)


def _link(link: Link) -> SdkLink:
    return SdkLink(_context(link.trace_id, link.span_id, "", remote=True), dict(link.attributes))
