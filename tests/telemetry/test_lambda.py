"""On Lambda a process is frozen when it has answered: what it tells goes out before, and never at the answer's cost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overwinter import Agent, Scripted
from overwinter.functions import tracing
from overwinter.functions.aws import Handler
from overwinter.functions.aws.access import access
from overwinter.functions.aws.handler import LAST_MOMENT
from overwinter.telemetry.spans.tracing import Tracing
from overwinter.tests.aws.lambda_events import SWEEP, Context, http, sqs
from overwinter.tests.servers.ports import free_port

from .receiver import Receiver

GREETING = {
    "specversion": "1.0",
    "id": "1",
    "source": "/s",
    "type": "io.overwinter.call.clerk",
    "subject": "b",
    "data": "Hello",
}


@pytest.fixture
def handler() -> Any:
    clerk = Agent("clerk", Scripted(["One.", "Two.", "Three."]))
    made = Handler({"clerk": clerk}, access("iam"), store="memory://")
    yield made
    made.close()


def said(handler: Handler, number: int, *, seconds: float = 60.0) -> Any:
    body = {"content": "Hello", "id": f"m{number}"}
    answer = handler(http("POST", "/sessions/clerk/c", body), Context(seconds))
    assert answer["statusCode"] == 200, answer
    return json.loads(answer["body"])["result"]


def turns(receiver: Receiver) -> list[str]:
    return [span.attributes["overwinter.message"] for span in receiver.spans if span.name == "invoke_agent clerk"]


def test_what_an_invocation_tells_is_there_before_it_is_answered(
    monkeypatch: pytest.MonkeyPatch, handler: Handler
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    with Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        assert said(handler, 1) == "One."
        assert turns(receiver) == ["m1"]
        assert said(handler, 2) == "Two."
        assert turns(receiver) == ["m1", "m2"]
        assert handler(sqs(json.dumps(GREETING)), Context()) == {"batchItemFailures": []}
        assert len(turns(receiver)) == 3, "also of events, which nobody waits for"
        before = len(receiver.spans)
        handler(SWEEP, Context())
        assert len(receiver.spans) == before


def test_a_collector_that_does_not_answer_costs_no_reply_and_gets_the_spans_later(
    monkeypatch: pytest.MonkeyPatch, handler: Handler
) -> None:
    monkeypatch.setattr("overwinter.functions.aws.handler.FLUSH", 0.05)
    with Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        receiver.hold.clear()
        assert said(handler, 1) == "One."
        assert said(handler, 2) == "Two."
        assert receiver.spans == [] and not receiver.hold.is_set()
        receiver.hold.set()
        monkeypatch.setattr("overwinter.functions.aws.handler.LAST_MOMENT", 20.0)
        assert said(handler, 3) == "Three."
        assert turns(receiver) == ["m1", "m2", "m3"]


def test_a_collector_that_is_not_there_costs_no_reply(monkeypatch: pytest.MonkeyPatch, handler: Handler) -> None:
    monkeypatch.setattr("overwinter.functions.aws.handler.FLUSH", 0.05)
    monkeypatch.setattr(tracing, "FLUSH", 0.05)
    monkeypatch.setenv("OVERWINTER_TRACES", f"http://127.0.0.1:{free_port()}")
    assert said(handler, 1) == "One."


def test_it_takes_no_more_time_than_there_is(monkeypatch: pytest.MonkeyPatch, handler: Handler) -> None:
    given: list[float] = []
    answers = iter([True, False, False, True, True])

    class Slow(Tracing):
        async def flush(self, timeout: float) -> bool:
            given.append(timeout)
            return next(answers)

    class Nowhere:
        def export(self, spans: Any) -> bool:
            return True

        def close(self) -> None: ...

    monkeypatch.setattr(tracing, "from_environment", lambda: Slow(Nowhere()))
    for _ in range(4):
        handler(http("GET", "/functions"), Context(60.0))
    handler(http("GET", "/functions"), Context(2.0))
    assert given[:4] == [tracing.FLUSH, tracing.FLUSH, LAST_MOMENT, LAST_MOMENT]
    assert 0 < given[4] < 2.0 - 0.2 < tracing.FLUSH
