"""CloudEvents in HTTP messages: binary, structured (JSON) and batched (JSON) mode, read strictly.

What is read is a valid CloudEvent or an InvalidEvent that names the attribute and carries the HTTP status
(400 malformed, 413 too large, 415 a form that is not understood). Headers are pairs of bytes, as ASGI gives
them, or of str, as WSGI does; a header that occurs twice is refused. What is written is read back as an
equal event in every mode (in binary mode numbers and booleans of extensions become text).

Senders that write headers as they are, Knative's brokers among them, are understood too: what is no valid encoding
is taken as it stands, and data without a content type is JSON when it reads as JSON. What is written here is always
encoded. How a message is traced never decides whether its event is taken (``event_tracing``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, NamedTuple

from ...state.codec import dumps, loads
from ...state.errors import InvalidEvent
from ..messages.media import BATCHED, STRUCTURED, charset, essence, is_json
from .event import CloudEvent
from .headers import attributes_of, encoded
from .json_form import SPECVERSION, made_of, payload, read, write

Headers = Iterable[tuple[bytes, bytes]] | Iterable[tuple[str, str]]

_ATTRIBUTES = ("subject", "time", "dataschema")


class Mode(Enum):
    """How an HTTP message carries events."""

    NONE = "none"  # it is no CloudEvent
    BINARY = "binary"
    STRUCTURED = "structured"
    BATCHED = "batched"


class Message(NamedTuple):
    """Headers and body of an HTTP message, in either direction."""

    headers: list[tuple[str, str]]
    body: bytes


def mode_of(headers: Headers) -> Mode:
    """What the headers announce; says nothing about whether the event is valid."""
    return _read_headers(headers)[0]


def parse(headers: Headers, body: bytes, *, limit: int | None = None) -> CloudEvent:
    """The one event of a message in binary or structured mode."""
    mode, content_type, attributes = _read_headers(headers)
    _check_size(body, limit)
    if mode is Mode.BINARY:
        return _binary(content_type, attributes, body)
    if mode is Mode.STRUCTURED:
        return from_json(_json(content_type, body))
    wanted = "one event, not a batch, is expected" if mode is Mode.BATCHED else _UNKNOWN_FORM
    raise InvalidEvent(wanted, attribute="datacontenttype", status=415)


def parse_all(headers: Headers, body: bytes, *, limit: int | None = None) -> list[CloudEvent]:
    """The events of a message in any mode, a batch in its order. One invalid event makes it all invalid."""
    mode, content_type, attributes = _read_headers(headers)
    _check_size(body, limit)
    if mode is Mode.BINARY:
        return [_binary(content_type, attributes, body)]
    if mode is Mode.STRUCTURED:
        return [from_json(_json(content_type, body))]
    if mode is Mode.NONE:
        raise InvalidEvent(_UNKNOWN_FORM, attribute="datacontenttype", status=415)
    items: list[Any] = _json(content_type, body)
    if type(items) is not list:
        raise InvalidEvent("a batch must be a JSON array of events", attribute="data")
    events: list[CloudEvent] = []
    for index, item in enumerate(items):
        try:
            events.append(from_json(item))
        except InvalidEvent as error:
            raise InvalidEvent(
                f"event {index} of the batch: {error}", attribute=error.attribute, status=error.status
            ) from None
    return events


_UNKNOWN_FORM = (
    f"this is no CloudEvent: send ce-specversion and the other ce- headers, or Content-Type {STRUCTURED} or {BATCHED}"
)


# -- reading ---------------------------------------------------------------------------------------------


def _read_headers(headers: Headers) -> tuple[Mode, str | None, dict[str, str]]:
    content_type: str | None = None
    attributes: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = (raw_name if isinstance(raw_name, str) else raw_name.decode("latin-1")).lower()
        if name == "content-type":
            if content_type is not None:
                raise InvalidEvent("the header Content-Type occurs twice", attribute="datacontenttype")
            content_type = _value(raw_value)
        elif name.startswith("ce-"):
            attribute = name[3:]
            if attribute in attributes:
                raise InvalidEvent(f"the header {name} occurs twice", attribute=attribute)
            attributes[attribute] = _value(raw_value)
    kind = "" if content_type is None else essence(content_type)
    if kind.startswith("application/cloudevents"):
        if kind == STRUCTURED:
            return Mode.STRUCTURED, content_type, attributes
        if kind == BATCHED:
            return Mode.BATCHED, content_type, attributes
        raise InvalidEvent(
            f"the event format {kind[:60]} is not supported; use {STRUCTURED}",
            attribute="datacontenttype",
            status=415,
        )
    return (Mode.BINARY if attributes else Mode.NONE), content_type or None, attributes


def _value(raw: str | bytes) -> str:
    """A header's value without the white space around it, which is no part of it (RFC 9110, 5.5)."""
    return (raw if isinstance(raw, str) else raw.decode("latin-1")).strip(" \t")


def _check_size(body: bytes, limit: int | None) -> None:
    if limit is not None and len(body) > limit:
        raise InvalidEvent(
            f"the message has {len(body)} bytes, {limit} are allowed; send a dataref instead",
            attribute="data",
            status=413,
        )


def _binary(content_type: str | None, headers: dict[str, str], body: bytes) -> CloudEvent:
    if "datacontenttype" in headers:
        raise InvalidEvent(
            "the header ce-datacontenttype must not be sent; Content-Type carries it",
            attribute="datacontenttype",
        )
    data = payload(content_type, body) if body else None
    return CloudEvent(**made_of(attributes_of(headers), content_type, data))


def from_json(item: Any) -> CloudEvent:
    """An event from its JSON form, already parsed."""
    return CloudEvent(**read(item))


def _json(content_type: str | None, body: bytes) -> Any:
    if content_type is not None and charset(content_type) not in ("utf-8", "ascii"):
        raise InvalidEvent("the JSON event format is UTF-8", attribute="datacontenttype", status=415)
    try:
        return loads(body)
    except ValueError as error:
        raise InvalidEvent(f"the event is not valid JSON: {error}", attribute="data") from None


# -- writing ---------------------------------------------------------------------------------------------


def write_binary(event: CloudEvent) -> Message:
    """Attributes as ce- headers, the data as the body."""
    headers = [
        ("ce-specversion", SPECVERSION),
        ("ce-id", encoded(event.id)),
        ("ce-source", encoded(event.source)),
        ("ce-type", encoded(event.type)),
    ]
    for name in _ATTRIBUTES:
        value = getattr(event, name)
        if value is not None:
            headers.append((f"ce-{name}", encoded(value)))
    for name, value in event.extensions.items():
        text = value if isinstance(value, str) else str(value).lower()
        headers.append((f"ce-{name}", encoded(text)))
    content_type, data = event.datacontenttype, event.data
    if content_type is None:
        return Message(headers, b"")
    headers.append(("content-type", content_type))
    if data is None or isinstance(data, bytes):
        return Message(headers, data or b"")
    if is_json(content_type):
        return Message(headers, dumps(data).encode(charset(content_type)))
    return Message(headers, str(data).encode(charset(content_type)))


def write_structured(event: CloudEvent) -> Message:
    """The event as one JSON document."""
    return Message([("content-type", STRUCTURED)], dumps(to_json(event)).encode())


def write_batch(events: Sequence[CloudEvent]) -> Message:
    """Events as one JSON array; only for a receiver that asked for batches."""
    return Message([("content-type", BATCHED)], dumps([to_json(event) for event in events]).encode())


def to_json(event: CloudEvent) -> dict[str, Any]:
    """The JSON form of an event, not yet as text."""
    return write(event)
