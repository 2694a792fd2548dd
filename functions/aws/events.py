"""What a Lambda event asks for: a sweep, or that a CloudEvent is taken in. A JSON document in, its meaning out.

{"overwinter": "sweep"}                                       the schedule
{"specversion": "1.0", …}                                     a CloudEvent
{"detail-type": …, "source": …, "detail": …}                  an EventBridge event; its detail may be a CloudEvent
{"overwinter": "event", "function": NAME, "event": …}         either of them, for one function
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from ...state.errors import InvalidEvent
from ..events.event import CloudEvent
from ..events.http import from_json

SHAPES = (
    'an HTTP request (payload format 2.0), an SQS batch, an EventBridge event, a CloudEvent, {"overwinter": "sweep"} '
    'or {"overwinter": "event", "function": NAME, "event": {…}}'
)
_TRACE = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24});Parent=([0-9a-f]{16});Sampled=([01])")


class Sweep(NamedTuple):
    """Take up what is due."""


class Delivery(NamedTuple):
    """An event to take in; ``function`` is set when it was sent to that function, whatever its type."""

    event: CloudEvent
    function: str = ""


def read(document: Any) -> Sweep | Delivery:
    """The meaning of a document. Raises InvalidEvent that names the shapes that are understood."""
    if type(document) is not dict:
        raise InvalidEvent(f"a {type(document).__name__} is no event; send {SHAPES}")
    members = cast("dict[str, Any]", document)
    asked = members.get("overwinter")
    if asked == "sweep":
        return Sweep()
    if asked == "event":
        function = members.get("function")
        if not isinstance(function, str) or not function:
            raise InvalidEvent('{"overwinter": "event"} needs a "function", the name of one that is served here')
        return Delivery(_event(members.get("event")), function)
    return Delivery(_event(members))


def _event(document: Any) -> CloudEvent:
    members = cast("dict[str, Any]", document) if type(document) is dict else {}
    if "specversion" in members:
        return from_json(members)
    if "detail-type" in members and "source" in members:
        return from_eventbridge(members)
    known = ", ".join(sorted(map(str, members))[:8]) or "nothing"
    raise InvalidEvent(f"an event with {known[:200]} is not understood; send {SHAPES}")


def from_eventbridge(members: Mapping[str, Any]) -> CloudEvent:
    """The CloudEvent in the detail, or else the EventBridge event as one.

    Then ``type`` is the detail-type, ``data`` the detail, and ``subject`` the resource, when it names exactly one.
    """
    detail = members.get("detail")
    if type(detail) is dict and "specversion" in cast("dict[str, Any]", detail):
        return from_json(detail)
    named = members.get("resources")
    resources: list[Any] = list(cast("Sequence[Any]", named)) if isinstance(named, list) else []
    trace = traceparent(os.environ.get("_X_AMZN_TRACE_ID", ""))
    return CloudEvent(
        id=members.get("id", ""),
        source=members["source"],
        type=members["detail-type"],
        time=members.get("time"),
        subject=resources[0] if len(resources) == 1 else None,
        data=detail,
        extensions={"traceparent": trace} if trace else None,
    )


def traceparent(header: str) -> str:
    """X-Ray's trace header as W3C Trace Context writes it; "" for any other text."""
    match = _TRACE.search(header)
    return "" if match is None else f"00-{match[1]}{match[2]}-{match[3]}-0{match[4]}"
