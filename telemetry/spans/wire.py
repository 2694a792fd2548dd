"""A span as OTLP writes it (opentelemetry/proto/trace/v1/trace.proto), as bytes.

Made of a span at a time on the event loop, so it is written by hand: messages of the protobuf library cost twice as
much, and thousands that wait keep as many arenas. A property compares it with what OpenTelemetry's own encoder writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, cast

from .span import MS, WITHIN, Attribute, Kind, Span, Step, whole

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


def encoded(span: Span | Step) -> bytes:
    """The message of a span. Half a character is told as a question mark."""
    try:
        return _step(span) if type(span) is Step else _span(cast("Span", span))
    except UnicodeEncodeError:  # rare, and looked for only then
        return _span(_whole_characters(whole(span)))


def _step(step: Step) -> bytes:
    """What ``_span`` makes of it, in half its time."""
    context, span_id, name, op, start, end = step
    attribute = (
        _said(b"\x4a", "overwinter.operation", op)
        if len(op) <= _SHORT
        else b"".join(_attributes(b"\x4a", {"overwinter.operation": op}))
    )
    state = _text(b"\x1a", context.tracestate) if context.tracestate else b""
    return b"".join(
        (
            _trace(context.trace_id), span_id, _parent(context.span_id),
            _name(name) if len(name) <= _SHORT else _text(b"\x2a", name), b"\x30\x01",
            _TIMES(0x39, start * MS, 0x41, end * MS + WITHIN), attribute, state,
        )
    )  # fmt: skip


def framed(tag: bytes, parts: Iterable[bytes]) -> bytes:
    """A field of several messages."""
    return b"".join(tag + _varint(len(part)) + part for part in parts)


def _span(span: Span) -> bytes:
    trace_id, span_id, parent_id, name, kind, start, end, attributes, events, links, error, tracestate = span
    parts = [
        _trace(trace_id), bytes.fromhex(span_id), _parent(parent_id),
        _name(name) if len(name) <= _SHORT else _text(b"\x2a", name), _KINDS[kind],
        _TIMES(0x39, start * MS, 0x41, end * MS + WITHIN), *_attributes(b"\x4a", attributes),
    ]  # fmt: skip
    if tracestate:
        parts.append(_text(b"\x1a", tracestate))
    for event in events:
        told = _TIME(0x09, event.at * MS) + _text(b"\x12", event.name)
        parts.append(_field(b"\x5a", told + b"".join(_attributes(b"\x1a", event.attributes))))
    for link in links:
        ids = _trace(link.trace_id) + bytes.fromhex(link.span_id)
        parts.append(_field(b"\x6a", ids + _LINKED + _REMOTE + b"".join(_attributes(b"\x22", link.attributes))))
    if error:
        parts.append(_field(b"\x7a", _text(b"\x12", error) + _ERROR))
    return b"".join(parts)


@lru_cache(256)
def _trace(trace_id: str) -> bytes:
    """The trace, up to where the span's own id follows."""
    return b"\x0a\x10" + bytes.fromhex(trace_id) + b"\x12\x08"


@lru_cache(256)
def _parent(parent_id: str) -> bytes:
    return b"\x22\x08" + bytes.fromhex(parent_id) + _FLAGS + _REMOTE if parent_id else _FLAGS + _KNOWN


@lru_cache(1024)
def _name(name: str) -> bytes:
    return _text(b"\x2a", name)


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
