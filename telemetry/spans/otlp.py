"""Spans go out by OTLP over HTTP, with OpenTelemetry's own exporter: its environment variables, headers, compression,
certificates and repetitions are as everywhere. Needs ``pip install 'overwinter[otel]'``.

The SDK's own spans cost more to make and to encode than a durable step does. So a span becomes OTLP's message at once,
and the exporter's client sends what these add up to. Another exporter than that one, or a release of it that has no
such client, is given the SDK's spans.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from ...state.errors import InvalidInput
from .conventions import SCHEMA
from .span import MS, WITHIN, Attribute, Kind, Span

try:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, SpanFlags, Status
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message
    from opentelemetry.sdk.resources import Resource
except ImportError as error:
    raise InvalidInput(f"traces need OpenTelemetry: pip install 'overwinter[otel]' ({error})") from error

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_KINDS: Mapping[Kind, Any] = {
    "internal": Message.SPAN_KIND_INTERNAL,
    "server": Message.SPAN_KIND_SERVER,
    "client": Message.SPAN_KIND_CLIENT,
    "producer": Message.SPAN_KIND_PRODUCER,
    "consumer": Message.SPAN_KIND_CONSUMER,
}
_KNOWN = SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
_REMOTE = _KNOWN | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
_WHOLE = 1 << 63
_INSTANCE = "service.instance.id"


class Otlp:
    """``exporter``: any of OpenTelemetry's; None: OTLP over HTTP to ``endpoint``, by default where the environment
    says."""

    def __init__(self, exporter: SpanExporter | None = None, *, endpoint: str | None = None) -> None:
        self._exporter = OTLPSpanExporter(endpoint=endpoint) if exporter is None else exporter
        self.post = _client_of(self._exporter)
        self.resource = _resource()
        self._as_message = ResourceMessage(attributes=_attributes(self.resource.attributes))
        self._scope = InstrumentationScope(name="overwinter", version=version("overwinter"))

    def encode(self, span: Span) -> Message | Span:
        return span if self.post is None else message(span)

    def send(self, encoded: Sequence[Any]) -> bool:
        if self.post is None:
            return self.export(encoded)
        scope = ScopeSpans(scope=self._scope, spans=encoded, schema_url=SCHEMA)
        sent = ResourceSpans(resource=self._as_message, scope_spans=[scope], schema_url=self.resource.schema_url)
        return self.post(ExportTraceServiceRequest(resource_spans=[sent]).SerializeToString())

    def export(self, spans: Sequence[Span]) -> bool:
        from .sdk import readable

        return bool(self._exporter.export([readable(span, self.resource) for span in spans]).value == 0)

    def close(self) -> None:
        self._exporter.shutdown()


def _client_of(exporter: object) -> Callable[[bytes], bool] | None:
    """What sends bytes for OpenTelemetry's exporter over HTTP; None when there is no such thing."""
    client = getattr(exporter, "_client", None)
    if type(exporter) is not OTLPSpanExporter or not callable(getattr(client, "export", None)):
        return None
    return partial(_sent, client)


def _sent(client: Any, body: bytes) -> bool:
    return bool(client.export(body).success)


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


def message(span: Span) -> Message:
    """The span as OTLP says it."""
    try:
        return _message(span)
    except UnicodeEncodeError:  # half a character somewhere: rare, and looked for only then
        return _message(_whole_characters(span))


def _message(span: Span) -> Message:
    made = Message(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_id),
        name=span.name,
        kind=_KINDS[span.kind],
        start_time_unix_nano=span.start * MS,
        end_time_unix_nano=span.end * MS + WITHIN,
        flags=_REMOTE if span.parent_id else _KNOWN,
        trace_state=span.tracestate,
    )
    if span.attributes:
        made.attributes.extend(_attributes(span.attributes))
    if span.error:
        made.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=span.error))
    for event in span.events:
        made.events.add(name=event.name, time_unix_nano=event.at * MS, attributes=_attributes(event.attributes))
    for link in span.links:
        ids = {"trace_id": bytes.fromhex(link.trace_id), "span_id": bytes.fromhex(link.span_id)}
        made.links.add(**ids, attributes=_attributes(link.attributes), flags=_REMOTE)
    return made


def _whole_characters(value: Any) -> Any:
    """The same with a question mark for each half."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        told = cast("Mapping[str, Any]", value)
        return {_whole_characters(key): _whole_characters(one) for key, one in told.items()}
    if isinstance(value, (tuple, list)):
        several = cast("Sequence[Any]", value)
        parts = [_whole_characters(one) for one in several]
        return type(several)(*parts) if hasattr(several, "_fields") else tuple(parts)
    return value


def _attributes(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in attributes.items()]


def _value(value: Attribute) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value) if -_WHOLE <= value < _WHOLE else AnyValue(string_value=str(value))
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[_value(one) for one in value]))
