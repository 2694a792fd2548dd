"""AWS as the broker: events are published to a topic of SNS, a bus of EventBridge or a queue of SQS, and are read from
a queue.

An event is published when AWS has said so for it; what is published at the same moment travels together. All processes
of one store share one queue, and whichever of them reads an event gives it to every subscription of the store. In a
function of Lambda nothing is read: Lambda reads the queue and hands over what it has read (``functions.aws.batch``).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any

from ...state.errors import BrokerUnavailable, InvalidInput, OverwinterError
from ..events.event import CloudEvent
from ..invocation.aws import Clients, Rejected
from ..invocation.posting import Unreached
from .aws_place import LAMBDA, QUEUE, Place, Resource, read
from .aws_publishing import SILENCE, Entry, Publishing, batches, entry_of
from .broker import Subscribers
from .sqs_reading import Reading

log = logging.getLogger("overwinter")

READERS = 4
"""Reads of the queue that go on side by side in a process."""
_THREADS = 16
_Waiting = tuple[Entry, "asyncio.Future[None]"]


class AwsBroker:
    """Carries events by AWS. Raises InvalidInput for a DSN that can't be."""

    no_calls = "AWS carries events alone, because calls and answers would share the queue of a store"

    def __init__(self, dsn: str) -> None:
        self.place: Place = read(dsn)
        self._clients: Clients
        self._publishing: Publishing | None = None
        self._waiting: list[_Waiting] = []
        self._sending: asyncio.Task[None] | None = None
        self._readings: list[Reading] = []
        self._closed = True

    async def open(self, subscribers: Subscribers) -> None:
        self._clients, self._publishing, self._closed = Clients(_THREADS, "aws-broker"), None, False
        if not subscribers.own or os.environ.get(LAMBDA):
            return
        queue = self.place.queue
        if queue is None:
            raise InvalidInput(
                f"functions here have subscribed ({', '.join(subscribers.own)[:200]}), and no queue is named "
                f"from which their events are read: set {QUEUE}, or ?queue=NAME in OVERWINTER_BROKER"
            )
        url = await self._url(queue)
        self._readings = [Reading(self._clients, queue.region, url, subscribers) for _ in range(READERS)]
        for reading in self._readings:
            subscribers.spawn(reading.keep_on())

    async def publish(self, event: CloudEvent) -> None:
        entry = entry_of(self.place.target, event)
        if self._closed:
            raise BrokerUnavailable("the runtime is closed")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        await done

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*(reading.leave() for reading in self._readings))
        self._readings = []
        if self._sending is not None:
            await asyncio.wait([self._sending])
        self._clients.close()

    # -- who publishes -------------------------------------------------------------------------------

    async def _send(self) -> None:
        await asyncio.sleep(0)  # whoever publishes in this turn of the loop comes along
        while self._waiting:
            number = batches([entry for entry, _ in self._waiting[:20]])[0]
            batch, self._waiting = self._waiting[:number], self._waiting[number:]
            told = await self._told([entry for entry, _ in batch])
            for (_, done), error in zip(batch, told, strict=True):
                if not done.done():
                    if error is None:
                        done.set_result(None)
                    else:
                        done.set_exception(error)

    async def _told(self, entries: list[Entry]) -> list[OverwinterError | None]:
        try:
            if self._publishing is None:
                target = self.place.target
                self._publishing = Publishing(self._clients, target, await self._where(target))
        except (BrokerUnavailable, InvalidInput) as error:
            return [BrokerUnavailable(str(error))] * len(entries)
        return await self._publishing.send(entries)

    # -- what is where -------------------------------------------------------------------------------

    async def _where(self, target: Resource) -> str:
        """The URL of a queue, the ARN of a topic. Raises BrokerUnavailable, InvalidInput."""
        if target.kind == "sqs":
            return await self._url(target)
        if target.kind == "events" or target.arn:
            return target.arn
        told = await self._asked("sts", target, lambda client: str(client.get_caller_identity()["Arn"]))
        partition, account = told.split(":")[1], told.split(":")[4]
        region = target.region or await self._asked("sns", target, lambda client: str(client.meta.region_name))
        return f"arn:{partition}:sns:{region}:{account}:{target.name}"

    async def _url(self, queue: Resource) -> str:
        """Raises BrokerUnavailable, and InvalidInput when there is no such queue."""
        if queue.url:
            return queue.url
        given = {"QueueName": queue.name} | ({"QueueOwnerAWSAccountId": queue.account} if queue.account else {})
        return await self._asked("sqs", queue, lambda client: str(client.get_queue_url(**given)["QueueUrl"]))

    async def _asked(self, service: str, about: Resource, work: Callable[[Any], str]) -> str:
        try:
            return await self._clients.use(service, about.region, SILENCE, work)
        except Rejected as error:
            if "NonExistentQueue" in error.code or "QueueDoesNotExist" in error.code:
                raise InvalidInput(f"there is no queue {about.name!r} of SQS in this region; make it first") from None
            raise BrokerUnavailable(f"{about.name} of AWS can't be used: {error}") from None
        except Unreached as error:
            raise BrokerUnavailable(f"AWS is out of reach: {error}") from None
