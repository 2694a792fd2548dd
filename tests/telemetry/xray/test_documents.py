"""Every span is a document of X-Ray's schema: whatever its name, its attributes and its size."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from overwinter.state.codec import dumps
from overwinter.telemetry.spans.span import Link, Span, SpanEvent
from overwinter.telemetry.xray.documents import _SEARCHED, LARGEST, document, is_segment

from .daemon import check

TRACE, ID, PARENT = "65a1b2c30123456789abcdef01234567", "0123456789abcdef", "fedcba9876543210"
TEXT = st.text(st.characters(codec="utf-8"), max_size=300)
NAMES = st.sampled_from(["overwinter.execution", "faas.name", "user.id", "error.type", "gen_ai.request.model"]) | TEXT
VALUES = TEXT | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
ATTRIBUTES = st.dictionaries(NAMES, VALUES | st.tuples(TEXT), max_size=8)
SPANS = st.builds(
    Span,
    st.just(TRACE),
    st.just(ID),
    st.sampled_from(["", PARENT]),
    TEXT,
    st.sampled_from(["internal", "client", "server", "producer", "consumer"]),
    st.integers(0, 2**42),
    st.integers(0, 2**42),
    ATTRIBUTES,
    st.lists(st.builds(SpanEvent, TEXT, st.integers(0, 2**42), ATTRIBUTES), max_size=3),
    st.lists(st.builds(Link, st.just(TRACE), st.just(ID)), max_size=3),
    TEXT,
)


@given(SPANS)
def test_every_span_is_a_valid_document_and_the_same_again(span: Span) -> None:
    made = document(span)
    check(made)
    assert made == document(span)
    assert ("type" in made) is not is_segment(span)
    assert made["trace_id"].replace("-", "")[1:] == TRACE and made["id"] == ID
    assert made.get("fault", False) is bool(span.error)


def span(**fields: Any) -> Span:
    return Span(TRACE, ID, PARENT, "chat gpt-5", "client", 1_000, 2_500)._replace(**fields)


def test_what_serves_or_has_no_parent_is_a_segment_named_after_its_function() -> None:
    served = document(span(kind="server", attributes={"faas.name": "support", "user.id": "ana"}))
    assert (served["name"], served["parent_id"], served["user"]) == ("support", PARENT, "ana")
    assert document(span(parent_id=""))["name"] == "chat gpt-5"
    called = document(span())
    assert (called["type"], called["namespace"], called["parent_id"]) == ("subsegment", "remote", PARENT)
    assert (called["start_time"], called["end_time"]) == (1.0, 2.5)
    assert "namespace" not in document(span(kind="internal"))


def test_what_fails_says_why_and_what_one_searches_by_is_annotated() -> None:
    made = document(span(error="no stock", attributes={"error.type": "shop.NoStock", "overwinter.cost": 0.25}))
    (exception,) = made["cause"]["exceptions"]
    assert (exception["message"], exception["type"]) == ("no stock", "shop.NoStock")
    assert made["annotations"] == {"overwinter_cost": 0.25, "error_type": "shop.NoStock"}


def test_a_span_of_any_size_fits_a_datagram() -> None:
    events = [SpanEvent("waited", 1, {"text": "ü" * 9_000}) for _ in range(500)]
    for size in (1_000, 40_000, 500_000):
        made = document(span(name="n" * size, attributes={f"a{n}": "ü" * size for n in range(60)}, events=events))
        check(made)
        assert made["metadata"]["overwinter"]["cut"] is True
    assert "cut" not in document(span())["metadata"]["overwinter"]


def test_what_one_searches_by_and_why_it_failed_leave_room_for_the_rest() -> None:
    for text in ("é" * 100_000, "\U0001f600" * 100_000, "\x01" * 100_000):
        said = dict.fromkeys((*_SEARCHED, "faas.name", "user.id"), text)
        made = document(span(name=text, attributes=said, error=text))
        check(made)
        assert len(dumps(made).encode()) <= LARGEST
