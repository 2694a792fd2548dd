"""What AWS puts around an event on its way, a notification of SNS or an event of EventBridge: the event in it, or it as
one.

========================================================  ==========================================================
the body of a message of SQS, or what a function gets     means
========================================================  ==========================================================
``{"specversion": "1.0", …}``                             a CloudEvent: it was sent to the queue, or to a topic whose
                                                          subscription delivers it raw
``{"Type": "Notification", "Message": "…", …}``           what stands in its ``Message``: SNS without raw delivery, to a
                                                          function of Lambda in the one of its ``Records``
``{"detail-type": …, "source": …, "detail": …, …}``       the CloudEvent in its ``detail``, or else it as one
========================================================  ==========================================================
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ...state.codec import loads
from ...state.errors import InvalidEvent
from .event import CloudEvent
from .http import from_json
from .tracing import INVOKED_IN, traceparent


def opened(document: Any) -> Any:
    """What SNS has put its envelope around; anything else as it is. Raises InvalidEvent."""
    members = _members(document)
    records: list[Any] = members["Records"] if type(members.get("Records")) is list else []
    if len(records) == 1:  # to a function of Lambda
        record = _members(records[0])
        members = _members(record.get("Sns")) if record.get("EventSource") == "aws:sns" else members
    return of_text(members.get("Message")) if members.get("Type") == "Notification" else document


def _members(document: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", document) if type(document) is dict else {}


def of_text(text: object) -> Any:
    """The document that a message is. Raises InvalidEvent."""
    if not isinstance(text, str):
        raise InvalidEvent(f"a message without a text is no event, but {type(text).__name__}")
    try:
        return loads(text)
    except ValueError as error:
        raise InvalidEvent(f"the body is not valid JSON: {error}") from None


def event_of(document: Any) -> CloudEvent | None:
    """The event that a document is, SNS's envelope taken off; None for one of another shape. Raises InvalidEvent."""
    members = _members(document)
    if "specversion" in members:
        return from_json(traced(members, os.environ.get(INVOKED_IN, "")))
    if "detail-type" in members and "source" in members:
        return from_eventbridge(members)
    return None


def from_eventbridge(members: Mapping[str, Any]) -> CloudEvent:
    """The CloudEvent in the detail, or else the EventBridge event as one.

    Then ``type`` is the detail-type, ``data`` the detail, and ``subject`` the resource, when it names exactly one.
    """
    detail = members.get("detail")
    if type(detail) is dict and "specversion" in cast("dict[str, Any]", detail):
        return from_json(detail)
    named = members.get("resources")
    resources: list[Any] = list(cast("Sequence[Any]", named)) if isinstance(named, list) else []
    trace = traceparent(os.environ.get(INVOKED_IN, ""))
    return CloudEvent(
        id=members.get("id", ""),
        source=members["source"],
        type=members["detail-type"],
        time=members.get("time"),
        subject=resources[0] if len(resources) == 1 else None,
        data=detail,
        extensions={"traceparent": trace} if trace else None,
    )


def traced(members: Mapping[str, Any], header: str) -> Mapping[str, Any]:
    """A CloudEvent's members with the trace that X-Ray's header says, unless they say one themselves."""
    if members.get("traceparent") or not (found := traceparent(header)):
        return members
    return {**members, "traceparent": found}
