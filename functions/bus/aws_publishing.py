"""Events on their way to AWS: what each service is sent for an event, how many at a time, and what its answer means.

An event travels in its JSON form, as the body of a message of SQS or SNS or as the detail of an event of EventBridge.
A queue or topic that keeps an order (``….fifo``) gets the event's ``partitionkey`` as the group whose messages stay in
order, and the digest of its source and id, by which AWS itself forgets what comes again within five minutes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...state.codec import dumps
from ...state.errors import BrokerUnavailable, InvalidInput, OverwinterError
from ..events.event import CloudEvent
from ..events.http import to_json
from ..events.intake import key_of
from ..invocation.aws import Clients, Rejected
from ..invocation.posting import Unreached
from .aws_place import Resource

TOGETHER = 10
"""Entries that each of the services takes at once."""
LARGEST = 256 * 1024
"""Bytes of an event, and of all that travel together."""
SILENCE = 20.0
_GROUP = re.compile(r"[!-~]{1,128}")
_NAMED = {"sqs": "SQS", "sns": "SNS", "events": "EventBridge"}
_FINAL = frozenset(
    {
        "InvalidParameter",
        "InvalidParameterException",
        "InvalidParameterValue",
        "InvalidMessageContents",
        "MessageTooLong",
        "ParameterValueInvalid",
        "InvalidArgument",
        "MalformedDetail",
        "ValidationException",
        "BatchRequestTooLong",
    }
)
"""What AWS says of an event that it will never take."""
_COUNTED = frozenset({"Source", "DetailType", "Detail", "Message", "MessageBody"})
Entry = dict[str, Any]


def text_of(event: CloudEvent) -> str:
    """Its JSON form. Two code points that are no characters stand escaped: SQS and SNS take no others."""
    return dumps(to_json(event)).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def entry_of(target: Resource, event: CloudEvent) -> Entry:
    """What is sent for an event. Raises InvalidInput for one that is too large."""
    text = text_of(event)
    if target.kind == "events":
        entry: Entry = {"Source": _source(event), "DetailType": event.type[:128], "Detail": text}
    else:
        entry = {"Message" if target.kind == "sns" else "MessageBody": text}
    size = size_of(entry)
    if size > LARGEST:
        raise InvalidInput(
            f"the event {event.id[:100]!r} has {size:,} bytes, and {_NAMED[target.kind]} carries 256 KB; keep what is "
            "large elsewhere and publish where it lies"
        )
    if target.kind == "events":
        return entry | {"EventBusName": target.arn or target.name}
    if not target.fifo:
        return entry
    key, group = key_of(event), event.partitionkey
    if group is None:
        group = key
    elif not _GROUP.fullmatch(group):  # AWS takes no other characters
        group = key_of(event.replace(id=group, source="/"))
    return entry | {"MessageGroupId": group, "MessageDeduplicationId": key}


def _source(event: CloudEvent) -> str:
    """EventBridge keeps ``aws.`` for itself."""
    return f"/{event.source}"[:256] if event.source.startswith("aws.") else event.source[:256]


def size_of(entry: Entry) -> int:
    """The bytes that AWS counts."""
    return sum(len(str(entry[name]).encode()) for name in _COUNTED & entry.keys())


def batches(entries: Sequence[Entry]) -> list[int]:
    """How many of them travel together, each time."""
    sizes: list[int] = []
    room = 0
    for entry in entries:
        size = size_of(entry)
        if not sizes or sizes[-1] == TOGETHER or size > room:
            sizes.append(0)
            room = LARGEST
        sizes[-1] += 1
        room -= size
    return sizes


class Publishing:
    """Sends events to one queue, topic or bus. ``where`` is the URL of the queue, or the ARN of the topic."""

    def __init__(self, clients: Clients, target: Resource, where: str) -> None:
        self._clients = clients
        self._target = target
        self._where = where

    async def send(self, entries: Sequence[Entry]) -> list[OverwinterError | None]:
        """What speaks against each of them being durable there. They are ten at the most."""
        kind = self._target.kind
        try:
            failed = await self._clients.use(
                kind, self._target.region, SILENCE, lambda client: self._sent(client, entries)
            )
        except Rejected as error:
            return [_refused(kind, error.code, str(error))] * len(entries)
        except (Unreached, InvalidInput) as error:
            return [BrokerUnavailable(f"{_NAMED[kind]} can't take the event now: {error}")] * len(entries)
        return [_refused(kind, *failed[number]) if number in failed else None for number in range(len(entries))]

    def _sent(self, client: Any, entries: Sequence[Entry]) -> Mapping[int, tuple[str, str]]:
        """Which of them were not taken, and why."""
        if self._target.kind == "events":
            told: list[dict[str, str]] = client.put_events(Entries=list(entries))["Entries"]
            return {
                number: (one["ErrorCode"], f"{one['ErrorCode']}: {one.get('ErrorMessage', '')}")
                for number, one in enumerate(told)
                if one.get("ErrorCode")
            }
        named = [{"Id": str(number), **entry} for number, entry in enumerate(entries)]
        if self._target.kind == "sns":
            answer: dict[str, Any] = client.publish_batch(TopicArn=self._where, PublishBatchRequestEntries=named)
        else:
            answer = client.send_message_batch(QueueUrl=self._where, Entries=named)
        failed: list[dict[str, str]] = answer.get("Failed", [])
        return {int(one["Id"]): (one["Code"], f"{one['Code']}: {one.get('Message', '')}") for one in failed}


def _refused(kind: str, code: str, text: str) -> OverwinterError:
    """What AWS says of an event. Only what is wrong with the event itself is final: a topic that is not there, or may
    not be used, can be put right, and the event is sent again until it is."""
    if code.rpartition(".")[2] in _FINAL:
        return InvalidInput(f"{_NAMED[kind]} refuses the event: {text[:300]}")
    return BrokerUnavailable(f"{_NAMED[kind]} can't take the event now: {text[:300]}")
