"""Queues, topics and buses on moto's server, as ``overwinter subscriptions list --render aws`` would have them made."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from overwinter.functions.bus import sqs_reading
from overwinter.functions.bus.aws_place import read
from overwinter.tests.servers.moto import Moto, credentials

KINDS = ("sqs", "sns", "sns-raw", "events")
REGION = "eu-central-1"
_NUMBERS = itertools.count()


def client(service: str, moto: Moto) -> Any:
    from botocore.session import Session  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

    keys = {
        name.lower(): value for name, value in credentials().items() if name.startswith("AWS_") and "EC2" not in name
    }
    made: Any = Session()
    return made.create_client(service, region_name=REGION, endpoint_url=moto.url, **keys)


def prepared(kind: str, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> str:
    """The DSN of a broker that is ready, in an environment where AWS is that server. Those that keep an order do."""
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.url)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setattr(sqs_reading, "WAIT", 0)  # moto's server answers one after another
    monkeypatch.setattr(sqs_reading, "IDLE", 0.05)
    name = f"shop{next(_NUMBERS)}"
    fifo = {"FifoQueue": "true"} if kind != "events" else {}
    end = ".fifo" if fifo else ""
    sqs = client("sqs", moto)
    url = sqs.create_queue(QueueName=f"{name}{end}", Attributes=fifo)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    if kind == "sqs":
        return f"sqs://{name}{end}"
    if kind == "events":
        events = client("events", moto)
        events.create_event_bus(Name=name)
        events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"detail": {"specversion": ["1.0"]}}))
        events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])
        return f"events://{name}?queue={arn}"
    sns = client("sns", moto)
    topic = sns.create_topic(Name=f"{name}.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    raw = {"RawMessageDelivery": "true"} if kind == "sns-raw" else {}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
    if kind == "sns":
        return f"sns://{topic}?queue={name}.fifo"
    monkeypatch.setenv("OVERWINTER_QUEUE", f"{name}.fifo")
    return f"sns://{name}.fifo"


def _queue(moto: Moto, dsn: str) -> tuple[Any, str]:
    queue = read(dsn).queue
    assert queue is not None
    sqs = client("sqs", moto)
    return sqs, sqs.get_queue_url(QueueName=queue.name)["QueueUrl"]


def bodies(moto: Moto, dsn: str) -> list[str]:
    """Of the messages that can be seen in the queue."""
    sqs, url = _queue(moto, dsn)
    found: list[dict[str, str]] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [message["Body"] for message in found]


def put(moto: Moto, dsn: str, body: str, group: str) -> None:
    sqs, url = _queue(moto, dsn)
    sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=group)


def count(moto: Moto, dsn: str) -> int:
    """How many messages are in the queue, hidden ones too."""
    sqs, url = _queue(moto, dsn)
    said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(said["ApproximateNumberOfMessages"]) + int(said["ApproximateNumberOfMessagesNotVisible"])
