"""Webhooks wherever the whole HTTP API is served: AWS Lambda and Knative Functions, over the bytes that came."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import pytest

from overwinter import InvalidInput, workflow
from overwinter.functions.aws import Handler
from overwinter.functions.aws.access import access
from overwinter.functions.func import Function
from overwinter.functions.http.app import create_app
from overwinter.functions.runtime import Runtime
from overwinter.functions.trigger import S3
from overwinter.functions.webhook import GitHub, webhook
from overwinter.tests.aws.lambda_events import Context, http
from overwinter.tests.servers.moto import Moto, signed

from .place import github

pytestmark = pytest.mark.usefixtures("secrets")
TOKEN = "a-token-of-some-length"


@webhook("/hooks/github", verify=GitHub("env:GITHUB_SECRET"))
@workflow
async def triage(ctx: Any, given: dict[str, Any]) -> str:
    return str(given["action"])


def test_a_lambda_takes_them_whether_its_bodies_are_text_or_not() -> None:
    handler = Handler({"triage": triage}, access("token", TOKEN), store="memory://")
    try:
        body, headers = github({"action": "opened", "é": "ü"})
        for sent in (body, body.decode()):  # as Base64, and as text
            answer = handler(http("POST", "/hooks/github", sent, headers, signed=False), Context(60.0))
            assert answer["statusCode"] == 202, answer
        forged = handler(http("POST", "/hooks/github", body + b" ", headers, signed=False), Context(60.0))
        assert forged["statusCode"] == 401
        closed = handler(http("POST", "/workflows/triage", {}, signed=False), Context(60.0))
        assert closed["statusCode"] == 401
        known = {"authorization": f"Bearer {TOKEN}"}
        listed = handler(http("GET", "/executions", None, known, signed=False), Context(60.0))
        [one] = json.loads(listed["body"])["executions"]
        assert (one["function"], one["status"]) == ("triage", "completed")
    finally:
        handler.close()


@pytest.mark.parametrize("missing", ["GITHUB_SECRET", "OVERWINTER_WEBHOOK_RATE"])
def test_a_lambda_that_is_not_set_up_makes_senders_come_again(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(missing, "none")
    handler = Handler({"triage": triage}, access("token", TOKEN), store="memory://")
    try:
        body, headers = github({})
        answer = handler(http("POST", "/hooks/github", body, headers, signed=False), Context(60.0))
        assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "1")
        with pytest.raises(InvalidInput):
            create_app(Runtime([triage], "memory://"), token=TOKEN)
    finally:
        handler.close()


def test_a_function_of_knative_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_STATE", "memory://")
    monkeypatch.setenv("OVERWINTER_TOKEN", TOKEN)
    monkeypatch.delenv("LISTEN_ADDRESS", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    function = Function([triage])

    def post(body: bytes, headers: dict[str, str]) -> int:
        scope: dict[str, Any] = {
            "type": "http", "method": "POST", "path": "/hooks/github", "raw_path": b"/hooks/github",
            "query_string": b"",
            "headers": [[name.encode(), value.encode()] for name, value in headers.items()],
        }  # fmt: skip
        given = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> Any:
            return given.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(function.handle(scope, receive, send))
        return int(sent[0]["status"])

    try:
        body, headers = github({"action": "opened"})
        assert [post(body, headers), post(body, headers), post(body + b" ", headers)] == [202, 202, 401]
    finally:
        signal.signal(signal.SIGTERM, before)
        process = function._process
        process.call(lambda: process._stop.set() if process._stop else None)


def test_a_queue_over_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.session import Session  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
              "s3": {"bucket": {"name": "b"}, "object": {"key": "k", "sequencer": "1"}}}  # fmt: skip
    with signed(), Moto() as moto:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{moto.port}")
        client: Any = Session().create_client("sqs")
        url = client.create_queue(QueueName="uploads")["QueueUrl"]
        client.send_message(QueueUrl=url, MessageBody=json.dumps({"Records": [record]}))
        source = S3(url)
        found = asyncio.run(source.look(None))
        assert [event.id for event in found.events] == ["k@1"]
        asyncio.run(source.confirm(found.receipts))
        counted = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert counted["ApproximateNumberOfMessagesNotVisible"] == "0"
        assert asyncio.run(source.look(None)).events == []
        client.close()
