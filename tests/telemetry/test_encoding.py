"""What goes over the wire is what OpenTelemetry's own encoder makes of a span, and an odd one costs no other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from overwinter.telemetry.spans.batch import Batch, Limits
from overwinter.telemetry.spans.ids import Context
from overwinter.telemetry.spans.otlp import Otlp
from overwinter.telemetry.spans.sdk import readable
from overwinter.telemetry.spans.span import Link, Span, SpanEvent, Step
from overwinter.telemetry.spans.wire import encoded

from .receiver import Receiver

_hex = "0123456789abcdef"
_trace_ids = st.text(_hex, min_size=32, max_size=32).filter(lambda text: int(text, 16) > 0)
_span_ids = st.text(_hex, min_size=16, max_size=16).filter(lambda text: int(text, 16) > 0)
_words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_whole = st.integers(-(1 << 63), (1 << 63) - 1)
_values = st.one_of(_words, st.booleans(), _whole, st.floats(allow_nan=False), st.tuples(_words, _words))
_attributes = st.dictionaries(_words, _values, max_size=4)
_times = st.integers(0, 4_000_000_000_000)
_spans = st.builds(
    Span,
    trace_id=_trace_ids,
    span_id=_span_ids,
    parent_id=st.just("") | _span_ids,
    name=_words,
    kind=st.sampled_from(["internal", "server", "client", "producer", "consumer"]),
    start=_times,
    end=_times,
    attributes=_attributes,
    events=st.lists(st.builds(SpanEvent, name=_words, at=_times, attributes=_attributes), max_size=2),
    links=st.lists(st.builds(Link, trace_id=_trace_ids, span_id=_span_ids, attributes=_attributes), max_size=2),
    error=st.just("") | _words,
    tracestate=st.sampled_from(["", "vendor=1", "a=1,b=2"]),
)


@given(_spans)
def test_a_span_is_encoded_as_opentelemetry_does(span: Span) -> None:
    otlp = Otlp(InMemorySpanExporter())
    request = encode_spans([readable(span, otlp.resource)])
    (expected,) = request.resource_spans[0].scope_spans[0].spans
    if not span.error:
        expected.ClearField("status")  # it writes down that there is none
    assert Message.FromString(encoded(span)) == expected


@given(
    st.builds(
        Step,
        context=st.builds(
            Context, _trace_ids, _span_ids, st.just(value=True), st.sampled_from(["", "vendor=1", "a=1,b=2"])
        ),
        span_id=st.binary(min_size=8, max_size=8),
        name=_words | st.text(st.characters(), min_size=60, max_size=130),
        op=_words | st.text(st.characters(), min_size=60, max_size=130),
        start=_times,
        end=_times,
    )
)
def test_a_step_told_in_short_is_the_same_span(step: Step) -> None:
    assert encoded(step) == encoded(step.span)


def test_a_batch_says_of_whom_it_is_as_opentelemetry_does() -> None:
    span = Span("0" * 31 + "1", "0" * 15 + "2", "", "a step", "internal", 1, 2)
    otlp = Otlp()
    bodies: list[bytes] = []

    def post(body: bytes) -> bool:
        bodies.append(body)
        return True

    otlp.post = post
    assert otlp.send([otlp.encode(span)])
    expected = encode_spans([readable(span, otlp.resource)])
    expected.resource_spans[0].scope_spans[0].spans[0].ClearField("status")
    assert ExportTraceServiceRequest.FromString(bodies[0]) == expected


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_half_a_character_is_told_as_a_question_mark(text: str) -> None:
    span = Span("0" * 31 + "1", "0" * 15 + "2", "", text, "internal", 1, 2, {text: text, "n": 1 << 70}, error=text)
    made, clean = Message.FromString(encoded(span)), text.encode("utf-8", "replace").decode()
    assert made.name == made.status.message == clean
    assert {one.key: one.value.string_value for one in made.attributes} == {clean: clean, "n": str(1 << 70)}


def test_the_exporters_own_client_sends() -> None:
    """With the releases that are installed here; others get the SDK's spans, which is told by ``post``."""
    with Receiver() as receiver:
        otlp = Otlp(endpoint=f"{receiver.url}/v1/traces")
        assert otlp.post is not None
        batch = Batch(otlp, Limits())
        batch.put([Span("0" * 31 + "1", "0" * 15 + "2", "", "a step", "internal", 1, 2)])
        assert batch.flush(10) and batch.exported == 1
        assert [span.name for span in receiver.spans] == ["a step"]
        batch.close(1)


def test_another_exporter_is_given_the_sdks_spans() -> None:
    kept = InMemorySpanExporter()
    batch = Batch(Otlp(kept), Limits())
    batch.put([Span("0" * 31 + "1", "0" * 15 + "2", "", "a step", "internal", 1, 2)])
    assert batch.flush(10)
    assert [span.name for span in kept.get_finished_spans()] == ["a step"]
    batch.close(1)


def test_a_span_that_cannot_be_encoded_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    class Picky:
        def __init__(self) -> None:
            self.sent: list[Any] = []

        def encode(self, span: Span) -> str:
            if span.name == "bad":
                raise ValueError("no")
            return span.name

        def send(self, encoded: Any) -> bool:
            self.sent += encoded
            return True

        def export(self, spans: Any) -> bool:
            raise AssertionError("it is given what it has encoded")

        def close(self) -> None: ...

    picky = Picky()
    batch = Batch(picky, Limits())
    one = Span("0" * 31 + "1", "0" * 15 + "2", "", "good", "internal", 1, 2)
    batch.put([one, one._replace(name="bad"), one])
    assert batch.flush(10) and picky.sent == ["good", "good"] and batch.failed == 1
    assert "the span 'bad' can't be exported" in caplog.text
    batch.close(1)
