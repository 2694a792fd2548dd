"""Spans go out by OTLP over HTTP, with OpenTelemetry's own exporter: its environment variables, headers, compression,
certificates and repetitions are as everywhere. Needs ``pip install 'overwinter[otel]'``.

The SDK's own spans cost more to make and to encode than a durable step does. So a span becomes the bytes of OTLP's
message at once (``wire``), and the exporter's client sends what these add up to. Another exporter than that one, or a
release of it that has no such client, is given the SDK's spans.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ...state.errors import InvalidInput
from .span import Span, Step, whole
from .wire import encoded, framed

try:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
except ImportError as error:
    raise InvalidInput(f"traces need OpenTelemetry: pip install 'overwinter[otel]' ({error})") from error

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_INSTANCE = "service.instance.id"
_RESOURCES, _SCOPES, _SPANS = b"\x0a", b"\x12", b"\x12"
"""Fields: of a request, of a resource's spans, of a scope's."""
_NONE = Span("0" * 31 + "1", "0" * 15 + "1", "", "", "internal", 0, 0)


class Otlp:
    """``exporter``: any of OpenTelemetry's; None: OTLP over HTTP to ``endpoint``, by default where the environment
    says."""

    def __init__(self, exporter: SpanExporter | None = None, *, endpoint: str | None = None) -> None:
        self._exporter = OTLPSpanExporter(endpoint=endpoint) if exporter is None else exporter
        self.post = _client_of(self._exporter)
        self.encode: Callable[[Span | Step], bytes | Span] = whole if self.post is None else encoded
        self.resource = _resource()
        self._frame: tuple[bytes, bytes] | None = None  # what stands around spans: of the resource, and of the scope

    def send(self, made: Sequence[Any]) -> bool:
        if self.post is None:
            return self.export(made)
        resource, scope = self._frame = self._frame or self._around()
        scoped = framed(_SCOPES, [scope + framed(_SPANS, made)])
        return self.post(framed(_RESOURCES, [resource + scoped]))

    def _around(self) -> tuple[bytes, bytes]:
        """As OpenTelemetry's own encoder says it."""
        from .sdk import readable

        (whole,) = encode_spans([readable(_NONE, self.resource)]).resource_spans
        scope = whole.scope_spans[0]
        scope.ClearField("spans")
        whole.ClearField("scope_spans")
        return whole.SerializeToString(), scope.SerializeToString()

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
