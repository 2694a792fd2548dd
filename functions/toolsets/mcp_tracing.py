"""The trace of a call as the MCP SDK sees it, which makes spans of its own by OpenTelemetry's API."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def ambient(trace: Mapping[str, str]) -> Generator[None]:
    """Make it the trace that OpenTelemetry's API knows of. The SDK writes its span over what a request says: where a
    program exports these spans they hang under the call, and elsewhere they are the call."""
    if "traceparent" not in trace:
        yield
        return
    from ...telemetry.spans.ids import tracestate_of  # only where traces are on

    said = {"traceparent": trace["traceparent"], "tracestate": tracestate_of(trace.get("tracestate", ""))}
    contexts: Any = importlib.import_module("opentelemetry.context")
    w3c: Any = importlib.import_module("opentelemetry.trace.propagation.tracecontext")
    token = contexts.attach(w3c.TraceContextTextMapPropagator().extract(said))
    try:
        yield
    finally:
        contexts.detach(token)
