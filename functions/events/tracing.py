"""The trace that a received event belongs to (W3C Trace Context, as the CloudEvents extension carries it).

Tracing is for those who look on: a ``traceparent`` that is none costs the trace, which begins anew, and never the
event. One of a newer version is carried as it came; what of it is known keeps its place in every version.
"""

from __future__ import annotations

from typing import Any

from ...orchestrator.protocol import callers
from ...orchestrator.protocol.callers import REQUEST, traced
from ...state.errors import InvalidEvent
from ..messages.message import RawHeaders
from ..tracing import to_collector
from .attributes import TRACEPARENT, text

TRACE = ("traceparent", "tracestate")
XRAY = b"x-amzn-trace-id"
INVOKED_IN = "_X_AMZN_TRACE_ID"
"""Where Lambda says in which trace it runs what it runs just now."""


def traceable(attributes: dict[str, Any]) -> None:
    """Take out of what was received a trace that can't be gone on with: both of its attributes, or the state alone."""
    parent = attributes.get("traceparent")
    known = isinstance(parent, str) and TRACEPARENT.fullmatch(parent) is not None
    if not known:
        attributes.pop("traceparent", None)
    if "tracestate" in attributes and not (known and _is_text(attributes["tracestate"])):
        del attributes["tracestate"]


def _is_text(value: object) -> bool:
    try:
        text("tracestate", value)
    except InvalidEvent:
        return False
    return True


def trace_of(headers: RawHeaders, *, traces: bool = False) -> dict[str, str]:
    """The trace that a request belongs to, as what it begins goes on with it: W3C's header, or X-Ray's, which AWS may
    have begun for this request alone. ``traces``: they are looked at here, so one without a trace is told as a request
    all the same."""
    found = {name: [value for key, value in headers if key == name.encode()] for name in callers.TRACE}
    said = {name: b",".join(values).decode("latin-1") for name, values in found.items()}
    if said["traceparent"]:
        return traced(said)
    said["traceparent"] = traceparent(b"".join(value for key, value in headers if key == XRAY).decode("latin-1"))
    told = traced(said)
    if "traceparent" in told:
        return {**told, "from": REQUEST}
    return {**told, "from": callers.HTTP} if traces else told


def traceparent(header: str) -> str:
    """X-Ray's trace header as W3C Trace Context writes it; "" for any other text. Where spans go elsewhere, a trace
    that X-Ray does not keep is none: X-Ray may just be off, and says nothing of what others are to keep."""
    if not header:
        return ""
    from ...telemetry.xray.header import traceparent_of  # only where there is one

    found = traceparent_of(header)
    return "" if found.endswith("-00") and to_collector() else found
