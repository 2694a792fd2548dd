"""Reads a queue of SQS for all subscriptions of a store: a message is deleted when its event is durable at every one
that means it, and stays hidden from others meanwhile, however long that takes.

Messages of one group, and events of one key, are taken one after another. What can't be taken now is tried again here.
Who dies leaves its messages hidden for half a minute at the most; who closes gives them back at once. A message that is
no event is not deleted: it is the queue's own redrive policy that ends it, with the message in hand.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...state.errors import InvalidInput, StoreError
from ..events.envelopes import event_of, of_text, opened
from ..events.event import CloudEvent
from ..invocation.aws import Clients, Rejected
from ..invocation.posting import Unreached
from .broker import Subscribers
from .distributing import distribute

log = logging.getLogger("overwinter")

BATCH = 10
"""Messages that SQS gives, and takes back, at once."""
WAIT = 20
"""Seconds that a read waits for something new."""
HIDDEN = 30
"""Seconds for which a message is hidden from others; it is said anew three times as often."""
IDLE = 0.2
"""Seconds until the next look at a queue that does not wait."""
_LONGEST = 5.0


class Received(NamedTuple):
    """A message, and the event in it. ``lane``: those of one are taken in their order."""

    receipt: str
    lane: str
    event: CloudEvent


class Reading:
    """One of the readers of a process."""

    def __init__(self, clients: Clients, region: str, url: str, subscribers: Subscribers) -> None:
        self._clients = clients
        self._region = region
        self._url = url
        self._subscribers = subscribers
        self._held: set[str] = set()  # receipts of what was read and is not deleted
        self._gone = False

    async def keep_on(self) -> None:
        """Read until it is cancelled, whatever becomes of the connection."""
        clock, failed = asyncio.get_running_loop().time, 0
        while not self._gone:
            try:
                began = clock()
                messages = await self._received()
                if messages:
                    await self._taken(messages)
                elif clock() - began < IDLE:
                    await asyncio.sleep(IDLE)
                failed = 0
            except (Rejected, Unreached, InvalidInput) as error:
                pause = min(_LONGEST, 0.05 * 2**failed)
                failed += 1
                log.warning("the queue %s can't be read: %s; again in %.2f s", self._url, error, pause)
                await asyncio.sleep(pause)

    async def leave(self) -> None:
        """Let others have what is not done."""
        self._gone = True
        held, self._held = sorted(self._held), set()
        try:
            await self._hide(held, 0)
        except (Rejected, Unreached) as error:
            log.debug("messages of %s can be seen by others soon: %s", self._url, error)

    # -- one batch -----------------------------------------------------------------------------------

    async def _received(self) -> list[dict[str, Any]]:
        def receive(client: Any) -> list[dict[str, Any]]:
            answer: dict[str, Any] = client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=WAIT,
                VisibilityTimeout=HIDDEN,
                MessageSystemAttributeNames=["MessageGroupId", "ApproximateReceiveCount"],
            )
            found: list[dict[str, Any]] = answer.get("Messages", [])
            receipts = [message["ReceiptHandle"] for message in found]
            self._held.update(receipts)
            if self._gone:  # nobody waits for them any more
                _change(client, self._url, receipts, 0)
            return found

        return await self._clients.use("sqs", self._region, WAIT + 15.0, receive)

    async def _taken(self, messages: Sequence[dict[str, Any]]) -> None:
        lanes: dict[str, list[Received]] = {}
        for message in messages:
            received = _read(message, self._url)
            if received is None:
                self._held.discard(message["ReceiptHandle"])
            else:
                lanes.setdefault(received.lane, []).append(received)
        hiding = asyncio.create_task(self._keep_hidden())
        try:
            await asyncio.gather(*map(self._lane, lanes.values()))
        finally:
            hiding.cancel()
        await self._delete([received.receipt for lane in lanes.values() for received in lane])

    async def _lane(self, lane: Sequence[Received]) -> None:
        for received in lane:
            tries = 0
            while True:
                try:
                    await distribute(self._subscribers, received.event)
                    break
                except StoreError as error:
                    pause = min(_LONGEST, 0.05 * 2**tries)
                    tries += 1
                    log.warning("the event %s can't be taken now: %s; again in %.2f s", received.event.id, error, pause)
                    await asyncio.sleep(pause)

    async def _keep_hidden(self) -> None:
        while True:
            await asyncio.sleep(HIDDEN / 3)
            try:
                await self._hide(sorted(self._held), HIDDEN)
            except (Rejected, Unreached) as error:
                log.warning("messages of %s may be seen by others while they are taken: %s", self._url, error)

    async def _hide(self, receipts: Sequence[str], seconds: int) -> None:
        if receipts:
            await self._clients.use(
                "sqs", self._region, 10.0, lambda client: _change(client, self._url, receipts, seconds)
            )

    async def _delete(self, receipts: Sequence[str]) -> None:
        """What is not deleted comes again, and is known then."""

        def delete(client: Any) -> None:
            for entries in _entries(receipts):
                client.delete_message_batch(QueueUrl=self._url, Entries=entries)

        self._held.difference_update(receipts)
        if receipts:
            await self._clients.use("sqs", self._region, 10.0, delete)


def _read(message: dict[str, Any], url: str) -> Received | None:
    """None for a message that is no event."""
    attributes: dict[str, str] = message.get("Attributes", {})
    try:
        event = event_of(opened(of_text(message.get("Body"))))
        if event is None:
            raise InvalidInput("it is no CloudEvent, no notification of SNS and no event of EventBridge")
    except InvalidInput as error:
        times = attributes.get("ApproximateReceiveCount", "?")
        log.warning("the message %s of %s is no event, read %s times: %s", message["MessageId"], url, times, error)
        return None
    group = attributes.get("MessageGroupId")
    lane = f"group {group}" if group is not None else f"key {key}" if (key := event.partitionkey) else ""
    return Received(message["ReceiptHandle"], lane or message["MessageId"], event)


def _change(client: Any, url: str, receipts: Sequence[str], seconds: int) -> None:
    for entries in _entries(receipts):
        hidden = [{**entry, "VisibilityTimeout": seconds} for entry in entries]
        client.change_message_visibility_batch(QueueUrl=url, Entries=hidden)


def _entries(receipts: Sequence[str]) -> list[list[dict[str, Any]]]:
    made = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
    return [made[start : start + BATCH] for start in range(0, len(made), BATCH)]
