"""Events as Lambda hands them over, and the context of an invocation."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

URL = "a1b2c3.lambda-url.eu-central-1.on.aws"
HTTP_API = "a1b2c3.execute-api.eu-central-1.amazonaws.com"
CALLER = "arn:aws:iam::111122223333:user/frost"


class Context(NamedTuple):
    """An invocation with ``seconds`` left. The time does not run: the handler asks once."""

    seconds: float = 60.0

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


def http(
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    *,
    query: str = "",
    cookies: list[str] | None = None,
    signed: bool = True,
    domain: str = URL,
    stage: str = "$default",
) -> dict[str, Any]:
    """A request through a function URL; ``path`` as it stands in the URL. ``body``: bytes go as Base64."""
    sent = {"host": domain, "x-forwarded-proto": "https", **(headers or {})}
    if signed:
        sent["authorization"] = "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=host;x-amz-date, Signature=…"
    text = body if isinstance(body, (str, bytes)) or body is None else json.dumps(body)
    if text is not body:
        sent.setdefault("content-type", "application/json")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path if domain == URL else unquote(path),
        "rawQueryString": query,
        "headers": sent,
        "requestContext": {
            "accountId": "111122223333" if signed else "anonymous",
            "apiId": domain.partition(".")[0],
            "authentication": None,
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": method,
                "path": unquote(path),
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.7",
                "userAgent": "curl/8.5.0",
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": stage,
            "time": "22/Nov/2026:08:30:00 +0000",
            "timeEpoch": 1795336200000,
        },
        "isBase64Encoded": isinstance(text, bytes),
    }
    if signed:
        event["requestContext"]["authorizer"] = {
            "iam": {
                "accessKey": "AKIAIOSFODNN7EXAMPLE",
                "accountId": "111122223333",
                "callerId": "AIDACKCEVSQ6C2EXAMPLE",
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": CALLER,
                "userId": "AIDACKCEVSQ6C2EXAMPLE",
            }
        }
    if cookies:
        event["cookies"] = cookies
    if text is not None:
        event["body"] = base64.b64encode(text).decode() if isinstance(text, bytes) else text
    return event


def cloud_event(type: str, data: Any = None, *, subject: str | None = None, id: str | None = None) -> dict[str, Any]:
    """A CloudEvent in JSON."""
    event = {"specversion": "1.0", "id": id or str(uuid.uuid4()), "source": "/shop", "type": type, "data": data}
    return event | ({"subject": subject} if subject else {})


def eventbridge(type: str, detail: Any, *resources: str, id: str | None = None) -> dict[str, Any]:
    """An event as a rule's target gets it."""
    return {
        "version": "0",
        "id": id or str(uuid.uuid4()),
        "detail-type": type,
        "source": "shop.orders",
        "account": "111122223333",
        "time": "2026-11-22T08:30:00Z",
        "region": "eu-central-1",
        "resources": list(resources),
        "detail": detail,
    }


def sqs(*bodies: Any, group: str | None = None) -> dict[str, Any]:
    """A batch; message ids are m-0, m-1 and so on. ``bodies``: a str goes as it is."""
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "1795336200000", "SenderId": "AIDACKCEVSQ6C2EXAMPLE"}
    if group is not None:
        attributes["MessageGroupId"] = group
    return {
        "Records": [
            {
                "messageId": f"m-{index}",
                "receiptHandle": f"handle-{index}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": attributes,
                "messageAttributes": {},
                "md5OfBody": "…",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:111122223333:support-desk-dev-events",
                "awsRegion": "eu-central-1",
            }
            for index, body in enumerate(bodies)
        ]
    }


SWEEP = {"overwinter": "sweep"}
