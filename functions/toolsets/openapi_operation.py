"""One operation of a service as something to call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast
from urllib.parse import quote, urlencode

from ...orchestrator.engine.performing import current_call
from ...orchestrator.usercode.resilience import wait_of
from ...state.codec import loads
from ...state.errors import FunctionUnavailable, InDoubt, InvalidInput, ToolFailed
from ...state.quantities import Duration
from ..invocation.connections import Connections, library
from ..invocation.trace import add_trace
from .doubt import in_doubt_after, readable_of, unread
from .openapi_document import Operation, Parameter
from .openapi_security import Credentials

LARGEST = 8 * 1024 * 1024
"""Bytes of an answer that is read."""
_SAID = 4000
"""Characters of an error's body that the model reads."""
_NOT_NOW = frozenset({408, 425, 429, 503})
"""Statuses that say that nothing was done, and that it may be later."""
_DONE_ELSEWHERE = frozenset({300, 301, 302, 303})
"""Statuses by which services often say that it was done, and where to look at it."""


class Caller:
    """Called with the arguments that fit the operation's schema; what it gives is the answer's JSON or text."""

    def __init__(
        self,
        operation: Operation,
        base: str,
        credentials: Credentials,
        connections: Connections,
        effect: str,
        within: Duration,
    ) -> None:
        self._operation = operation
        self._base = base
        self._credentials = credentials
        self._connections = connections
        self._once = effect == "irreversible"
        self._within = within
        self.key_header = "Idempotency-Key"

    async def __call__(self, /, **arguments: Any) -> Any:
        operation = self._operation
        request = self._request(arguments)
        client = await self._connections.client()
        httpx = await library()
        what = f"{operation.method.upper()} {operation.path}"
        try:
            async with (
                in_doubt_after(self._within if self._once else None, what),
                client.stream(operation.method.upper(), follow_redirects=False, timeout=None, **request) as response,
            ):
                body, whole = await _body(response)
        except httpx.ConnectError as error:
            raise FunctionUnavailable(f"{what}: the service can't be reached ({error})") from None
        except httpx.DecodingError as error:
            raise unread(f"{what}: the answer can't be unpacked", error, once=self._once) from None
        except httpx.TransportError as error:
            said = f"{what}: no answer ({type(error).__name__}: {error})"
            raise InDoubt(said) if self._once else FunctionUnavailable(said) from None
        return self._outcome(response, body, what, whole=whole)

    def _outcome(self, response: Any, body: bytes, what: str, *, whole: bool) -> Any:
        status = int(response.status_code)
        if 200 <= status < 300:
            if not whole:
                why = InvalidInput(f"it has more than {LARGEST // 1024 // 1024} MB; ask for less of it")
                raise unread(f"{what}: the answer is too large", why, once=self._once)
            try:
                value = _value(response, body)
            except ValueError as error:
                raise unread(f"{what}: the answer is no JSON", error, once=self._once) from None
            return readable_of(value, f"{what}: the answer", once=self._once)
        said = body[: 4 * _SAID].decode("utf-8", "replace")[:_SAID]
        told = f"{what} was answered with {status}" + (f": {said}" if said.strip() else "")
        if status in _NOT_NOW:
            raise FunctionUnavailable(told, retry_after=wait_of(response.headers))
        if status >= 500 or (self._once and status in _DONE_ELSEWHERE):
            raise InDoubt(told) if self._once else FunctionUnavailable(told)
        raise ToolFailed(told)

    def _request(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What httpx is asked for. Raises InvalidInput for arguments that would lead to another address."""
        operation = self._operation
        signed = self._credentials.of(operation.security)
        path, headers = operation.path, {"Accept": "application/json, text/*;q=0.9"}
        pairs: list[tuple[str, str]] = []
        cookies: dict[str, str] = {}
        for parameter in operation.parameters:
            value = arguments.get(parameter.argument)
            if value is None or signed.has(parameter.place, parameter.name):
                continue
            if parameter.place == "path":
                path = path.replace(f"{{{parameter.name}}}", _segment(parameter, value))
            elif parameter.place == "query":
                pairs += _query(parameter, value)
            elif parameter.place == "header":
                headers[parameter.name] = _line(parameter, value)
            else:
                cookies[parameter.name] = _line(parameter, value)
        with suppress(LookupError):  # called by hand
            headers[self.key_header] = current_call().idempotency_key
        pairs += signed.query.items()
        headers |= signed.headers
        cookies |= signed.cookies
        add_trace(headers)
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={quote(value, safe='')}" for name, value in cookies.items())
        url = self._base + path + (f"?{urlencode(pairs)}" if pairs else "")
        return {"url": url, "headers": headers, **self._content(arguments.get("body"), headers)}

    def _content(self, body: Any, headers: dict[str, str]) -> dict[str, Any]:
        media = self._operation.body
        if not media or body is None:
            return {}
        headers["Content-Type"] = media
        if media == "text/plain":
            return {"content": _text(body).encode()}
        if media == "application/x-www-form-urlencoded":
            fields = cast("Mapping[str, Any]", body if isinstance(body, Mapping) else {"value": body})
            parts = [(name, one) for name, value in fields.items() for one in _several(value)]
            return {"content": urlencode([(name, _text(one)) for name, one in parts]).encode()}
        return {"content": json.dumps(body, ensure_ascii=False).encode()}


def _segment(parameter: Parameter, value: Any) -> str:
    text = ",".join(map(_text, _several(value)))
    if text in ("", ".", ".."):
        raise InvalidInput(f"{parameter.argument}: {text!r} would lead to another address")
    return quote(text, safe="")


def _query(parameter: Parameter, value: Any) -> list[tuple[str, str]]:
    name = parameter.name
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        if parameter.style == "deepObject":
            return [(f"{name}[{key}]", _text(one)) for key, one in fields.items()]
        if parameter.explode:
            return [(key, _text(one)) for key, one in fields.items()]
        return [(name, ",".join(_text(part) for pair in fields.items() for part in pair))]
    if isinstance(value, list) and not parameter.explode:
        between = {"spaceDelimited": " ", "pipeDelimited": "|"}.get(parameter.style, ",")
        return [(name, between.join(map(_text, _several(value))))]
    return [(name, _text(one)) for one in _several(value)]


def _line(parameter: Parameter, value: Any) -> str:
    text = ",".join(map(_text, _several(value)))
    if not text.isprintable() or not text.isascii():
        raise InvalidInput(f"{parameter.argument}: a header takes one line of ASCII")
    return text


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]  # JSON


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def _body(response: Any) -> tuple[bytes, bool]:
    """What was answered, and whether that is all of it."""
    found = bytearray()
    async for chunk in response.aiter_bytes():
        found += chunk
        if len(found) > LARGEST:
            return bytes(found[:LARGEST]), False
    return bytes(found), True


def _value(response: Any, body: bytes) -> Any:
    """Raises ValueError."""
    media = str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()
    if not body:
        return None
    if media.endswith(("/json", "+json")):
        return loads(body)
    if media.startswith("text/") or not media:
        try:
            return body.decode(response.charset_encoding or "utf-8", "replace")
        except LookupError:  # an encoding that nobody knows
            return body.decode("utf-8", "replace")
    return f"[{media}, {len(body):,} bytes, not shown]"
