"""In which trace others are asked to do something: in that of the call itself, as long as traces are on."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from ...orchestrator.engine.performing import current_call

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
