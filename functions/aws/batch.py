"""An SQS batch: every message is taken in by itself, and only those that failed go back to the queue.

A message that keeps failing ends in the dead-letter queue, by the queue's redrive policy. Messages of one group
(a FIFO queue's) are taken in order, and after a failure the rest of the group goes back too.
"""

from __future__ import annotations

import logging
from asyncio import gather
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from ..events.envelopes import of_text, traced
from ..messages.problem import settle

log = logging.getLogger("overwinter.aws")

Take = Callable[[Any], Awaitable[object]]


def is_batch(event: Mapping[str, Any]) -> bool:
    """Whether a Lambda event is a batch of SQS messages."""
    records: Sequence[Mapping[str, Any]] = event.get("Records") or ()
    return bool(records) and all(record.get("eventSource") == "aws:sqs" for record in records)


async def take_batch(records: Sequence[Mapping[str, Any]], take: Take) -> dict[str, Any]:
    """Give the JSON document of each message to ``take``. Answers with what Lambda wants (ReportBatchItemFailures)."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        group = record.get("attributes", {}).get("MessageGroupId")
        groups.setdefault(record["messageId"] if group is None else f"group {group}", []).append(record)
    failed = await gather(*(_take_group(group, take) for group in groups.values()))
    return {"batchItemFailures": [{"itemIdentifier": id} for ids in failed for id in ids]}


async def _take_group(records: Sequence[Mapping[str, Any]], take: Take) -> list[str]:
    """The ids of those that must come again."""
    for index, record in enumerate(records):
        error = (await settle(_take(record, take))).error
        if error is not None:
            times = record.get("attributes", {}).get("ApproximateReceiveCount", "?")
            log.warning("message %s was not taken, delivery %s (%s)", record["messageId"], times, error)
            return [later["messageId"] for later in records[index:]]
    return []


async def _take(record: Mapping[str, Any], take: Take) -> None:
    document = of_text(record["body"])
    header = record.get("attributes", {}).get("AWSTraceHeader")  # of who has sent it
    if header and type(document) is dict and "specversion" in document:
        document = traced(cast("dict[str, Any]", document), str(header))
    await take(document)
