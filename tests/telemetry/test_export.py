"""Spans over the wire: a service on loopback, a collector of the tests' own, tools and functions of other processes."""

from __future__ import annotations

import json
from typing import Any, cast

import httpx
import pytest

from overwinter import Agent, Context, Runtime, Scripted, call, current_call, tool, workflow
from overwinter.functions import tracing
from overwinter.state.errors import InvalidInput
from overwinter.state.memory import MemoryStore
from overwinter.state.records import EVERYTHING
from overwinter.telemetry.spans.batch import Batch, Limits
from overwinter.telemetry.spans.span import Span
from overwinter.telemetry.spans.tracing import Tracing
from overwinter.tests.apart.place import on_a_loop, served

from .receiver import Receiver

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = f"00-{TRACE}-{PARENT}-01"
SERVER, CLIENT = 2, 3


class Seen:
    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []


seen: Seen


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    global seen
    seen = Seen()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")


@tool
async def ask_carrier(order: str) -> str:
    """Ask the carrier."""
    transport = httpx.MockTransport(_carrier)
    async with httpx.AsyncClient(transport=transport) as client:
        return (await client.get("http://carrier/", headers=dict(current_call().trace))).text


def _carrier(request: httpx.Request) -> httpx.Response:
    seen.headers.append(dict(request.headers))
    return httpx.Response(200, text="on its way")


@tool
async def lookup(order: str) -> str:
    """Look it up; that lives elsewhere."""
    return f"{order} in stock"


@workflow
async def ticket(ctx: Context, order: str) -> str:
    await ctx.step(lookup, order)
    return await ctx.step(ask_carrier, order)


def say(messages: Any, tools: Any) -> Any:
    return "It is." if messages[-1].role == "tool" else call("ask_carrier", order="A-1")


@on_a_loop
async def test_a_request_is_the_parent_and_tools_and_functions_elsewhere_hang_under_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        async with served([lookup]) as there:
            monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps({"lookup": there.url}))
            async with served([ticket, ask_carrier]) as here, httpx.AsyncClient() as client:
                headers = {"traceparent": CALLER, "tracestate": "shop=1", "baggage": "a=b", "prefer": "wait=20"}
                answer = await client.post(f"{here.url}/workflows/ticket?id=t", json="A-1", headers=headers)
                assert answer.status_code == 200, answer.text
        execution, step = receiver.named("invoke_workflow ticket"), receiver.named("ask_carrier")
        remote, done = receiver.named("lookup", kind=CLIENT), receiver.named("execute_tool lookup")
    assert {span.trace for span in receiver.spans} == {TRACE}
    assert (execution.parent, execution.kind, execution.service) == (PARENT, SERVER, "shop")
    assert execution.attributes["faas.trigger"] == "http" and execution.attributes["faas.coldstart"] is True
    assert step.parent == remote.parent == execution.id
    assert done.parent == remote.id
    assert remote.attributes["faas.invoked_name"] == "lookup"
    (asked,) = seen.headers
    assert asked["traceparent"] == f"00-{TRACE}-{step.id}-01"
    assert (asked["tracestate"], asked["baggage"]) == ("shop=1", "a=b")


@on_a_loop
async def test_a_turn_of_a_session_by_the_conventions_of_generative_ai(monkeypatch: pytest.MonkeyPatch) -> None:
    clerk = Agent("clerk", Scripted(say), tools=[ask_carrier])
    with Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        async with served([clerk]) as here, httpx.AsyncClient() as client:
            said = {"content": "Where is it?", "id": "m1"}
            headers = {"traceparent": CALLER}
            answer = await client.post(f"{here.url}/sessions/clerk/c-1", json=said, headers=headers)
            assert answer.status_code == 200, answer.text
            said = {"content": "And now?", "id": "m2"}
            assert (await client.post(f"{here.url}/sessions/clerk/c-1", json=said)).status_code == 200
        first, second = (span for span in receiver.spans if span.name == "invoke_agent clerk")
    assert (first.trace, first.parent) == (TRACE, PARENT)
    assert second.trace != TRACE and second.parent == ""
    for turn in (first, second):
        assert (turn.kind, turn.attributes["faas.trigger"]) == (SERVER, "http"), "whether it names a trace or not"
    assert first.attributes["gen_ai.conversation.id"] == "clerk/c-1"
    chats = [span for span in receiver.spans if span.name == "chat script" and span.parent == first.id]
    assert len(chats) == 2
    for chat in chats:
        assert chat.attributes["gen_ai.operation.name"] == "chat"
        assert chat.attributes["gen_ai.usage.input_tokens"] >= 0
    assert chats[0].attributes["gen_ai.response.finish_reasons"] == ["tool_calls"]
    (used,) = (span for span in receiver.spans if span.name == "execute_tool ask_carrier" and span.trace == TRACE)
    assert used.attributes["gen_ai.tool.call.id"]
    assert seen.headers[0]["traceparent"] == f"00-{TRACE}-{used.id}-01"
    assert "Where is it" not in str(receiver.spans)


@on_a_loop
async def test_what_the_code_itself_begins_is_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        async with served([ticket, ask_carrier, lookup]) as here, httpx.AsyncClient() as client:
            await (await here.runtime.start(ticket, "A-1", id="t", user="ann")).result()
            answer = await client.post(f"{here.url}/workflows/ticket?id=u", json="A-1", headers={"prefer": "wait=20"})
            assert answer.status_code == 200
        own, asked = (span for span in receiver.spans if span.name == "invoke_workflow ticket")
    assert (own.kind, own.attributes["faas.trigger"]) == (1, "other")
    assert (asked.kind, asked.attributes["faas.trigger"]) == (SERVER, "http")


@on_a_loop
async def test_what_is_said_is_there_when_it_is_asked_for_and_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARRIER_TOKEN", "way-too-secret")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    clerk = Agent("clerk", Scripted(["My key is way-too-secret."]))
    with Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        async with Runtime([clerk], "memory://") as runtime:
            await (await runtime.send(clerk, "c", "Where is it?")).reply()
    turn, chat = receiver.named("invoke_agent clerk"), receiver.named("chat script")
    assert "Where is it?" in turn.attributes["gen_ai.input.messages"]
    assert "My key is ***" in chat.attributes["gen_ai.output.messages"]


@on_a_loop
async def test_an_event_is_linked_and_by_choice_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"ce-specversion": "1.0", "ce-type": "order.paid", "ce-source": "/shop", "ce-traceparent": CALLER}
    for choice, links, parent in (("link", [(TRACE, PARENT)], ""), ("parent", [], PARENT)):
        with Receiver() as receiver:
            monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
            monkeypatch.setenv("OVERWINTER_TRACE_EVENTS", choice)
            async with served([paid]) as here, httpx.AsyncClient() as client:
                sent = headers | {"ce-id": "1", "content-type": "application/json"}
                answer = await client.post(f"{here.url}/events/paid", content=b'"o"', headers=sent)
                assert answer.status_code < 300, answer.text
                async for head in here.runtime.all(EVERYTHING):
                    if head.function == "paid":
                        await here.runtime.result(head.id, 20)
        execution, out = receiver.named("invoke_workflow paid"), receiver.named("send order.sent")
        assert (execution.links, execution.parent) == (links, parent)
        assert execution.attributes["faas.trigger"] == "pubsub"
        assert (execution.trace == TRACE) is (choice == "parent")
        assert out.parent == execution.id and out.trace == execution.trace
        assert out.attributes["cloudevents.event_type"] == "order.sent"


@workflow
async def paid(ctx: Context, order: str) -> None:
    await ctx.publish("order.sent", {"order": order})


@pytest.mark.parametrize("known", [True, False])
@on_a_loop
async def test_what_was_told_by_one_that_died_is_told_again_as_the_same(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``known``: its mark says with which span it began cold."""
    store, clerk = MemoryStore(), Agent("clerk", Scripted(["Yes."] * 9))
    await store.open()
    with Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        for died in range(3):
            async with Runtime([ticket, lookup, ask_carrier, clerk], store) as runtime:
                await (await runtime.send(clerk, "c", "Is it?")).reply()
                await (await runtime.start(ticket, "A-1", id=f"t{died}")).result()
                assert runtime.tracing is not None and await runtime.tracing.flush(20)
                owner, mark = runtime.engine.owner, await store.get(tracing.MARKS, runtime.engine.owner)
            assert mark is not None
            await store.put(tracing.MARKS, owner, mark.value if known else '{"since":0}')  # as if it had been killed
        async with Runtime([clerk], store):
            pass
    told: dict[str, list[Any]] = {}
    for span in receiver.spans:
        told.setdefault(span.id, []).append(span)
    assert len(told) == 3 * 2 + 3 * 3 and all(len(spans) >= 2 for spans in told.values())
    assert [spans for spans in told.values() if known and any(span != spans[0] for span in spans)] == []
    cold = [["faas.coldstart" in span.attributes for span in spans] for spans in told.values()]
    assert sum(any(one) for one in cold) == sum(one[0] for one in cold) == 3


@on_a_loop
async def test_every_span_lasts_and_tells_of_the_service_and_not_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for said in ("my.service.instance.id=none", "a=b, service.instance.id=pod-1"):
        with Receiver() as receiver:
            monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
            monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", said)
            async with Runtime([ticket], MemoryStore(), clock=lambda: 1_795_000_000_000) as runtime:
                await (await runtime.start(ticket, "A-1")).result()
        assert receiver.spans and all(span.nanoseconds == 1_000 for span in receiver.spans)
        instance = {"pod-1"} if "pod-1" in said else {None}
        assert {span.resource.get("service.instance.id") for span in receiver.spans} == instance


def test_what_is_set_wrong_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracing.from_environment({}) is None
    assert tracing.from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}) is None
    assert tracing.from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OVERWINTER_TRACES": "off"}) is None
    for wrong in (
        {"OVERWINTER_TRACES": "perhaps"},
        {"OVERWINTER_TRACES": "on", "OTEL_TRACES_SAMPLER": "sometimes"},
        {"OVERWINTER_TRACES": "on", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "10"},
        {"OVERWINTER_TRACES": "on", "OVERWINTER_TRACE_EVENTS": "both"},
        {"OVERWINTER_TRACES": "on", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://not a host"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://:4318"},
        {"OVERWINTER_TRACES": "http://host:port"},
    ):
        with pytest.raises(InvalidInput, match=list(wrong)[-1]):
            tracing.from_environment(wrong)


@on_a_loop
async def test_a_collector_that_is_away_keeps_no_process_from_ending_in_order() -> None:
    asked: list[float] = []

    class Away:
        async def close(self, timeout: float) -> None:
            asked.append(timeout)

    for left in (3600.0, 2.0, -1.0):
        await tracing.last_words(cast("Any", Away()), left)
    assert asked == [tracing.FLUSH, 2.0, 0.5]


@pytest.mark.parametrize("mark", ["no json", '"text"', '{"since":"long ago"}', "{}"])
@on_a_loop
async def test_a_mark_that_can_not_be_read_keeps_nobody_from_starting(mark: str) -> None:
    store = MemoryStore()
    await store.open()
    await store.put(tracing.MARKS, "dead", mark)
    async with Runtime([], store, telemetry=Tracing(Stuck())) as runtime:
        assert "dead" not in await runtime.store.keys(tracing.MARKS)
        assert runtime.tracing is not None and runtime.tracing.lost[0] == 0


class Stuck:
    """An exporter that takes its time and fails."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def export(self, spans: Any) -> bool:
        self.taken += [span.name for span in spans]
        if len(self.taken) < 3:
            raise OSError("no collector")
        return True

    def close(self) -> None: ...


def test_what_does_not_fit_is_dropped_and_counted_and_an_exporter_that_fails_harms_nobody() -> None:
    exporter = Stuck()
    batch = Batch(exporter, Limits(queue=4, batch=2, every=60))
    spans = [Span("1" * 32, "2" * 16, "", str(number), "internal", 0, 1) for number in range(10)]
    batch._closed = True
    batch.put(spans[:1])
    assert batch.dropped == 1
    batch._closed = False
    batch._thread = object()  # type: ignore[assignment]  # nobody takes any for now
    batch.put(spans[:3])
    batch.put(spans[3:7])
    assert batch.dropped == 4
    batch._thread = None
    batch.put(())
    batch.close(1)
    batch = Batch(exporter, Limits(queue=4, batch=2, every=60))
    batch.put(spans[:4])
    assert batch.flush(20)
    assert (batch.failed, batch.exported, exporter.taken) == (2, 2, ["0", "1", "2", "3"])
    batch.close(20)
