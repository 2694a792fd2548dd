"""The request that the arguments of an ``http:invoke`` mean. Pure: what is wrong with them is known before anything
leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from ...orchestrator.machine.language.failure import RUNTIME, QueryError

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")
REPEATABLE = ("GET", "PUT", "DELETE", "OPTIONS", "HEAD")
"""What HTTP itself says may be done again."""
ENCODINGS = ("NONE", "URL_ENCODED")
ARRAYS = ("INDICES", "REPEAT", "COMMAS", "BRACKETS")
ONCE = "idempotency-key"
_FORM = "application/x-www-form-urlencoded"
_OWN = frozenset((
    "a-im", "accept-charset", "accept-datetime", "accept-encoding", "cache-control", "connection",
    "content-encoding", "content-length", "content-md5", "date", "expect", "forwarded", "from", "host",
    "http2-settings", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since",
    "max-forwards", "origin", "pragma", "proxy-authorization", "range", "referer", "server", "te", "trailer",
    "transfer-encoding", "upgrade", "via", "warning",
))  # fmt: skip
_OWN_BEGIN = ("x-forwarded-", "x-amz-", "x-amzn-")
"""Headers that AWS takes from nobody."""


class Request(NamedTuple):
    """``url`` has its query. ``connection`` is the name of what says who asks, "" for nobody."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    connection: str

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again when nobody knows whether it has arrived."""
        return self.method in REPEATABLE or ONCE in self.headers


def request(given: Mapping[str, Any]) -> Request:
    """Raises QueryError."""
    url, method = _text(given, "ApiEndpoint"), _text(given, "Method").upper()
    if method not in METHODS:
        raise QueryError(RUNTIME, f"The field 'Method' is one of {', '.join(METHODS)}, not {method[:40]!r}")
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise QueryError(RUNTIME, "The field 'ApiEndpoint' is no URL") from None
    if not fits or parts.username is not None or parts.fragment or not url.isascii() or not url.isprintable():
        raise QueryError(RUNTIME, "The field 'ApiEndpoint' is https://HOST/PATH, without a user and a fragment")
    pairs = parse_qsl(parts.query, keep_blank_values=True) + list(_query(_table(given, "QueryParameters")))
    headers = _headers(_table(given, "Headers"))
    body = _body(given, headers)
    connection: Any = _table(given, "Authentication") or _table(given, "InvocationConfig")
    arn = connection.get("ConnectionArn", "")
    return Request(
        method,
        parts._replace(query=urlencode(pairs)).geturl(),
        headers,
        body,
        arn if isinstance(arn, str) else "",
    )


def _headers(given: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in given.items():
        plain = name.lower()
        if plain in _OWN or plain.startswith(_OWN_BEGIN):
            raise QueryError(RUNTIME, f"The 'Headers' field contains unsupported values: [{plain[:80]}]")
        values = cast("Sequence[Any]", value) if isinstance(value, list) else [value]
        text = ", ".join(map(_plain, values))
        if not (plain.isascii() and plain.isprintable() and " " not in plain and plain and ":" not in plain):
            raise QueryError(RUNTIME, f"{name[:80]!r} can't be the name of a header")
        if not (text.isascii() and text.isprintable()):
            raise QueryError(RUNTIME, f"The header {name[:80]!r} has characters that can't be sent in one")
        headers[plain] = text
    return headers


def _body(given: Mapping[str, Any], headers: dict[str, str]) -> bytes:
    """The bytes, and the header that says what they are."""
    transform = _table(given, "Transform")
    encoding = transform.get("RequestBodyEncoding", "NONE")
    options = _table(transform, "RequestEncodingOptions")
    arrays = options.get("ArrayFormat", ARRAYS[0])
    if encoding not in ENCODINGS or arrays not in ARRAYS:
        known = f"RequestBodyEncoding is {' or '.join(ENCODINGS)}, ArrayFormat one of {', '.join(ARRAYS)}"
        raise QueryError(RUNTIME, f"The field 'Transform' can't be used: {known}")
    if "RequestBody" not in given:
        return b""
    body = given["RequestBody"]
    if encoding == "URL_ENCODED":
        headers.setdefault("content-type", _FORM)
        if not isinstance(body, dict):
            raise QueryError(RUNTIME, "With URL_ENCODED the field 'RequestBody' is an object")
        pairs = _form("", cast("dict[str, Any]", body), str(arrays))
        return "&".join(f"{quote_plus(name)}={quote_plus(value, safe=safe)}" for name, value, safe in pairs).encode()
    kind = headers.setdefault("content-type", "application/json")
    if isinstance(body, str) and "json" not in kind:
        return body.encode()
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _form(name: str, value: Any, arrays: str) -> Iterator[tuple[str, str, str]]:
    """Names, values, and what of a value stays as it is."""
    if isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            yield from _form(f"{name}[{key}]" if name else key, inner, arrays)
    elif not isinstance(value, list):
        yield name, _plain(value), ""
    elif arrays == "COMMAS":
        yield name, ",".join(map(_plain, cast("Sequence[Any]", value))), ","
    else:
        for index, inner in enumerate(cast("Sequence[Any]", value)):
            each = {"INDICES": f"{name}[{index}]", "BRACKETS": f"{name}[]", "REPEAT": name}[arrays]
            yield from _form(each, inner, arrays)


def _query(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        for one in cast("Sequence[Any]", value) if isinstance(value, list) else [value]:
            yield name, _plain(one)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(given: Mapping[str, Any], field: str) -> str:
    found = given.get(field)
    if not isinstance(found, str) or not found:
        raise QueryError(RUNTIME, f"The field '{field}' is required but was missing")
    return found


def _table(given: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    found = given.get(field)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise QueryError(RUNTIME, f"The field '{field}' must be an object")
    return cast("dict[str, Any]", found)
