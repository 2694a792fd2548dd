"""Messages of ``sqs:sendMessage`` and ``sns:publish``, entries of ``events:putEvents``: events for those who have
subscribed here, and what AWS would answer. Pure.

The type of the event of a message is the name of its queue or topic, unless the table of resources gives another; of an
entry it is the DetailType. Its id follows from the operation, so that it is taken once however often it is sent.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast
from urllib.parse import quote

from ...orchestrator.machine.language.failure import RUNTIME, QueryError
from ...orchestrator.machine.running.failure import Failure
from ...orchestrator.machine.running.resources import Asking
from ..events.attributes import RESERVED, held

Event = dict[str, Any]
Named = Callable[[str], str | None]
_FIFO = ".fifo"
_PLAIN = re.compile(r"[^a-z0-9]")
_URI_SAFE = ":/?#[]@!$&'()*+,;=%"
MOST = 10  # entries of one putEvents


class Message(NamedTuple):
    """A message and what it is sent to: where, as what."""

    service: str
    place: str  # URL or ARN
    body: Any
    text: str  # the body as AWS counts it


def message_events(name: str, given: Mapping[str, Any], asking: Asking, named: Named) -> tuple[Event, ...]:
    """The event of a message of SQS or SNS. Raises QueryError."""
    message = _message(name, given)
    target = re.split(r"[/:]", message.place)[-1]
    kind = named(message.place) or target.removesuffix(_FIFO)
    event: Event = {
        "specversion": "1.0",
        "id": event_id(asking, 0),
        "source": _source(asking),
        "type": held(kind),
        "time": _time(asking.at),
        **_attributes(name, given.get("MessageAttributes")),
    }
    subject, group, once = (given.get(one) for one in ("Subject", "MessageGroupId", "MessageDeduplicationId"))
    if isinstance(subject, str) and subject:
        event["subject"] = held(subject)
    if isinstance(group, str) and group:
        event["partitionkey"] = held(group)
    if isinstance(once, str) and once:  # whoever sends it again means the same message
        event |= {"id": held(once), "source": f"/{message.service}/{quote(target)}"}
    return (event | {"datacontenttype": "application/json", "data": message.body},)


def message_answer(name: str, given: Mapping[str, Any], asking: Asking, refused: Mapping[int, str]) -> Any | Failure:
    """What AWS says when it has a message."""
    message = _message(name, given)
    if refused:
        service = message.service.upper()
        return Failure(f"{service}.Amazon{service}Exception", refused[0])
    answer: dict[str, Any] = {}
    if message.service == "sqs":
        answer["MD5OfMessageBody"] = hashlib.md5(message.text.encode(), usedforsecurity=False).hexdigest()
    answer["MessageId"] = event_id(asking, 0)
    return answer | metadata(event_id(asking, 1))


def metadata(request: str, status: int = 200) -> dict[str, Any]:
    """What AWS's integrations tell of the request beside its result."""
    headers = {"x-amzn-RequestId": request}
    listed = {name: [value] for name, value in headers.items()}
    http = {"AllHttpHeaders": listed, "HttpHeaders": headers, "HttpStatusCode": status}
    return {"SdkHttpMetadata": http, "SdkResponseMetadata": {"RequestId": request}}


def entry_events(given: Mapping[str, Any], asking: Asking) -> tuple[Event, ...]:
    """The events of those entries that are right. Raises QueryError."""
    return tuple(event for event, _ in _entries(given, asking) if event is not None)


def entry_answer(given: Mapping[str, Any], asking: Asking, refused: Mapping[int, str]) -> Any | Failure:
    """What AWS says of the entries; that one has failed fails the Task."""
    told: list[dict[str, str]] = []
    sent = 0
    for number, (event, wrong) in enumerate(_entries(given, asking)):
        if event is None:
            told.append(wrong)
        elif sent in refused:
            told.append({"ErrorCode": "InvalidArgument", "ErrorMessage": refused[sent]})
        else:
            told.append({"EventId": event_id(asking, number)})
        sent += event is not None
    failed = sum("ErrorCode" in one for one in told)
    answer = {"Entries": told, "FailedEntryCount": failed}
    if failed:
        cause = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        return Failure("EventBridge.FailedEntry", cause)
    return answer


def event_id(asking: Asking, number: int) -> str:
    """A UUID that follows from the operation."""
    told = f"event\n{asking.execution}\n{asking.seed}\n{asking.op}\n{number}"
    return str(uuid.UUID(bytes=hashlib.sha256(told.encode()).digest()[:16], version=4))


def _message(name: str, given: Mapping[str, Any]) -> Message:
    """What stands for the body, the place and the whole text of a message. Raises QueryError."""
    service = name.partition(":")[0]
    field, where = ("MessageBody", ("QueueUrl",)) if service == "sqs" else ("Message", ("TopicArn", "TargetArn"))
    places = [given[one] for one in where if one in given]
    if not places or not isinstance(places[0], str) or not places[0]:
        raise QueryError(RUNTIME, f"The field '{where[0]}' is required but was missing")
    if field not in given:
        raise QueryError(RUNTIME, f"The field '{field}' is required but was missing")
    if given.get("DelaySeconds"):
        raise QueryError(RUNTIME, "DelaySeconds is not kept here: what is published goes at once. Use a Wait state")
    body = given[field]
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    if given.get("MessageStructure") == "json":
        body = _default(body)
    return Message(service, places[0], body, text)


def _default(body: Any) -> Any:
    """Of a message that says something else to each protocol, what it says to all others. Raises QueryError."""
    try:
        told = json.loads(body) if isinstance(body, str) else body
        return told["default"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise QueryError(RUNTIME, "With MessageStructure json, Message is an object with a field 'default'") from None


def _attributes(name: str, given: Any) -> dict[str, str]:
    """The attributes of a message as those of an event. Raises QueryError for one that no event can have."""
    found: dict[str, str] = {}
    for key, told in cast("dict[str, Any]", given).items() if isinstance(given, dict) else ():
        plain = _PLAIN.sub("", key.lower())
        value = cast("dict[str, Any]", told).get("StringValue") if isinstance(told, dict) else None
        if not plain or plain in RESERVED or plain in found or not isinstance(value, str) or not value:
            raise QueryError(RUNTIME, f"The attribute {key[:80]!r} of a message of {name} can't go with an event here")
        found[plain] = held(value)
    return found


def _entries(given: Mapping[str, Any], asking: Asking) -> list[tuple[Event | None, dict[str, str]]]:
    """For each entry its event, or what is wrong with it. Raises QueryError."""
    entries: Any = given.get("Entries")
    if not isinstance(entries, list) or not 0 < len(cast("Sequence[Any]", entries)) <= MOST:
        raise QueryError(RUNTIME, f"The field 'Entries' is a list of 1 to {MOST} entries")
    return [_entry(one, asking, number) for number, one in enumerate(cast("Sequence[Any]", entries))]


def _entry(entry: Any, asking: Asking, number: int) -> tuple[Event | None, dict[str, str]]:
    told: Mapping[str, Any] = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    for field in ("Source", "DetailType", "Detail"):
        if not told.get(field) and told.get(field) != {}:
            why = f"Parameter {field} is not valid. Reason: {field} is a required argument."
            return None, {"ErrorCode": "InvalidArgument", "ErrorMessage": why}
    detail = told["Detail"]
    try:
        data = json.loads(detail) if isinstance(detail, str) else detail
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return None, {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    bus = str(told.get("EventBusName") or "default").rpartition("/")[2]
    event: Event = {
        "specversion": "1.0",
        "id": event_id(asking, number),
        "source": quote(str(told["Source"]), safe=_URI_SAFE),
        "type": held(str(told["DetailType"])),
        "time": _time(asking.at),
        **({} if bus == "default" else {"eventbus": held(bus)}),
        "datacontenttype": "application/json",
        "data": data,
    }
    return event, {}


def _source(asking: Asking) -> str:
    return f"/overwinter/{quote(asking.machine, safe='')}/{quote(asking.execution, safe='/')}"


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
