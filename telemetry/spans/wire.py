"""A span as OTLP writes it (opentelemetry/proto/trace/v1/trace.proto), as bytes.

Made of a span at a time on the event loop, so it is written by hand: messages of the protobuf library cost twice as
much, and thousands that wait keep as many arenas. A property compares it with what OpenTelemetry's own encoder writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, cast

from .span import MS, WITHIN, Attribute, Kind, Span

_KINDS: Mapping[Kind, bytes] = {
    "internal": b"\x30\x01", "server": b"\x30\x02", "client": b"\x30\x03", "producer": b"\x30\x04",
    "consumer": b"\x30\x05",
}  # fmt: skip
_TIMES = Struct("<BQBQ").pack
_TIME = Struct("<BQ").pack
_DOUBLE = Struct("<Bd").pack
_FLAGS, _LINKED = b"\x85\x01", b"\x35"
_KNOWN, _REMOTE = b"\x00\x01\x00\x00", b"\x00\x03\x00\x00"
"""Flags: that it is known whether the parent is of another process, and that it is."""
_ERROR = b"\x18\x02"
_WHOLE = 1 << 63
_SHORT = 64
"""Texts up to here are kept in mind: most are said again and again."""


def encoded(span: Span) -> bytes:
    """The message of a span. Half a character is told as a question mark."""
    try:
        return _span(span)
    except UnicodeEncodeError:  # rare, and looked for only then
        return _span(_whole_characters(span))


def framed(tag: bytes, parts: Iterable[bytes]) -> bytes:
    """A field of several messages."""
    return b"".join(tag + _varint(len(part)) + part for part in parts)


def _span(span: Span) -> bytes:
    parts = [b"\x0a\x10", bytes.fromhex(span.trace_id), b"\x12\x08", bytes.fromhex(span.span_id)]
    if span.parent_id:
        parts += (b"\x22\x08", bytes.fromhex(span.parent_id), _FLAGS, _REMOTE)
    else:
        parts += (_FLAGS, _KNOWN)
    parts += (_text(b"\x2a", span.name), _KINDS[span.kind], _TIMES(0x39, span.start * MS, 0x41, span.end * MS + WITHIN))
    parts += _attributes(b"\x4a", span.attributes)
    if span.tracestate:
        parts.append(_text(b"\x1a", span.tracestate))
    for event in span.events:
        told = _TIME(0x09, event.at * MS) + _text(b"\x12", event.name)
        parts.append(_field(b"\x5a", told + b"".join(_attributes(b"\x1a", event.attributes))))
    for link in span.links:
        ids = b"\x0a\x10" + bytes.fromhex(link.trace_id) + b"\x12\x08" + bytes.fromhex(link.span_id)
        parts.append(_field(b"\x6a", ids + _LINKED + _REMOTE + b"".join(_attributes(b"\x22", link.attributes))))
    if span.error:
        parts.append(_field(b"\x7a", _text(b"\x12", span.error) + _ERROR))
    return b"".join(parts)


def _attributes(tag: bytes, attributes: Mapping[str, Any]) -> list[bytes]:
    return [
        _said(tag, name, value)
        if isinstance(value, str) and len(value) <= _SHORT
        else _field(tag, _text(b"\x0a", name) + _field(b"\x12", _value(value)))
        for name, value in attributes.items()
    ]


@lru_cache(4096)
def _said(tag: bytes, name: str, value: str) -> bytes:
    return _field(tag, _text(b"\x0a", name) + _field(b"\x12", _text(b"\x0a", value)))


def _value(value: Attribute) -> bytes:
    if isinstance(value, str):
        return _text(b"\x0a", value)
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + _varint(value % (1 << 64)) if -_WHOLE <= value < _WHOLE else _text(b"\x0a", str(value))
    if isinstance(value, float):
        return _DOUBLE(0x21, value)
    return _field(b"\x2a", framed(b"\x0a", map(_value, value)))


def _text(tag: bytes, text: str) -> bytes:
    return _field(tag, text.encode())


def _field(tag: bytes, body: bytes) -> bytes:
    return tag + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _whole_characters(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        told = cast("Mapping[str, Any]", value)
        return {_whole_characters(key): _whole_characters(one) for key, one in told.items()}
    if isinstance(value, (tuple, list)):
        several = cast("Sequence[Any]", value)
        parts = [_whole_characters(one) for one in several]
        return type(several)(*parts) if hasattr(several, "_fields") else tuple(parts)
    return value
