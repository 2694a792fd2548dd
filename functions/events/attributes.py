"""What each attribute of a CloudEvent may hold. Every function returns the value it was given, or raises
InvalidEvent that names the attribute (status 400; 415 for a content type).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import quote

from ...state.errors import InvalidEvent

Extension = str | int | bool

CORE = ("id", "source", "type", "subject", "time", "datacontenttype", "dataschema")
RESERVED = frozenset({*CORE, "specversion", "data", "data_base64"})

_NAME = re.compile(r"[a-z0-9]+")
_MEDIA = re.compile(r"[\w!#$&^.+*'`|~-]+/[\w!#$&^.+*'`|~-]+(?:\s*;[\x20-\x7e]*)?", re.ASCII)
_FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(17))
    + "]"
)
_PCHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_NAMECHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
_AUTHORITY = rf"(?:(?:{_NAMECHAR}|:)*@)?(?:\[[0-9A-Fa-f:.v]+\]|{_NAMECHAR}*)(?::[0-9]*)?"
_TAIL = rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
_PATH = rf"(?://{_AUTHORITY}(?:/{_PCHAR}*)*|/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?|{{}})"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:" + _PATH.replace("{}", rf"(?:{_PCHAR}+(?:/{_PCHAR}*)*)?") + _TAIL)
_RELATIVE = re.compile(
    _PATH.replace("{}", rf"(?:(?:(?!:){_PCHAR})+(?:/{_PCHAR}*)*)?") + _TAIL
)  # the first segment of a relative reference holds no colon
TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|[+-](\d\d):(\d\d))", re.ASCII)
_TRACE = r"-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
TRACEPARENT = re.compile(rf"00{_TRACE}|(?!00|ff)[0-9a-f]{{2}}{_TRACE}(?:-[!-~]*)?")  # newer ones may have more fields
_ORDINARY = re.compile(r"[A-Za-z0-9._~/-]*")  # what nearly all references are made of


def text(name: str, value: object) -> str:
    """A non-empty CloudEvents string. Raises InvalidEvent that names the attribute."""
    if not isinstance(value, str):
        raise InvalidEvent(f"{name} must be a string, not {type(value).__name__}", attribute=name)
    if not value:
        raise InvalidEvent(f"{name} is empty; leave it out or give it a value", attribute=name)
    if not (value.isascii() and value.isprintable()):
        found = _FORBIDDEN.search(value)
        if found is not None:
            raise InvalidEvent(
                f"{name} holds the character U+{ord(found[0]):04X}, which a CloudEvent attribute must not",
                attribute=name,
            )
    return value


def held(value: str) -> str:
    """``value`` as an attribute holds it: what it must not hold is percent-encoded."""
    return _FORBIDDEN.sub(lambda found: quote(found[0].encode("utf-8", "surrogatepass"), safe=""), value)


def uri_reference(name: str, value: object) -> str:
    """A URI-reference of RFC 3986. Raises InvalidEvent that names the attribute."""
    checked = text(name, value)
    if _ORDINARY.fullmatch(checked) and not checked.startswith("//"):
        return checked
    if not (_RELATIVE.fullmatch(checked) or _URI.fullmatch(checked)):
        raise InvalidEvent(f"{name} {_short(checked)} is not a URI-reference (RFC 3986)", attribute=name)
    return checked


def uri(name: str, value: object) -> str:
    """An absolute URI of RFC 3986, with its scheme."""
    checked = text(name, value)
    if not _URI.fullmatch(checked):
        raise InvalidEvent(f"{name} {_short(checked)} is not an absolute URI (RFC 3986)", attribute=name)
    return checked


def timestamp(name: str, value: object) -> str:
    """An RFC 3339 time, kept as it is written. Raises InvalidEvent that names the attribute."""
    checked = text(name, value)
    match = TIME.fullmatch(checked)
    if match is None:
        raise InvalidEvent(
            f"{name} {_short(checked)} is not an RFC 3339 time; write it like 2026-11-22T08:30:00Z",
            attribute=name,
        )
    year, month, day, hour, minute, second, _, off_hour, off_minute = match.groups()
    try:
        datetime(int(year), int(month), int(day), int(hour), int(minute), min(int(second), 59))
    except ValueError as error:
        raise InvalidEvent(f"{name} {checked} is no point in time: {error}", attribute=name) from None
    if int(second) > 60 or (off_hour is not None and (int(off_hour) > 23 or int(off_minute) > 59)):
        raise InvalidEvent(f"{name} {checked} is no point in time", attribute=name)
    return checked


def media_type(name: str, value: object) -> str:
    checked = text(name, value)
    if not _MEDIA.fullmatch(checked):
        raise InvalidEvent(
            f"{name} {_short(checked)} is not a media type; write it like application/json",
            attribute=name,
            status=415,
        )
    return checked


def _traceparent(name: str, value: object) -> str:
    checked = text(name, value)
    if not TRACEPARENT.fullmatch(checked):
        raise InvalidEvent(f"{name} {_short(checked)} is not a W3C traceparent", attribute=name)
    return checked


_KNOWN: Mapping[str, Callable[[str, object], str]] = {
    "traceparent": _traceparent,
    "partitionkey": text,
    "causationid": text,
    "correlationid": text,
    "dataref": uri_reference,
}


def extension(name: object, value: object) -> Extension:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in RESERVED:
        raise InvalidEvent(
            f"{_short(str(name))} is not an attribute name; use lower-case letters and digits alone",
            attribute=str(name)[:64],
        )
    known = _KNOWN.get(name)
    if known is not None:
        return known(name, value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -(2**31) <= value < 2**31:
            raise InvalidEvent(f"{name} {value} does not fit into 32 bits; write it as a string", attribute=name)
        return value
    return text(name, value)


def _short(value: str) -> str:
    return repr(value if len(value) <= 80 else value[:77] + "…")
