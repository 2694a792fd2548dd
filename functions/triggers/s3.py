"""Objects that come into a bucket of S3, by the notifications that the bucket sends to a queue of SQS: directly, by a
topic of SNS, or by EventBridge.

The queue keeps what was not confirmed, and shows it again after a while; what can't be understood stays there, for the
queue's own dead letters. So the bucket is never listed, however many objects it holds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote_plus

from ...state.codec import loads
from ...state.errors import InvalidInput
from ...state.quantities import Duration, seconds
from ..events.attributes import held
from ..events.event import CloudEvent
from .source import Found, Source

log = logging.getLogger("overwinter.http")
MOST = 10  # messages that SQS gives, and takes back, at once
HIDDEN = 43200  # seconds
Json = Mapping[str, Any]


class S3(Source):
    """``queue``: the URL of the queue that the bucket's notifications come to; ``hidden``: how long a message stays
    hidden from others while it is begun. An event has the type ``com.amazonaws.s3.EVENT`` (``ObjectCreated:Put``), the
    key as its subject, and ``bucket``, ``key``, ``size``, ``etag`` and ``version`` as its data. Region and credentials
    are found as AWS's libraries find them."""

    def __init__(self, queue: str, *, every: Duration = "10s", hidden: Duration = "2m") -> None:
        if not str(queue).startswith(("https://", "http://")):
            raise InvalidInput(
                f"{queue!r:.100} is no URL of a queue; write https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
            )
        self._queue = queue
        self._hidden = int(seconds(hidden))
        if not 1 <= self._hidden <= HIDDEN:
            raise InvalidInput(
                "hidden= is between 1s and 12h, the most that SQS knows; let it be longer than a start takes"
            )
        super().__init__(f"s3 {queue}", every)

    @cached_property
    def _client(self) -> Any:
        try:
            from botocore.session import Session  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
        except ModuleNotFoundError:
            raise InvalidInput("a queue of SQS needs boto3; install overwinter[dynamodb]") from None
        made: Any = Session()
        return made.create_client("sqs")

    async def look(self, since: Any) -> Found:
        return await asyncio.to_thread(self._look)

    def _look(self) -> Found:
        answer = self._client.receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=MOST, VisibilityTimeout=self._hidden, WaitTimeSeconds=0
        )
        events: list[CloudEvent] = []
        receipts: list[str] = []
        messages: list[dict[str, str]] = answer.get("Messages", [])
        for message in messages:
            try:
                found = list(_events(loads(message["Body"])))
            except (KeyError, TypeError, ValueError, InvalidInput) as error:
                log.warning("a message of %s is no notification of S3 and stays there: %s", self._queue, error)
                continue
            events += found
            receipts.append(message["ReceiptHandle"])
        return Found(events, None, bool(receipts), receipts)

    async def confirm(self, receipts: list[str]) -> None:
        entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
        for start in range(0, len(entries), MOST):
            delete = self._client.delete_message_batch
            await asyncio.to_thread(delete, QueueUrl=self._queue, Entries=entries[start : start + MOST])


def _events(body: Json) -> Iterator[CloudEvent]:
    """The events of a message. Raises KeyError, TypeError, ValueError and InvalidInput for what is none of S3's."""
    if body.get("Type") == "Notification":  # SNS around it
        body = loads(body["Message"])
    if body.get("Event") == "s3:TestEvent":
        return
    if body.get("source") == "aws.s3":
        name = str(body["detail-type"]).title().replace(" ", "")
        yield _event(body["detail"], name, body.get("time"))
        return
    for record in body["Records"]:
        if record["eventSource"] != "aws:s3":
            raise ValueError(f"it is of {str(record['eventSource'])[:40]}")
        told = {"bucket": record["s3"]["bucket"], "object": dict(record["s3"]["object"])}
        told["object"]["key"] = unquote_plus(told["object"]["key"])
        yield _event(told, record["eventName"], record.get("eventTime"))


def _event(told: Json, name: str, time: str | None) -> CloudEvent:
    bucket, thing = told["bucket"]["name"], told["object"]
    version = thing.get("versionId") or thing.get("version-id") or ""
    etag = thing.get("eTag") or thing.get("etag") or ""
    mark = thing.get("sequencer") or version or etag or time or ""
    return CloudEvent(
        type=f"com.amazonaws.s3.{name.removeprefix('s3:')}",
        source=f"s3://{bucket}",
        id=f"{quote(thing['key'])}@{mark}",
        subject=held(thing["key"]),
        time=time,
        data={"bucket": bucket, "key": thing["key"], "size": thing.get("size"), "etag": etag, "version": version},
    )
