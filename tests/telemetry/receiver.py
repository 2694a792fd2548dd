"""A collector of the tests' own: takes OTLP as protobuf over HTTP, and keeps the spans and the newest metrics."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Received(NamedTuple):
    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int  # ms
    end: int
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    links: list[tuple[str, str]]
    failed: bool
    service: str
    resource: dict[str, Any]
    nanoseconds: int  # how long it was


class Receiver:
    """``refuse``: answer that it can't, for so many requests. ``hold``: answers wait for that."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.metrics: dict[str, Any] = {}
        self.requests = self.refuse = 0
        self.hold = threading.Event()
        self.hold.set()

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver.hold.wait(20)
                receiver.requests += 1
                status = 200
                if receiver.refuse > 0:
                    receiver.refuse -= 1
                    status = 400
                else:
                    assert self.path in ("/v1/traces", "/v1/metrics")
                    receiver.take(body) if self.path == "/v1/traces" else receiver.measure(body)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hold.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = plain(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.spans += [_received(span, about) for span in scope.spans]

    def measure(self, body: bytes) -> None:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            self.metrics |= {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}

    def named(self, name: str, kind: int = 0) -> Received:
        """The only one of that name."""
        found = [span for span in self.spans if span.name == name and kind in (0, span.kind)]
        assert len(found) == 1, [span.name for span in self.spans]
        return found[0]


def plain(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def _received(span: Any, resource: dict[str, Any]) -> Received:
    return Received(
        span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.name, span.kind,
        span.start_time_unix_nano // 1_000_000, span.end_time_unix_nano // 1_000_000, plain(span.attributes),
        [(event.name, plain(event.attributes)) for event in span.events],
        [(link.trace_id.hex(), link.span_id.hex()) for link in span.links], span.status.code == 2,
        resource.get("service.name", ""), resource, span.end_time_unix_nano - span.start_time_unix_nano,
    )  # fmt: skip
