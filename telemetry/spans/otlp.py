"""Spans go out by OTLP over HTTP, with OpenTelemetry's own exporter: its environment variables, headers, compression,
certificates and repetitions are as everywhere. Needs ``pip install 'overwinter[otel]'``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from ...state.errors import InvalidInput
from .conventions import SCHEMA
from .span import Link, Span, SpanEvent

try:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link as SdkLink
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
    from opentelemetry.trace.span import TraceState
except ImportError as error:
    raise InvalidInput(f"traces need OpenTelemetry: pip install 'overwinter[otel]' ({error})") from error

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_STATES = 256
_WITHIN = 1_000
"""Nanoseconds. A record's time is the millisecond in which something ended. Receivers take a span without any duration
for a clock that goes wrong, and some of them count in microseconds; so each ends that much within its last one."""
_INSTANCE = "service.instance.id"


class Otlp:
    """``exporter``: any of OpenTelemetry's; None: OTLP over HTTP to ``endpoint``, by default where the environment
    says."""

    def __init__(self, exporter: SpanExporter | None = None, *, endpoint: str | None = None) -> None:
        self._exporter = exporter if exporter is not None else OTLPSpanExporter(endpoint=endpoint)
        self._resource = _resource()
        self._scope = InstrumentationScope("overwinter", version("overwinter"), SCHEMA)

    def export(self, spans: Sequence[Span]) -> bool:
        return self._exporter.export([self._readable(span) for span in spans]) is SpanExportResult.SUCCESS

    def close(self) -> None:
        self._exporter.shutdown()

    def _readable(self, span: Span) -> ReadableSpan:
        context = _context(span.trace_id, span.span_id, span.tracestate, remote=False)
        parent = _context(span.trace_id, span.parent_id, span.tracestate, remote=True) if span.parent_id else None
        return ReadableSpan(
            name=span.name,
            context=context,
            parent=parent,
            resource=self._resource,
            attributes=dict(span.attributes),
            events=[_event(event) for event in span.events],
            links=[_link(link) for link in span.links],
            kind=_KINDS[span.kind],
            instrumentation_scope=self._scope,
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
            start_time=span.start * 1_000_000,
            end_time=span.end * 1_000_000 + _WITHIN,
        )


def _resource() -> Resource:
    """What is said of the service. Nothing of the process, unless the environment says it: a span follows from records,
    and whoever tells it once more has to tell the same, or receivers keep both."""
    service = {} if _said("service.name") or "OTEL_SERVICE_NAME" in os.environ else {"service.name": "overwinter"}
    made = Resource.create({**service, "overwinter.version": version("overwinter")})
    random = set[str]() if _said(_INSTANCE) else {_INSTANCE}
    return Resource({name: value for name, value in made.attributes.items() if name not in random}, made.schema_url)


def _said(name: str) -> bool:
    """Whether the environment says that of the service."""
    said = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    return any(one.partition("=")[0].strip() == name for one in said)


def _context(trace_id: str, span_id: str, tracestate: str, *, remote: bool) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)  # what comes here is to be kept, whatever was decided at first
    return SpanContext(int(trace_id, 16), int(span_id, 16), remote, flags, _state(tracestate))


@lru_cache(_STATES)
def _state(text: str) -> Any:
    return TraceState.from_header([text]) if text else TraceState()


def _event(event: SpanEvent) -> Event:
    return Event(event.name, dict(event.attributes), event.at * 1_000_000)


def _link(link: Link) -> SdkLink:
    return SdkLink(_context(link.trace_id, link.span_id, "", remote=True), dict(link.attributes))
