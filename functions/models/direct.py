"""Models of any server that speaks OpenAI's chat protocol (vLLM, Ollama, llama.cpp, LM Studio, most gateways) on httpx
alone: ``openai-compatible:MODEL@URL``. Nothing takes long to import, and no list of models or prices is asked.

One call is one attempt. The key comes from the settings (``api_key``; ``os.environ/NAME`` names a variable) or from
OPENAI_COMPATIBLE_API_KEY; a server of one's own needs none. Without a URL in the name it comes from the settings
(``api_base``) or from OPENAI_COMPATIBLE_API_BASE. Without ``prices`` of the agent, an answer is unpriced.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, urlsplit, urlunsplit

from ...orchestrator.usercode.resilience import wait_of
from ...security.redaction import remember
from ...state.codec import dumps
from ...state.errors import InvalidInput, KeyRefused, ModelError, ModelUnavailable, Unreadable
from ...state.quantities import positive
from .chat import Unfit, answer, question
from .connections import CONNECT, Connections, library
from .failing import Told, errors_in, failure, made, malformed, said, sentence, text_of
from .port import Answer, Request

if TYPE_CHECKING:  # it takes a tenth of a second
    import httpx

PREFIX = "openai-compatible:"
KEY, BASE = "OPENAI_COMPATIBLE_API_KEY", "OPENAI_COMPATIBLE_API_BASE"
_NAMED = "os.environ/"
_TIMEOUT = 600.0
"""Seconds for an answer, where neither the settings nor the agent say less."""
_PATH = "/chat/completions"

log = logging.getLogger("overwinter")


class Direct:
    """The model ``wire`` (the server's name for it) of the server at ``url``; "" when the settings or the environment
    name the server."""

    def __init__(self, wire: str, url: str = "") -> None:
        self.name = f"openai-compatible/{wire}"
        self._wire = wire
        self._url = url
        self._connections: dict[bool, Connections] = {}
        if url:
            endpoint(url)

    def __repr__(self) -> str:
        return f"Direct({self._wire!r}, {self._url!r})"

    async def complete(self, request: Request) -> Answer:
        url, headers, body = self._prepared(request)
        response = await self._posted(url, headers, body, _within(request.settings))
        return self._read(response)

    def absent(self) -> str:
        """Why it can't answer, without loading anything: it needs nothing that is not here."""
        return ""

    def wrong(self, settings: Mapping[str, Any]) -> str:
        """Why it can't answer, as far as this machine can know: nobody is asked. "" when nothing is against it."""
        try:
            self._prepared(Request(self.name, (), settings=settings))
            _within(settings)
        except InvalidInput as error:
            return str(error)
        return ""

    def doubt(self, settings: Mapping[str, Any]) -> str:
        """What may be meant otherwise, after ``wrong``: a key that anybody on the way can read, or none at all."""
        url, key = urlsplit(self._endpoint(settings)), self._key(settings)
        if _near(url.hostname or "") or _with_headers(settings):
            return ""
        if not key:
            return f"{self.name} has no key for {url.hostname}; set {KEY}, if the server wants one"
        return f"{self.name} sends its key to {url.hostname} unencrypted; use https" if url.scheme == "http" else ""

    # -- out -----------------------------------------------------------------------------------------

    def _prepared(self, request: Request) -> tuple[str, dict[str, str], bytes]:
        """Where to, with which headers and what. Raises InvalidInput."""
        url, key = self._endpoint(request.settings), self._key(request.settings)
        headers = {"content-type": "application/json", "accept": "application/json"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        headers |= _with_headers(request.settings)
        try:
            body = dumps(question(request, self._wire, self.name))
        except (InvalidInput, TypeError, ValueError) as error:
            raise InvalidInput(f"{self.name}: a setting has no JSON form ({error}); correct the settings") from None
        return url, headers, body.encode(errors="replace")

    def _endpoint(self, settings: Mapping[str, Any]) -> str:
        url = self._url or settings.get("api_base") or settings.get("base_url") or os.environ.get(BASE, "")
        if not isinstance(url, str) or not url:
            raise InvalidInput(f"{self.name} has no server; write {PREFIX}{self._wire}@http://localhost:11434/v1")
        return endpoint(url)

    def _key(self, settings: Mapping[str, Any]) -> str:
        """ "" for none. Raises KeyRefused for what can be none."""
        given: Any = settings.get("api_key")
        key = os.environ.get(KEY, "") if given is None else given
        if isinstance(key, str) and key.startswith(_NAMED):
            variable = key.removeprefix(_NAMED)
            key = os.environ.get(variable, "")
            if not key:
                raise KeyRefused(f"{self.name} needs its key: set {variable} in the environment", model=self.name)
            remember(key)
        key = key.strip() if isinstance(key, str) else None
        if key is None or not (key.isascii() and key.isprintable()):
            raise KeyRefused(f"{self.name}: the key holds what no key can; copy it again", model=self.name)
        return key

    async def _posted(self, url: str, headers: dict[str, str], body: bytes, within: float) -> httpx.Response:
        """The server's answer, whatever it is. Raises ModelUnavailable when there is none."""
        httpx = await library()
        encrypted = url.startswith("https:")
        connections = self._connections.setdefault(encrypted, Connections(encrypted=encrypted))
        client = await connections.client()
        timeout = httpx.Timeout(within, connect=min(CONNECT, within))
        try:
            return await client.post(url, content=body, headers=headers, timeout=timeout)
        except httpx.TimeoutException:
            raise self._gone(f"no answer within {within:g} s") from None
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            log.debug("the model %s failed", self.name, exc_info=error)
            raise self._gone(text_of(error)) from None
        except httpx.DecodingError as error:
            told = Told(said(str(error), "a broken encoding"))
            raise made(Unreadable, self.name, told) from None

    def _gone(self, why: str) -> ModelUnavailable:
        return ModelUnavailable(f"{self.name}: {why}", model=self.name)

    # -- in ------------------------------------------------------------------------------------------

    def _read(self, response: httpx.Response) -> Answer:
        body = _json(response.text)
        status = response.status_code
        if not 200 <= status < 300:
            if status >= 400 and (written := malformed(body, self.name)) is not None:
                return written
            raise self._refused(status, response, body)
        if (error := _error(_fields(body))) is not None:
            raise self._refused(_status(error), response, body)
        try:
            return answer(body, self.name)
        except Unfit as error:
            text = response.text.lstrip()
            kind = Unreadable if text[:1] in ("{", "[") else ModelUnavailable
            why = f"it is no JSON: {said(text[:200], 'nothing')}" if body is None else str(error)
            raise made(kind, self.name, Told(why, status, body)) from None

    def _refused(self, status: int | None, response: httpx.Response, body: object) -> ModelError:
        text = said(sentence(body) or response.text, response.reason_phrase)
        shown = f"HTTP {status}: {text}" if status else text
        return failure(self.name, Told(shown, status, body, wait_of(response.headers)))


def named(text: str) -> Direct:
    """The model that ``openai-compatible:MODEL@URL`` names. Raises InvalidInput."""
    name = text.removeprefix(PREFIX)
    wire, at, rest = name.rpartition("@http")
    wire, url = (wire, f"http{rest}") if at else (name, "")
    if not wire.strip() or wire != wire.strip() or not wire.isprintable():
        raise InvalidInput(f"{text[:80]!r} names no model; write {PREFIX}llama3.2@http://localhost:11434/v1")
    return Direct(wire, url)


def endpoint(url: str) -> str:
    """Where chats are posted to: the URL of an API (``…/v1``), of a server, or of that very place. Raises
    InvalidInput for what is no URL."""
    try:
        parts = urlsplit(url)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) and url.isprintable()
    except ValueError:
        parts, fit = SplitResult("", "", "", "", ""), False
    if not fit or " " in url:
        raise InvalidInput(f"{url[:80]!r} is no address of a server; write it like http://localhost:11434/v1")
    if parts.username is not None:
        raise InvalidInput(f"a key stands in the address of {parts.hostname}; set {KEY} or settings api_key instead")
    path = parts.path.rstrip("/")
    path = path if path.endswith(_PATH) else f"{path or '/v1'}{_PATH}"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _within(settings: Mapping[str, Any]) -> float:
    given: Any = settings.get("timeout")
    try:
        return _TIMEOUT if given is None else positive(given, "timeout")
    except ValueError as error:
        raise InvalidInput(f"settings: {error}") from None


def _with_headers(settings: Mapping[str, Any]) -> dict[str, str]:
    given = {**_fields(settings.get("headers")), **_fields(settings.get("extra_headers"))}
    return {str(name).lower(): str(value) for name, value in given.items()}


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _error(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What went wrong, of an answer with a good status. Gateways have sent that before they knew."""
    choices = body.get("choices")
    if body.get("error") and not choices:
        return next(errors_in(body), None)
    first = cast("list[object]", choices)[0] if isinstance(choices, list) and choices else None
    return _fields(_fields(first).get("error")) or None


def _fields(value: object) -> Mapping[str, Any]:
    """The fields of a JSON object; none of anything else."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _status(error: Mapping[str, Any]) -> int | None:
    code = error.get("code")
    return code if isinstance(code, int) and 400 <= code < 600 else None


def _near(host: str) -> bool:
    """Whether the server is one of this machine or this network."""
    if "." not in host and ":" not in host:
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host.rpartition(".")[2] in ("local", "localhost", "internal", "lan", "svc")
