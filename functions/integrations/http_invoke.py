"""``http:invoke``: one request to an API, and its answer as AWS gives it.

An answer of 2xx is the result; any other fails with ``States.Http.StatusCode.NNN`` and what was said as its cause, and
so does a redirection, which nobody follows. Whatever keeps an answer from coming within a minute is
``States.Http.Socket``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from ...orchestrator.engine.performing import current_call
from ...state.errors import InvalidInput, StateFailed
from ..invocation.connections import CONNECT, Connections, library
from ..invocation.trace import add_trace
from .configuration import Configuration, matched
from .connections import Connection
from .http_reach import SOCKET, address
from .http_request import ONCE, Request

if TYPE_CHECKING:
    import httpx

WHOLE = 60.0
"""Seconds that a request may take, as on AWS."""
LARGEST = 1024 * 1024
"""Bytes of an answer."""
_STATUS = "States.Http.StatusCode."
_CAUSE = 8000  # characters of an answer that tell why it is none
_AGENT = "overwinter"
_encrypted, _plain = Connections(encrypted=True), Connections(encrypted=False)


async def invoke(asked: Request, configured: Configuration, *, once: bool = False) -> dict[str, Any]:
    """``once``: the other side is trusted to know what it has had before, by the key of the call. Raises
    StateFailed."""
    try:
        url, headers = _shown(asked, configured)
    except InvalidInput as error:
        raise StateFailed("Events.ConnectionResource.InvalidConnectionState", str(error)) from None
    if once:
        headers[ONCE] = key()
    add_trace(headers)
    bound = asyncio.timeout(WHOLE)
    try:
        async with bound:
            return await _asked(asked, url, headers, await address(asked.url, configured.hosts))
    except TimeoutError:
        if not bound.expired():
            raise
        raise StateFailed(SOCKET, f"it was not answered within {WHOLE:g} s") from None


def key() -> str:
    """Of the call that goes on, the same however often it is made: by it the other side can tell that it has it."""
    own = current_call().idempotency_key
    return str(uuid.UUID(bytes=hashlib.sha256(f"once\n{own}".encode()).digest()[:16], version=4))


def _shown(asked: Request, configured: Configuration) -> tuple[str, dict[str, str]]:
    """The URL and the headers, with what the connection adds. Raises InvalidInput."""
    headers = {"user-agent": _AGENT, "accept": "*/*", "accept-encoding": "identity", **asked.headers}
    if not asked.connection:
        return asked.url, headers
    found: Connection | None = matched(configured.connections, asked.connection)
    if found is None:
        raise InvalidInput(
            f"nothing is known of the connection {asked.connection[:200]}; name it in [machine.connections] of "
            'overwinter.toml, like {bearer = "env:NAME"}'
        )
    added, query = found.shown()
    headers |= {name.lower(): value for name, value in added.items()}
    if not query:
        return asked.url, headers
    parts = urlsplit(asked.url)
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *query.items()]
    return parts._replace(query=urlencode(pairs)).geturl(), headers


async def _asked(asked: Request, url: str, headers: dict[str, str], where: str) -> dict[str, Any]:
    """Raises StateFailed."""
    httpx = await library()
    client = await (_encrypted if url.startswith("https:") else _plain).client()
    extensions: dict[str, Any] = {}
    if where:  # to the address that was looked at, by the name that is asked for
        whole = httpx.URL(url)
        headers["host"], extensions["sni_hostname"] = whole.netloc.decode(), whole.host
        url = whole.copy_with(host=where)
    try:
        async with client.stream(
            asked.method,
            url,
            content=asked.body,
            headers=headers,
            timeout=httpx.Timeout(WHOLE, connect=CONNECT),
            follow_redirects=False,
            extensions=extensions,
        ) as response:
            return _answer(response, await _read(response))
    except httpx.HTTPError as error:
        raise StateFailed(SOCKET, f"{str(error) or type(error).__name__}") from None


async def _read(response: httpx.Response) -> bytes:
    """Raises StateFailed."""
    if response.headers.get("content-encoding", "identity") != "identity":  # it may be of any size
        raise StateFailed(SOCKET, "the answer is compressed, which was not asked")
    whole = bytearray()
    async for data in response.aiter_raw():
        whole += data
        if len(whole) > LARGEST:
            raise StateFailed("States.DataLimitExceeded", f"the answer has more than {LARGEST:,} bytes")
    return bytes(whole)


def _answer(response: httpx.Response, body: bytes) -> dict[str, Any]:
    status, reason = response.status_code, response.reason_phrase
    text = _text(body, response.charset_encoding or "utf-8")
    if not 200 <= status < 300:
        raise StateFailed(f"{_STATUS}{status}", text[:_CAUSE] or reason)
    headers: dict[str, list[str]] = {}
    for name, value in response.headers.multi_items():
        headers.setdefault(name, []).append(value)
    return {
        "Headers": headers,
        "ResponseBody": _body(text, response.headers),
        "StatusCode": status,
        "StatusText": reason,
    }


def _text(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset, "replace")
    except LookupError:  # it names a character set that nobody knows
        return body.decode("utf-8", "replace")


def _body(text: str, headers: Mapping[str, str]) -> Any:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            return text
    return text


def _refuse(constant: str) -> Any:
    raise ValueError(constant)  # what is no JSON stays the text that it is
