"""Where events go on AWS, and which queue of SQS they are read from.

| DSN | published to | read from |
|---|---|---|
| ``sqs://QUEUE`` | that queue | that queue |
| ``sns://TOPIC?queue=QUEUE`` | a topic of SNS | a queue that is subscribed to it |
| ``events://BUS?queue=QUEUE`` | a bus of EventBridge | a queue that is the target of its rules |

A queue is named by its name, its ARN or its URL, a topic and a bus by name or ARN. ``OVERWINTER_QUEUE`` stands for
``?queue=``; ``?region=`` goes before what an ARN says, and that before the environment. What there is, is made by
whoever deploys (``overwinter subscriptions list --render aws``): nothing is created here.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from ...state.errors import InvalidInput
from ..invocation.aws import is_region

KINDS = ("sqs", "sns", "events")
QUEUE = "OVERWINTER_QUEUE"
LAMBDA = "AWS_LAMBDA_FUNCTION_NAME"
"""Set in a function of Lambda, where Lambda itself reads the queue and hands over what it has read."""
FIFO = ".fifo"
_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):(?P<service>sqs|sns|events):(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<name>.+)")  # fmt: skip  # noqa: E501
_NAMES = {
    "sqs": re.compile(r"[A-Za-z0-9_-]{1,80}(\.fifo)?"),
    "sns": re.compile(r"[A-Za-z0-9_-]{1,256}(\.fifo)?"),
    "events": re.compile(r"(event-bus/)?[A-Za-z0-9._/-]{1,256}"),
}


class Resource(NamedTuple):
    """A queue, a topic or a bus. ``url``: of a queue named by it; ``account`` and ``region``: "" for one's own."""

    kind: str
    name: str
    account: str = ""
    region: str = ""
    url: str = ""
    arn: str = ""

    @property
    def fifo(self) -> bool:
        return self.name.endswith(FIFO)


class Place(NamedTuple):
    """A DSN, read. ``queue`` None: events are published from here and read elsewhere."""

    target: Resource
    queue: Resource | None


def read(dsn: str) -> Place:
    """Raises InvalidInput that says what is wrong with it."""
    kind, _, rest = dsn.partition("://")
    name, _, query = rest.partition("?")
    said = dict(parse_qsl(query, keep_blank_values=True))
    region = said.pop("region", "")
    wanted = said.pop("queue", "" if kind == "sqs" else os.environ.get(QUEUE, "").strip())
    if said:
        raise InvalidInput(f"the broker {kind}://… takes no {min(said)[:40]!r}; there are queue and region")
    if region and not is_region(region):
        raise InvalidInput(f"{region[:40]!r} is no region of AWS; write one like eu-central-1")
    target = _resource(kind, name, region)
    if kind == "sqs":
        if wanted:
            raise InvalidInput("sqs://QUEUE is read from the queue that is published to; leave out queue=")
        return Place(target, target)
    return Place(target, _resource("sqs", wanted, region or target.region) if wanted else None)


def _resource(kind: str, text: str, region: str) -> Resource:
    text = text.strip().rstrip("/")
    if kind == "sqs" and text.startswith(("https://", "http://")):
        parts = urlsplit(text)
        named = re.fullmatch(r"/(\d{12})/([^/]+)", parts.path)
        if named is not None and parts.hostname and _NAMES["sqs"].fullmatch(named[2]):
            found = re.match(r"sqs\.([a-z0-9-]+)\.", parts.hostname)
            return Resource(kind, named[2], named[1], region or (found[1] if found is not None else ""), text)
    arn = _ARN.fullmatch(text)
    name = arn["name"] if arn is not None else text
    if (arn is not None and arn["service"] != kind) or not _NAMES[kind].fullmatch(name):
        what = {"sqs": "queue of SQS", "sns": "topic of SNS", "events": "bus of EventBridge"}[kind]
        raise InvalidInput(f"{text[:100]!r} is no {what}; write its name or its ARN")
    name = name.removeprefix("event-bus/")
    if arn is None:
        return Resource(kind, name, "", region)
    return Resource(kind, name, arn["account"], region or arn["region"], "", text)
