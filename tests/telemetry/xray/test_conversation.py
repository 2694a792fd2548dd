"""A conversation on Lambda, which gives each request a trace of its own: one trace that is tied to all of them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from overwinter import Agent, Context, Scripted, call, tool, workflow
from overwinter.functions.aws import Handler
from overwinter.functions.aws.access import access
from overwinter.state.memory import MemoryStore
from overwinter.telemetry.spans.fold import Traces
from overwinter.telemetry.spans.ids import Identity
from overwinter.telemetry.spans.span import Attribute, Link, Span
from overwinter.telemetry.xray.documents import tied
from overwinter.telemetry.xray.header import trace_id
from overwinter.tests.aws.lambda_events import Context as Invocation
from overwinter.tests.aws.lambda_events import eventbridge, http, sqs
from overwinter.tests.telemetry.receiver import Receiver

from .daemon import Daemon, check

DAY = 86_400


@tool
async def look_up(order: str) -> str:
    """Look it up."""
    return f"{order} is on its way"


@workflow
async def ticket(ctx: Context, order: str) -> str:
    return await ctx.step(look_up, order)


def say(messages: Any, tools: Any) -> Any:
    return "It is." if messages[-1].role == "tool" else call("look_up", order="A-1")


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Generator[Daemon]:
    with Daemon() as daemon:
        monkeypatch.setenv("OVERWINTER_TRACES", "xray")
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", daemon.address)
        yield daemon


def request_of(begun: int, number: int, sampled: int = 1) -> tuple[str, str]:
    """The header that Lambda says a request in, and X-Ray's id of its trace."""
    root = f"1-{begun:08x}-{number:024x}"
    return f"Root={root};Parent={number:016x};Sampled={sampled}", root


def asked(
    monkeypatch: pytest.MonkeyPatch, store: MemoryStore, path: str, header: str, *, body: Any, **more: str
) -> Any:
    """Ask a function URL once, in an environment of its own."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    clerk = Agent("clerk", Scripted(say), tools=[look_up])
    handler = Handler({"clerk": clerk, "ticket": ticket}, access("iam"), store=store)
    try:
        answer = handler(http("POST", path, body, {"prefer": "wait=20", **more}), Invocation())
        assert answer["statusCode"] == 200, answer
        return answer
    finally:
        handler.close()


def test_turns_are_in_one_trace_and_each_is_found_from_its_request_and_the_other_way(
    monkeypatch: pytest.MonkeyPatch, daemon: Daemon
) -> None:
    store, begun = MemoryStore(), 0x6A000000
    for number in (1, 2, 3):
        header, _ = request_of(begun + number, number)
        asked(monkeypatch, store, "/sessions/clerk/c-1", header, body={"content": "Where is it?", "id": f"m{number}"})
    documents = daemon.documents()
    requests = {root: f"{number:016x}" for number in (1, 2, 3) for _, root in [request_of(begun + number, number)]}
    (own,) = {one["trace_id"] for one in documents} - set(requests)
    conversation = [one for one in documents if one["trace_id"] == own]
    turns = [one for one in conversation if "type" not in one]
    assert [one["name"] for one in turns] == ["clerk"] * 3
    assert [one["annotations"]["overwinter_origin"] for one in turns] == list(requests)
    assert all("parent_id" not in one for one in turns)
    assert len(conversation) == 3 * 4, "a turn, two calls of the model, one of the tool"
    inside = {one["id"]: one for one in conversation}
    assert all(one["parent_id"] in inside for one in conversation if one not in turns)
    pointers = [one for one in documents if one["trace_id"] in requests]
    assert [(one["trace_id"], one["parent_id"]) for one in pointers] == list(requests.items())
    for turn, pointer in zip(turns, pointers, strict=True):
        assert pointer["type"] == "subsegment" and pointer["name"] == "clerk"
        said = pointer["annotations"]
        assert (said["overwinter_trace"], said["overwinter_execution"]) == (own, "clerk/c-1")
        assert (pointer["start_time"], pointer["end_time"]) == (turn["start_time"], turn["end_time"])


def test_what_a_request_begins_and_what_names_its_trace_hangs_under_it(
    monkeypatch: pytest.MonkeyPatch, daemon: Daemon
) -> None:
    header, root = request_of(0x6A000000, 7)
    asked(
        monkeypatch, MemoryStore(), "/workflows/ticket", header, body=b'"A-1"', **{"content-type": "application/json"}
    )
    documents = daemon.documents()
    assert {one["trace_id"] for one in documents} == {root}
    (first,) = (one for one in documents if "type" not in one)
    assert (first["name"], first["parent_id"]) == ("ticket", f"{7:016x}")
    traceparent = f"00-{'1' * 32}-{'2' * 16}-01"
    body = {"content": "Where is it?"}
    asked(monkeypatch, MemoryStore(), "/sessions/clerk/c", header, body=body, traceparent=traceparent)
    documents = daemon.documents()
    assert {one["trace_id"] for one in documents} == {trace_id("1" * 32)}
    assert [one["parent_id"] for one in documents if "type" not in one] == ["2" * 16]


def test_a_turn_that_failed_is_a_fault_in_the_trace_of_its_request_too() -> None:
    link, other = Link("1" * 32, "2" * 16, {"overwinter.link": "request"}), Link("3" * 32, "4" * 16)
    said: dict[str, Attribute] = {"overwinter.execution": "clerk/c", "error.type": "Refused", "overwinter.cost": 0.5}
    turn = Span("5" * 32, "6" * 16, "", "invoke_agent clerk", "server", 1, 2, said, (), (other, link), "no")
    (pointer,) = tied(turn)
    check(pointer)
    assert pointer["fault"] is True and pointer["trace_id"] == trace_id("1" * 32)
    assert pointer["annotations"]["error_type"] == "Refused" and "overwinter_cost" not in pointer["annotations"]
    assert tied(turn) == [pointer] and tied(turn._replace(links=(other,))) == []


def test_what_x_ray_does_not_keep_is_not_sent(monkeypatch: pytest.MonkeyPatch, daemon: Daemon) -> None:
    header, _ = request_of(0x6A000000, 7, sampled=0)
    asked(monkeypatch, MemoryStore(), "/sessions/clerk/c", header, body={"content": "Where is it?"})
    assert daemon.documents() == []


@pytest.mark.parametrize("way", ["request", "workflow", "event", "message", "bridge"])
def test_x_ray_that_is_off_switches_no_other_traces_off(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Lambda then marks every invocation as one that is not sampled."""
    header, root = request_of(0x6A000000, 7, sampled=0)
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "io.overwinter.call.ticket", "data": "A-1"}
    message = sqs(event)
    message["Records"][0]["attributes"]["AWSTraceHeader"] = header
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    handler = Handler(
        {"clerk": Agent("clerk", Scripted(["Yes."])), "ticket": ticket}, access("iam"), store=MemoryStore()
    )
    with Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        try:
            handler(
                {
                    "request": http("POST", "/sessions/clerk/c", {"content": "Is it?"}),
                    "workflow": http("POST", "/workflows/ticket", b'"A-1"', {"content-type": "application/json"}),
                    "event": event,
                    "message": message,
                    "bridge": eventbridge("io.overwinter.call.ticket", "A-1"),
                }[way],
                Invocation(),
            )
        finally:
            handler.close()
    roots = [span for span in receiver.spans if span.name.startswith("invoke_")]
    assert [(span.parent, span.links) for span in roots] == [("", [])]
    assert root.replace("-", "")[1:] not in {span.trace for span in receiver.spans}


def test_a_session_that_x_ray_would_refuse_is_in_the_traces_of_its_requests() -> None:
    created = 0x6A000000
    identity = Identity("clerk/c", created * 1000)
    for days, own in ((0, True), (27, True), (29, False), (400, False)):
        request = f"{created + days * DAY:08x}" + "1" * 24
        said = {"traceparent": f"00-{request}-{'2' * 16}-01", "from": "aws/turn"}
        context, linked = Traces().context(identity, said)
        assert context.trace_id == (identity.trace_id if own else request)
        assert context.span_id == ("" if own else "2" * 16)
        assert (linked is not None and linked.trace_id == request) is own


def test_what_comes_with_an_event_is_found_from_where_it_was_sent(
    monkeypatch: pytest.MonkeyPatch, daemon: Daemon
) -> None:
    header, root = request_of(0x6A000000, 7)
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "io.overwinter.call.ticket", "data": "A-1"}
    message = sqs(event)
    message["Records"][0]["attributes"]["AWSTraceHeader"] = header
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    handler = Handler({"ticket": ticket}, access("iam"), store=MemoryStore())
    try:
        assert handler(message, Invocation()) == {"batchItemFailures": []}
    finally:
        handler.close()
    documents = daemon.documents()
    (first,) = (one for one in documents if "type" not in one)
    (pointer,) = (one for one in documents if one["trace_id"] == root)
    assert first["trace_id"] != root and first["annotations"]["overwinter_origin"] == root
    assert pointer["parent_id"] == f"{7:016x}" and pointer["annotations"]["overwinter_trace"] == first["trace_id"]
