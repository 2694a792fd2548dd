"""In which trace somebody else's tools are called: in that of the call itself, as long as traces are on."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from ...orchestrator.engine.performing import current_call
from ...telemetry.spans.ids import tracestate_of

_UNTRACED: Mapping[str, str] = {}


def trace_of_call() -> Mapping[str, str]:
    """``traceparent``, ``tracestate`` and ``baggage`` of the call that this code runs in; nothing outside of one, and
    with traces switched off: what a caller has handed over is then not told to others."""
    try:
        call = current_call()
    except LookupError:
        return _UNTRACED
    return _UNTRACED if call.tracing is None else call.trace


def add_trace(headers: MutableMapping[str, str]) -> None:
    """Put the trace among the headers of a request, beside what somebody has put there by hand."""
    there = {name.lower() for name in headers}
    for name, value in trace_of_call().items():
        if name not in there:
            headers[name] = value


@contextmanager
def ambient(trace: Mapping[str, str]) -> Generator[None]:
    """Make it the trace that OpenTelemetry's API knows of. The MCP SDK makes spans by that API and writes theirs over
    what a request says: where a program exports them they hang under the call, and elsewhere they are the call."""
    if "traceparent" not in trace:
        yield
        return
    said = {"traceparent": trace["traceparent"], "tracestate": tracestate_of(trace.get("tracestate", ""))}
    contexts: Any = importlib.import_module("opentelemetry.context")
    w3c: Any = importlib.import_module("opentelemetry.trace.propagation.tracecontext")
    token = contexts.attach(w3c.TraceContextTextMapPropagator().extract(said))
    try:
        yield
    finally:
        contexts.detach(token)
