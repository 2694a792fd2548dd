"""What a Lambda event asks for: a sweep, or that a CloudEvent is taken in. A JSON document in, its meaning out.

{"overwinter": "sweep"}                                       the schedule
{"specversion": "1.0", …}                                     a CloudEvent
{"detail-type": …, "source": …, "detail": …}                  an EventBridge event; its detail may be a CloudEvent
{"overwinter": "event", "function": NAME, "event": …}         either of them, for one function
{"overwinter": "call", "function": NAME, "input": …}          a Task of Step Functions, which waits for what comes of it
{"Type": "Notification", "Message": "…"}                      any of these, in the envelope of SNS
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from ...state.errors import InvalidEvent
from ..events.envelopes import event_of, opened
from ..events.event import CloudEvent

SHAPES = (
    'an HTTP request (payload format 2.0), an SQS batch, an EventBridge event, a CloudEvent, {"overwinter": "sweep"}, '
    '{"overwinter": "event", "function": NAME, "event": {…}} or {"overwinter": "call", "function": NAME, "input": …}'
)


class Sweep(NamedTuple):
    """Take up what is due."""


class Call(NamedTuple):
    """Call a function and tell whoever invokes what comes of it."""

    function: str
    input: Any


class Delivery(NamedTuple):
    """An event to take in; ``function`` is set when it was sent to that function, whatever its type."""

    event: CloudEvent
    function: str = ""


def read(document: Any) -> Sweep | Call | Delivery:
    """The meaning of a document. Raises InvalidEvent that names the shapes that are understood."""
    document = opened(document)
    if type(document) is not dict:
        raise InvalidEvent(f"a {type(document).__name__} is no event; send {SHAPES}")
    members = cast("dict[str, Any]", document)
    asked = members.get("overwinter")
    if asked == "sweep":
        return Sweep()
    if asked in ("event", "call"):
        function = members.get("function")
        if not isinstance(function, str) or not function:
            raise InvalidEvent(f'{{"overwinter": "{asked}"}} needs a "function", the name of one that is served here')
        if asked == "call":
            return Call(function, members.get("input"))
        return Delivery(_event(members.get("event")), function)
    return Delivery(_event(members))


def _event(document: Any) -> CloudEvent:
    event = event_of(document)
    if event is not None:
        return event
    members = cast("dict[str, Any]", document) if type(document) is dict else {}
    known = ", ".join(sorted(map(str, members))[:8]) or "nothing"
    raise InvalidEvent(f"an event with {known[:200]} is not understood; send {SHAPES}")
