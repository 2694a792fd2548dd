"""HTTP requests as Lambda gets them (function URL or HTTP API, payload format 2.0, or invoked in that form), and
answers as it wants them.

Bytes stay the bytes they were in both directions; repeated headers arrive joined by commas, cookies as a list.
A function URL, and who invokes, hands the path over as it was sent, an HTTP API percent-decoded.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import quote, unquote

from ..http.presence import PRESENCE, WHOLE, Presence
from ..invocation.lambdas import INVOKED, MARK
from ..messages.answer import Answer, Receive, Scope, Send
from ..messages.message import RawHeaders
from ..messages.problem import Refused, document

LARGEST = 6 * 1024 * 1024 - 4096
"""Bytes of JSON that Lambda carries as an answer, less what it puts around it."""
_LOOK = 1024 * 1024  # bodies below this fit in any case, however they are escaped


class Request(NamedTuple):
    """One request, ready for an ASGI app. ``path`` is percent-decoded."""

    method: str
    path: str
    raw_path: bytes
    query: bytes
    headers: RawHeaders
    body: bytes
    client: str
    host: str

    def scope(self, caller: str) -> Scope:
        """The ASGI scope. ``overwinter.caller`` is who AWS says the caller is, as an ARN, or ""."""
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "https",
            "path": self.path,
            "raw_path": self.raw_path,
            "query_string": self.query,
            "root_path": "",
            "headers": self.headers,
            "server": (self.host, 443),
            "client": (self.client, 0),
            "overwinter.caller": caller,
        }


def is_request(event: Mapping[str, Any]) -> bool:
    """Whether a Lambda event is an HTTP request in payload format 2.0."""
    context = event.get("requestContext")
    return type(context) is dict and "http" in context and "rawPath" in event


def read_request(event: Mapping[str, Any]) -> Request:
    """The request of an event. Raises Refused when its body is no Base64."""
    context = cast("Mapping[str, Any]", event["requestContext"])
    http = cast("Mapping[str, str]", context["http"])
    host = str(context.get("domainName") or "")
    path: str = event["rawPath"] or "/"
    if ".lambda-url." in host or event.get(MARK) == INVOKED:
        raw, path = path.encode("latin-1", "replace"), unquote(path)
    else:
        stage = f"/{context.get('stage')}"
        if stage != "/$default" and path.startswith(f"{stage}/"):
            path = path[len(stage) :]
        raw = quote(path, safe="/:@!$&'()*+,;=~").encode()
    sent = cast("Mapping[str, str]", event.get("headers") or {})
    headers = [(name.lower().encode("latin-1"), _bytes(value)) for name, value in sent.items()]
    cookies = cast("list[str]", event.get("cookies") or [])
    if cookies:
        headers.append((b"cookie", _bytes("; ".join(cookies))))
    query = str(event.get("rawQueryString") or "").encode("latin-1", "replace")
    return Request(http["method"], path, raw, query, headers, _body(event), http.get("sourceIp", ""), host)


def _bytes(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


def _body(event: Mapping[str, Any]) -> bytes:
    text = str(event.get("body") or "")
    if not event.get("isBase64Encoded"):
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Refused(400, "the body is announced as Base64 and is none; send the event as Lambda makes it") from None


async def ask(app: Any, request: Request, caller: str) -> Answer:
    """What an ASGI app answers, whole."""
    given = [{"type": "http.request", "body": request.body, "more_body": False}]
    scope = request.scope(caller)
    scope.update({PRESENCE: Presence(), WHOLE: True})  # nobody hears of a client that goes away
    status = 500
    headers: list[tuple[str, str]] = []
    chunks: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return given.pop() if given else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.extend((name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"])
        else:
            chunks.append(message.get("body", b""))

    await app(scope, cast("Receive", receive), cast("Send", send))
    return Answer(status, b"".join(chunks), headers)


def write_answer(answer: Answer) -> dict[str, Any]:
    """An answer as Lambda takes it. One that is larger than Lambda carries becomes a problem document."""
    written = _written(answer)
    if len(answer.body) > _LOOK and len(json.dumps(written)) > LARGEST:
        detail = (
            f"the answer has {len(answer.body)} bytes, and Lambda carries 6 MB; ask for less (a smaller limit), or "
            "read it from the store with the command line"
        )
        written = _written(document(500, "answer-too-large", detail))
    return written


def _written(answer: Answer) -> dict[str, Any]:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in answer.headers:
        if name == "set-cookie":
            cookies.append(value)
        else:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    written: dict[str, Any] = {"statusCode": answer.status, "headers": headers}
    try:
        written |= {"body": answer.body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        written |= {"body": base64.b64encode(answer.body).decode(), "isBase64Encoded": True}
    return written | ({"cookies": cookies} if cookies else {})
