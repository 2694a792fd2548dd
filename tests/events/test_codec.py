"""The codec's promises: what it writes it reads back, and what is invalid is refused by the attribute's name."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import (
    Mode,
    mode_of,
    parse,
    parse_all,
    write_batch,
    write_binary,
    write_structured,
)
from overwinter.state.errors import InvalidEvent

BASE = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
STRUCTURED = [("content-type", "application/cloudevents+json")]
BATCHED = [("content-type", "application/cloudevents-batch+json")]

texts = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cn"), exclude_characters="\ufffe\uffff"), min_size=1, max_size=30
)
sources = st.sampled_from(
    [
        "/a/b",
        "https://x.example/p?q=1#f",
        "urn:uuid:6e8bc430",
        "a/b",
        "1-555-123-4567",
        "//h/p",
        "mailto:a@b",
        "%41",
        "#f",
    ]
)
times = st.datetimes(timezones=st.just(UTC)).map(lambda t: t.isoformat().replace("+00:00", "Z"))
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc\u00e9 ", max_size=5), inner, max_size=4),
    max_leaves=10,
)
names = st.from_regex(r"\A[a-z0-9]{1,40}\Z").filter(
    lambda n: (
        n not in ("id", "source", "type", "subject", "time", "data", "specversion", "datacontenttype")
        and n not in ("dataschema", "traceparent", "tracestate", "dataref")
    )
)
payloads = st.one_of(
    st.tuples(st.sampled_from(["application/json", "application/x+json; charset=utf-8", "text/json"]), plain),
    st.tuples(st.just("application/octet-stream"), st.binary(max_size=40)),
    st.tuples(
        st.sampled_from(["text/plain", "application/xml; charset=utf-16"]),
        st.text(st.characters(exclude_categories=["Cs"])),
    ),
    st.tuples(st.none(), plain),
)


@st.composite
def events(draw: st.DrawFn, extension: st.SearchStrategy[Any] = texts) -> CloudEvent:
    content_type, data = draw(payloads)
    return CloudEvent(
        id=draw(texts),
        source=draw(sources),
        type=draw(texts),
        subject=draw(st.none() | texts),
        time=draw(st.none() | times),
        dataschema=draw(st.none() | st.just("https://x.example/schema")),
        datacontenttype=content_type,
        data=data,
        extensions=draw(st.dictionaries(names, extension, max_size=3)),
    )


def raw(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers]


@settings(max_examples=150, deadline=None)
@given(events())
def test_what_binary_mode_writes_it_reads_back(event: CloudEvent) -> None:
    message = write_binary(event)
    assert parse(raw(message.headers), message.body) == event
    assert parse(message.headers, message.body) == event


@settings(max_examples=150, deadline=None)
@given(events(texts | st.booleans() | st.integers(-(2**31), 2**31 - 1)))
def test_what_structured_mode_writes_it_reads_back(event: CloudEvent) -> None:
    message = write_structured(event)
    again = parse(raw(message.headers), message.body)
    assert again == event
    assert {k: type(v) for k, v in again.extensions.items()} == {k: type(v) for k, v in event.extensions.items()}


@settings(max_examples=50, deadline=None)
@given(st.lists(events(), max_size=4))
def test_what_batched_mode_writes_it_reads_back(several: list[CloudEvent]) -> None:
    message = write_batch(several)
    assert mode_of(message.headers) is Mode.BATCHED
    assert parse_all(raw(message.headers), message.body) == several


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([*BASE, "ce-subject", "ce-time", "ce-x", "content-type"]), st.binary(max_size=12))
    ),
    st.binary(max_size=30),
    st.booleans(),
)
def test_garbage_is_refused_and_never_crashes(noise: list[tuple[str, bytes]], body: bytes, complete: bool) -> None:
    headers = [(n.encode(), v.encode()) for n, v in BASE.items()] if complete else []
    headers += [(name.encode(), value) for name, value in noise]
    try:
        parse_all(headers, body)
    except InvalidEvent as error:
        assert error.status in (400, 413, 415)
        assert str(error)


@settings(max_examples=100, deadline=None)
@given(plain)
def test_any_json_is_an_event_or_refused(value: Any) -> None:
    import json

    for headers in (STRUCTURED, BATCHED):
        try:
            parse_all(headers, json.dumps(value).encode())
        except InvalidEvent as error:
            assert error.status in (400, 415)


BAD_HEADERS = [
    ({"ce-id": ""}, "id"),
    ({"ce-id": None}, "id"),
    ({"ce-type": None}, "type"),
    ({"ce-source": None}, "source"),
    ({"ce-specversion": None}, "specversion"),
    ({"ce-specversion": "0.3"}, "specversion"),
    ({"ce-specversion": "1.1"}, "specversion"),
    ({"ce-source": "a b"}, "source"),
    ({"ce-source": "http://[::1"}, "source"),
    ({"ce-source": "/a%2"}, "source"),
    ({"ce-source": "1a:b"}, "source"),
    ({"ce-source": "/a#b#c"}, "source"),
    ({"ce-time": "2018-04-05"}, "time"),
    ({"ce-time": "2018-04-05T03:56:24"}, "time"),
    ({"ce-time": "2018-02-30T03:56:24Z"}, "time"),
    ({"ce-time": "2018-04-05 03:56:24Z"}, "time"),
    ({"ce-time": "2018-04-05T03:56:24+25:00"}, "time"),
    ({"ce-subject": ""}, "subject"),
    ({"ce-subject": "caf\u00e9"}, "subject"),
    ({"ce-subject": "a\x01b"}, "subject"),
    ({"ce-dataschema": "relative/schema"}, "dataschema"),
    ({"ce-datacontenttype": "application/json"}, "datacontenttype"),
    ({"ce-data": "x"}, "data"),
    ({"ce-my_ext": "x"}, "my_ext"),
    ({"ce-": "x"}, ""),
    ({"ce-dataref": "not a uri"}, "dataref"),
]


@pytest.mark.parametrize(("change", "attribute"), BAD_HEADERS)
def test_a_bad_header_is_named(change: dict[str, str | None], attribute: str) -> None:
    headers = [(k, v) for k, v in {**BASE, **change}.items() if v is not None]
    with pytest.raises(InvalidEvent) as caught:
        parse(headers, b"")
    assert (caught.value.attribute, caught.value.status) == (attribute, 400)


def test_a_header_that_occurs_twice_is_refused() -> None:
    with pytest.raises(InvalidEvent, match="twice") as caught:
        parse([*BASE.items(), ("CE-ID", "2")], b"")
    assert caught.value.attribute == "id"
    with pytest.raises(InvalidEvent, match="twice"):
        parse([*BASE.items(), ("content-type", "text/plain"), ("Content-Type", "text/plain")], b"")


BAD_MEMBERS = [
    ({"id": 1}, "id", 400),
    ({"id": None}, "id", 400),
    ({"source": ""}, "source", 400),
    ({"type": True}, "type", 400),
    ({"specversion": 1.0}, "specversion", 400),
    ({"time": 5}, "time", 400),
    ({"subject": []}, "subject", 400),
    ({"datacontenttype": "nonsense"}, "datacontenttype", 415),
    ({"datacontenttype": 5}, "datacontenttype", 415),
    ({"datacontenttype": "text/plain; charset=klingon", "data": "x"}, "datacontenttype", 415),
    ({"datacontenttype": "text/plain", "data": {"a": 1}}, "data", 400),
    ({"datacontenttype": "text/plain; charset=us-ascii", "data": "\u00e9"}, "data", 400),
    ({"data": 1, "data_base64": "YQ=="}, "data_base64", 400),
    ({"data_base64": "not base64!"}, "data_base64", 400),
    ({"data_base64": 5}, "data_base64", 400),
    ({"data_base64": "YQ==", "datacontenttype": "application/json"}, "data", 400),
    ({"Upper": "x"}, "Upper", 400),
    ({"ext": 1.5}, "ext", 400),
    ({"ext": {"a": 1}}, "ext", 400),
    ({"ext": 2**31}, "ext", 400),
    ({"ext": ""}, "ext", 400),
]


@pytest.mark.parametrize(("change", "attribute", "status"), BAD_MEMBERS)
def test_a_bad_member_is_named(change: dict[str, Any], attribute: str, status: int) -> None:
    import json

    item = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", **change}
    with pytest.raises(InvalidEvent) as caught:
        parse(STRUCTURED, json.dumps(item).encode())
    assert (caught.value.attribute, caught.value.status) == (attribute, status)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ([("content-type", "application/json")], b"{}", 415),
        ([("content-type", "application/cloudevents+avro")], b"x", 415),
        ([("content-type", "application/cloudevents")], b"{}", 415),
        ([("content-type", "application/cloudevents+json; charset=utf-16")], b"{}", 415),
        (BATCHED, b"[]", 415),
        (STRUCTURED, b"", 400),
        (STRUCTURED, b"[]", 400),
        (STRUCTURED, b"\xff\xfe", 400),
        (STRUCTURED, b"[" * 100_000, 400),
        ([*BASE.items(), ("content-type", "application/json")], b"{", 400),
        ([*BASE.items(), ("content-type", "text/plain")], b"\xff", 400),
    ],
)
def test_a_bad_message_has_its_status(headers: list[tuple[str, str]], body: bytes, status: int) -> None:
    with pytest.raises(InvalidEvent) as caught:
        parse(headers, body)
    assert caught.value.status == status


def test_size_is_limited() -> None:
    headers = [*BASE.items(), ("content-type", "text/plain")]
    assert parse(headers, b"12345", limit=5).data == "12345"
    with pytest.raises(InvalidEvent, match="dataref") as caught:
        parse(headers, b"123456", limit=5)
    assert caught.value.status == 413


def test_one_bad_event_spoils_the_batch_and_is_numbered() -> None:
    body = b'[{"specversion":"1.0","id":"1","source":"/s","type":"t"},{"specversion":"1.0","id":"2","source":"/s"}]'
    with pytest.raises(InvalidEvent, match="event 1 of the batch") as caught:
        parse_all(BATCHED, body)
    assert caught.value.attribute == "type"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u20ac \U0001f600"),
        ("%e2%82%ac", "\u20ac"),
        ("%41bc", "Abc"),
        ('"a b"', "a b"),
        ('"a%20\\"b\\""', 'a "b"'),
        ("a b", "a b"),
        ("%25", "%"),
    ],
)
def test_header_values_are_unquoted_then_percent_decoded(header: str, value: str) -> None:
    assert parse([*BASE.items(), ("ce-subject", header)], b"").subject == value


def test_the_writer_encodes_exactly_what_the_binding_names() -> None:
    event = CloudEvent(source="/s", type="t", subject='Euro \u20ac "100%" ~!#')
    headers = dict(write_binary(event).headers)
    assert headers["ce-subject"] == "Euro%20%E2%82%AC%20%22100%25%22%20~!#"


def test_an_event_does_not_change_and_can_be_copied() -> None:
    event = CloudEvent(source="/s", type="t", data={"a": 1}, extensions={"partitionkey": "k"})
    with pytest.raises(AttributeError, match="replace"):
        event.type = "other"
    with pytest.raises(TypeError):
        event.extensions["partitionkey"] = "x"  # type: ignore[index]
    assert event.replace(type="other").type == "other"
    assert pickle.loads(pickle.dumps(event)) == event
    assert event.datacontenttype == "application/json"


def test_time_is_kept_as_written_and_read_as_a_datetime() -> None:
    event = CloudEvent(source="/s", type="t", time="2018-04-05T23:59:60.123456789+01:00")
    assert event.time == "2018-04-05T23:59:60.123456789+01:00"
    assert event.when is not None
    assert event.when.astimezone(UTC) == datetime(2018, 4, 5, 22, 59, 59, 123456, UTC)
    with pytest.raises(InvalidEvent, match="zone"):
        CloudEvent(source="/s", type="t", time=datetime(2018, 1, 1))


def test_an_answer_carries_trace_and_correlation_on() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    first = CloudEvent(id="1", source="/s", type="t", extensions={"traceparent": trace, "partitionkey": "k"})
    second = first.answer(type="u", source="/r", data=1)
    third = second.answer(type="v", source="/q")
    assert (second.causationid, second.correlationid, second.traceparent, second.partitionkey) == ("1", "1", trace, "k")
    assert (third.causationid, third.correlationid) == (second.id, "1")
