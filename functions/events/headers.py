"""Attributes of a CloudEvent as the values of HTTP headers. What is written is what the HTTP binding says: printable
ASCII, everything else percent-encoded.

What is read is what is really sent. The binding's decoding comes first: unquoted, percent-decoded, read as UTF-8. But
Knative's brokers and the SDK for Go write attributes as they are, so a value may be raw UTF-8, and a ``%`` or a quote
may be just that. Where decoding does not lead to a valid attribute, the value itself is the attribute.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from ...state.errors import InvalidEvent
from .attributes import text, uri, uri_reference

_ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_PLAIN = re.compile(r"[!#$&-~]*")  # printable without space, quote and percent: nothing to encode or decode
_CHECKS: Final[Mapping[str, Callable[[str, object], str]]] = {
    "source": uri_reference,
    "dataschema": uri,
    "dataref": uri_reference,
}


def encoded(value: str) -> str:
    """An attribute as a header value: percent-encoded where the HTTP binding says so, and nowhere else."""
    return value if _PLAIN.fullmatch(value) else quote(value, safe=_SAFE)


def attributes_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The attributes that ``ce-`` headers, named without the prefix, stand for. Bytes above ASCII come as latin-1."""
    return {name: value if _PLAIN.fullmatch(value) else decoded(name, value) for name, value in headers.items()}


def decoded(name: str, value: str) -> str:
    """A header value as the attribute it stands for. Raises InvalidEvent when it is not UTF-8."""
    raw = _utf8(name, value)
    quoted = _QUOTED.fullmatch(raw)
    found = _ENCODED.sub(_octets, re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else raw)
    return found if found == raw or _valid(name, found) else raw


def _octets(run: re.Match[str]) -> str:
    """What octets in a row stand for; they themselves when that is nothing."""
    try:
        return bytes.fromhex(run[0].replace("%", "")).decode()
    except UnicodeDecodeError:
        return run[0]


def _utf8(name: str, value: str) -> str:
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeEncodeError:
        return value  # read as text already by whoever hands it in
    except UnicodeDecodeError:
        raise InvalidEvent(f"the header ce-{name[:40]} is neither percent-encoded nor UTF-8", attribute=name) from None


def _valid(name: str, value: str) -> bool:
    try:
        _CHECKS.get(name, text)(name, value)
    except InvalidEvent:
        return False
    return True
