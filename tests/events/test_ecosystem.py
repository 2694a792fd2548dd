"""What brokers, sources and SDKs really send, which is not always what the binding says: it is taken, and read as what
was meant. The shapes are those of Knative's broker filter (SDK for Go: attributes as they are, no content type where a
structured event named none) and of its Kafka source.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import parse, write_binary, write_structured
from overwinter.state.errors import InvalidEvent

BASE = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
STRUCTURED = [("content-type", "application/cloudevents+json")]
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def binary(body: bytes = b"", **attributes: bytes) -> CloudEvent:
    """Read as a server hands it over: names and values as bytes."""
    headers = {name.encode(): value.encode() for name, value in BASE.items()}
    headers |= {b"ce-" + name.encode(): value for name, value in attributes.items()}
    return parse(list(headers.items()), body)


def structured(**members: Any) -> CloudEvent:
    item = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", **members}
    return parse(STRUCTURED, json.dumps(item).encode())


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("Müller".encode(), "Müller"),
        ("東京 €".encode(), "東京 €"),
        (b"100%", "100%"),
        (b"100% of 50%", "100% of 50%"),
        (b"%zz", "%zz"),
        (b"caf%C3%A9 100%", "café 100%"),
        ("50% of café".encode(), "50% of café"),
        ("caf%C3%A9 é".encode(), "café é"),
        (b"%C3%28", "%C3%28"),  # no UTF-8, so it is no encoding
        (b"%ED%A0%80", "%ED%A0%80"),
        (b"%C0%AF", "%C0%AF"),
        (b"%0A", "%0A"),  # no attribute may hold what that would mean
        (b"%EF%BF%BF", "%EF%BF%BF"),
        (b'"open', '"open'),
        (b'"a" and "b"', '"a" and "b"'),
        (b"  c-42\t", "c-42"),
        (b"%20c-42%20", " c-42 "),
    ],
)
def test_a_value_is_decoded_where_it_is_encoded_and_else_taken_as_it_is(sent: bytes, meant: str) -> None:
    assert binary(subject=sent).subject == meant


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Zs"), exclude_characters='%"\\'), min_size=1))
def test_what_is_sent_raw_and_has_no_percent_is_read_as_it_was(subject: str) -> None:
    assert binary(subject=subject.encode()).subject == subject
    event = CloudEvent(source="/s", type="t", subject=subject)
    assert parse(write_binary(event).headers, b"") == event


def test_what_is_no_text_is_refused_by_name() -> None:
    with pytest.raises(InvalidEvent, match="neither percent-encoded nor UTF-8") as caught:
        binary(subject=b"caf\xe9")
    assert (caught.value.attribute, caught.value.status) == ("subject", 400)


@pytest.mark.parametrize(("sent", "meant"), [(b"/a%20b", "/a%20b"), (b"/a%2520b", "/a%20b"), (b"/a%2", None)])
def test_a_source_that_is_a_uri_reference_only_as_it_stands_stays_so(sent: bytes, meant: str | None) -> None:
    if meant is not None:
        assert binary(source=sent).source == meant
        return
    with pytest.raises(InvalidEvent):
        binary(source=sent)


@pytest.mark.parametrize(
    ("body", "data", "kind"),
    [
        (b'"Where is my order?"', "Where is my order?", "application/json"),
        (b'{"order_id": "o-1"}', {"order_id": "o-1"}, "application/json"),
        (b"\xff\x00", b"\xff\x00", "application/octet-stream"),
        (b"plain words", b"plain words", "application/octet-stream"),
        (b"", None, None),
    ],
)
def test_data_without_a_content_type_is_json_when_it_reads_as_json(body: bytes, data: Any, kind: str | None) -> None:
    import base64

    forwarded = binary(body)
    assert (forwarded.data, forwarded.datacontenttype) == (data, kind)
    original = structured(data_base64=base64.b64encode(body).decode())
    assert (original.data, original.datacontenttype) == (data, kind)


def test_names_longer_than_twenty_characters_are_taken() -> None:
    name = "kafkaheaderxcorrelationidentifier"
    assert binary(**{name: b"x"}).extensions == {name: "x"}
    assert structured(**{name: "x"}).extensions == {name: "x"}
    event = CloudEvent(source="/s", type="t", extensions={name: "x"})
    for write in (write_binary, write_structured):
        message = write(event)
        assert parse(message.headers, message.body) == event


@pytest.mark.parametrize(
    ("parent", "state", "kept"),
    [
        (TRACE, "v=1,w=2", {"traceparent": TRACE, "tracestate": "v=1,w=2"}),
        (f"01{TRACE[2:]}-of-later", None, {"traceparent": f"01{TRACE[2:]}-of-later"}),
        (f"cc{TRACE[2:]}", None, {"traceparent": f"cc{TRACE[2:]}"}),
        (f"ff{TRACE[2:]}", "v=1", {}),
        (f"{TRACE}-more", "v=1", {}),
        (TRACE.upper(), None, {}),
        ("nonsense", "v=1", {}),
        ("", "v=1", {}),
        (None, "v=1", {}),
        (TRACE, "", {"traceparent": TRACE}),
    ],
)
def test_a_trace_that_is_none_never_costs_the_event(
    parent: str | None, state: str | None, kept: dict[str, str]
) -> None:
    given = {name: value for name, value in (("traceparent", parent), ("tracestate", state)) if value is not None}
    assert structured(**given).extensions == kept
    event = binary(**{name: value.encode() for name, value in given.items()})
    assert event.extensions == kept
    answered = event.answer(type="u", source="/r")
    assert {name: answered.extensions.get(name) for name in kept} == kept


@pytest.mark.parametrize("parent", [5, ["x"], {"a": 1}])
def test_a_trace_of_another_type_never_costs_the_event(parent: Any) -> None:
    assert structured(traceparent=parent).extensions == {}


def test_white_space_around_a_content_type_is_no_part_of_it() -> None:
    headers = [*BASE.items(), ("content-type", " application/json ")]
    assert parse(headers, b"1").datacontenttype == "application/json"
