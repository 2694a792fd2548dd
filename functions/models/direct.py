"""Models of any server that speaks OpenAI's chat protocol (vLLM, Ollama, llama.cpp, LM Studio, most gateways) on httpx
alone: ``openai-compatible:MODEL@URL``. Nothing takes long to import, and no list of models or prices is asked.

One call is one attempt. A server that refuses to stream, or to count while it streams, is asked once more without, and
from then on only so; a setting ``stream`` of False never asks it to.

The key comes from the settings (``api_key``; ``os.environ/NAME`` names a variable) or from
OPENAI_COMPATIBLE_API_KEY; a server of one's own needs none. Without a URL in the name it comes from the settings
(``api_base``) or from OPENAI_COMPATIBLE_API_BASE. Without ``prices`` of the agent, an answer is unpriced.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, urlsplit, urlunsplit

from ...orchestrator.engine.performing import current_call
from ...orchestrator.usercode.resilience import wait_of
from ...security.redaction import remember
from ...state.codec import dumps
from ...state.errors import InvalidInput, KeyRefused, ModelError, ModelUnavailable, Unreadable
from ...state.quantities import positive
from ..invocation.connections import CONNECT, Connections, library
from .chat import Unfit, answer, question
from .counting import cost_in, split
from .failing import Told, errors_in, failure, made, malformed, said, sentence, status_in, text_of
from .heard import Heard
from .port import Answer, Emit, Request
from .unstreamed import STREAMED, Without, refused, told, unwanted
from .vectors import Embeddings, vectors

if TYPE_CHECKING:  # it takes a tenth of a second
    import httpx

PREFIX = "openai-compatible:"
TRACED = "OVERWINTER_TRACE_MODELS"
"""Whether servers of models are told in which trace they are asked: most are somebody else's."""
KEY, BASE = "OPENAI_COMPATIBLE_API_KEY", "OPENAI_COMPATIBLE_API_BASE"
_NAMED = "os.environ/"
_TIMEOUT = 600.0
"""Seconds for an answer, where neither the settings nor the agent say less."""
_PATH = "/chat/completions"
_MOST = 64 * 1024 * 1024
"""Bytes of an answer."""
_ENDLESS = f"the answer is longer than {_MOST:,} bytes"
_LINGER = 0.1
"""Seconds for the end of a stream behind its last event. A connection that has ended in order serves again."""

log = logging.getLogger("overwinter")


class Direct:
    """The model ``wire`` (the server's name for it) of the server at ``url``; "" when the settings or the environment
    name the server."""

    def __init__(self, wire: str, url: str = "") -> None:
        self.name = f"openai-compatible/{wire}"
        self._wire = wire
        self._url = url
        self._connections: dict[bool, Connections] = {}
        self._without: dict[str, Without] = {}  # what a server refuses of a streamed request
        if url:
            endpoint(url)

    def __repr__(self) -> str:
        return f"Direct({self._wire!r}, {self._url!r})"

    async def complete(self, request: Request) -> Answer:
        url, headers, body = self._prepared(request)
        async with self._posted(url, headers, body, _within(request.settings)) as response:
            text = await self._text(response)
        return self._read(response, text)

    async def stream(self, request: Request, emit: Emit) -> Answer:
        """See the port. What a server refuses of a streamed request is left out from then on."""
        url, headers, body = self._prepared(request)
        if unwanted(request.settings):
            return told(await self.complete(request), emit)
        without = self._without.get(url, frozenset())
        while "stream" not in without:
            asked = body | {name: value for name, value in STREAMED.items() if name not in without}
            async with self._posted(url, headers, asked, _within(request.settings)) as response:
                if 200 <= response.status_code < 300 and not _is_json(response):
                    self._without[url] = without
                    return await self._heard(response, emit)
                text = await self._text(response)
            if not (field := refused(response.status_code, _complaint(text), without)):
                return told(self._read(response, text), emit)
            without |= {field}
        found = await self.complete(request)
        self._without[url] = without
        return told(found, emit)

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, settings: Mapping[str, Any] = {}
    ) -> Embeddings:
        """See ``vectors``. The place of embeddings is beside that of chats."""
        url, headers, asked = self._prepared(Request(self.name, (), settings=settings))
        body = {**asked, "input": list(texts), "dimensions": dimensions}
        body = {name: value for name, value in body.items() if name != "messages" and value is not None}
        place = url.replace(_PATH, "/embeddings", 1)
        async with self._posted(place, headers, body, _within(settings)) as response:
            text = await self._text(response)
        whole = self._sound(response, text)
        try:
            found = vectors(whole, len(texts))
        except Unfit as error:
            raise self._unfit(error, response, text) from None
        usage = split(_fields(whole).get("usage"))
        return Embeddings(found, usage, cost_in(_fields(whole)) if usage.total else None, self.name)

    def absent(self) -> str:
        """Why it can't answer, without loading anything: it needs nothing that is not here."""
        return ""

    def wrong(self, settings: Mapping[str, Any]) -> str:
        """Why it can't answer, as far as this machine can know: nobody is asked. "" when nothing is against it."""
        try:
            self._written(self._prepared(Request(self.name, (), settings=settings))[2])
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

    def _prepared(self, request: Request) -> tuple[str, dict[str, str], dict[str, Any]]:
        """Where to, with which headers and what. Raises InvalidInput."""
        url, key = self._endpoint(request.settings), self._key(request.settings)
        headers = {"content-type": "application/json", "accept": "application/json"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        headers |= {**_trace(), **_with_headers(request.settings)}
        return url, headers, question(request, self._wire, self.name)

    def _written(self, body: dict[str, Any]) -> bytes:
        try:
            written: str = dumps(body)
        except (InvalidInput, TypeError, ValueError) as error:
            raise InvalidInput(f"{self.name}: a setting has no JSON form ({error}); correct the settings") from None
        return written.encode(errors="replace")

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

    @asynccontextmanager
    async def _posted(
        self, url: str, headers: dict[str, str], body: dict[str, Any], within: float
    ) -> AsyncGenerator[httpx.Response]:
        """The server's answer, whatever it is, not yet read. Raises ModelUnavailable when there is none, and when it
        breaks off while it is read."""
        content = self._written(body)
        httpx = await library()
        encrypted = url.startswith("https:")
        connections = self._connections.setdefault(encrypted, Connections(encrypted=encrypted))
        client = await connections.client()
        timeout = httpx.Timeout(within, connect=min(CONNECT, within))
        try:
            async with client.stream("POST", url, content=content, headers=headers, timeout=timeout) as response:
                yield response
        except httpx.TimeoutException:
            raise self._gone(f"no answer within {within:g} s") from None
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            log.debug("the model %s failed", self.name, exc_info=error)
            raise self._gone(text_of(error)) from None
        except httpx.DecodingError as error:
            raise made(Unreadable, self.name, Told(said(str(error), "a broken encoding"))) from None

    def _gone(self, why: str, counted: object = None) -> ModelError:
        return made(ModelUnavailable, self.name, Told(why, body=counted))

    # -- in ------------------------------------------------------------------------------------------

    async def _text(self, response: httpx.Response) -> str:
        """The whole answer. Raises Unreadable for one without an end."""
        whole = bytearray()
        async for data in response.aiter_bytes():
            whole += data
            if len(whole) > _MOST:
                raise made(Unreadable, self.name, Told(_ENDLESS, response.status_code))
        try:
            return whole.decode(response.charset_encoding or "utf-8", errors="replace")
        except LookupError:
            return whole.decode(errors="replace")

    async def _heard(self, response: httpx.Response, emit: Emit) -> Answer:
        """The answer whose pieces are in ``response``."""
        httpx = await library()
        heard = Heard(emit)
        size = 0
        try:
            async with aclosing(_bytes(response)) as chunks:
                async for data in chunks:
                    size += len(data)
                    if size > _MOST:
                        raise Unfit(_ENDLESS)
                    heard.feed(data)
                    if heard.over:
                        await _rest(chunks, httpx.TransportError)
                        break
                else:
                    heard.end()
        except Unfit as error:
            raise made(Unreadable, self.name, Told(str(error), body=heard.pieces.counted())) from None
        except httpx.TransportError as error:
            if not heard.pieces.whole:
                raise self._gone(f"its answer broke off: {text_of(error)}", heard.pieces.counted()) from None
        if plain := heard.plain():
            return told(self._read(response, plain), emit)
        return self._ended(response, heard)

    def _ended(self, response: httpx.Response, heard: Heard) -> Answer:
        pieces = heard.pieces
        if heard.failure is not None:
            if (found := malformed(heard.failure, self.name)) is not None:
                return found._replace(usage=split(pieces.counted()["usage"]))
            body = {**_fields(heard.failure), **pieces.counted()}
            raise self._refused(status_in(_first(body)), response, body, "")
        if not pieces.finish:
            raise self._gone("its answer ended in the middle", pieces.counted())
        body = pieces.body()
        try:
            return answer(body, self.name)._replace(reasoning=pieces.reasoning())
        except Unfit as error:
            raise made(Unreadable, self.name, Told(str(error), response.status_code, body)) from None

    def _read(self, response: httpx.Response, written: str) -> Answer:
        if response.status_code >= 400 and (found := malformed(_json(written), self.name)) is not None:
            return found
        body = self._sound(response, written)
        try:
            return answer(body, self.name)
        except Unfit as error:
            raise self._unfit(error, response, written) from None

    def _sound(self, response: httpx.Response, written: str) -> object:
        """The JSON that was answered. Raises what stands in it in place of an answer."""
        body = _json(written)
        if not 200 <= response.status_code < 300:
            raise self._refused(response.status_code, response, body, written)
        if (error := _error(_fields(body))) is not None:
            raise self._refused(status_in(error), response, body, written)
        return body

    def _unfit(self, error: Unfit, response: httpx.Response, written: str) -> ModelError:
        text, body = written.lstrip(), _json(written)
        kind = Unreadable if text[:1] in ("{", "[") else ModelUnavailable
        why = f"it is no JSON: {said(text[:200], 'nothing')}" if body is None else str(error)
        return made(kind, self.name, Told(why, response.status_code, body))

    def _refused(self, status: int | None, response: httpx.Response, body: object, written: str) -> ModelError:
        text = said(sentence(body) or written, response.reason_phrase)
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


def _trace() -> Mapping[str, str]:
    if os.environ.get(TRACED, "").strip().lower() not in ("1", "true", "yes", "on"):
        return {}
    try:
        return current_call().trace
    except LookupError:
        return {}


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


def _is_json(response: httpx.Response) -> bool:
    """Whether all comes at once, though pieces were asked for."""
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower().endswith("json")


def _first(body: object) -> Mapping[str, Any]:
    """The first error object of a body."""
    return next(errors_in(body), _fields(None))


def _complaint(text: str) -> str:
    """What the JSON of an error says for people, and which field it names."""
    body = _json(text)
    return f"{sentence(body)} {_first(body).get('param') or ''}"


async def _bytes(response: httpx.Response) -> AsyncGenerator[bytes]:
    async for data in response.aiter_bytes():
        yield data


async def _rest(chunks: AsyncGenerator[bytes], broken: type[Exception]) -> None:
    """Reads what is behind the end, so that the connection can serve again; not for long."""
    try:
        async with asyncio.timeout(_LINGER):
            async for _ in chunks:
                pass
    except (TimeoutError, broken):
        pass  # the connection is closed with the response


def _near(host: str) -> bool:
    """Whether the server is one of this machine or this network."""
    if "." not in host and ":" not in host:
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host.rpartition(".")[2] in ("local", "localhost", "internal", "lan", "svc")
