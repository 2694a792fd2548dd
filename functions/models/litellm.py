"""Models of all providers through litellm, which is imported at the first answer and nowhere else: it takes
seconds and 200 MB.

One call is one attempt: litellm's own retries are off. Usage and cost are recorded on every answer. What becomes of
errors is in ``mapped``, what goes back to the provider that gave it in ``opaque``.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ...state.errors import InvalidInput, KeyRefused, ModelUnavailable, QuotaUsedUp, RequestRefused, Unreadable
from . import chunks, opaque
from .catalogue import doubtful, unknown
from .chat import Unfit, beside, choosing, described, finished
from .counting import split
from .failing import Told, made, text_of
from .fields import part
from .mapped import translated, written
from .pieces import Pieces
from .port import Answer, Emit, Request, ToolCall
from .reasoning import thought
from .unstreamed import STREAMED, Without, refused, told, unwanted
from .vectors import Embeddings, vectors

__all__ = ["LiteLLM", "ModelUnavailable", "Unreadable"]

_ELSEWHERE = frozenset({"api_key", "api_base", "base_url", "extra_headers", "headers", "mock_response"})
"""Settings with which no key needs to be in the environment."""
_PLACE = frozenset({"api_base", "base_url"})
"""Settings that name a server of one's own. It needs no key, but its client does, and takes a lack for an outage."""
_INSTALL = "pip install 'overwinter[llm]'"

log = logging.getLogger("overwinter")


class _Never(int):
    """Zero, and true all the same: for embeddings litellm takes a false one for nothing said, and tries again."""

    def __bool__(self) -> bool:
        return True


class LiteLLM:
    """The litellm model ``name`` (``provider/model``). Keys come from the provider's environment variables."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._library: Any = None  # litellm has no useful types
        self._without: dict[str, Without] = {}  # what a server refuses of a streamed request

    def __repr__(self) -> str:
        return f"LiteLLM({self.name!r})"

    async def complete(self, request: Request) -> Answer:
        library = await self._ready(request)
        try:
            response = await library.acompletion(**self._arguments(request))
        except _errors(library) as error:
            return self._failed(error)
        return _answer(response, self.name)

    async def stream(self, request: Request, emit: Emit) -> Answer:
        """See the port. What a server refuses of a streamed request is left out from then on."""
        if unwanted(request.settings):
            return told(await self.complete(request), emit)
        place = str(request.settings.get("api_base") or request.settings.get("base_url") or "")
        without = self._without.get(place, frozenset())
        while "stream" not in without:
            pieces = Pieces(emit)
            try:
                answer = await self._streamed(request, pieces, without)
            except RequestRefused as error:
                field = "" if pieces.said else refused(error.status, str(error), without)
                if not field:
                    raise
                without |= {field}
            else:
                self._without[place] = without
                return told(answer, emit) if answer.text and not pieces.said else answer
        answer = await self.complete(request)
        self._without[place] = without
        return told(answer, emit)

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, settings: Mapping[str, Any] = {}
    ) -> Embeddings:
        """See ``vectors``."""
        request = Request(self.name, (), settings=settings)
        library = await self._ready(request)
        arguments = self._arguments(request) | {"input": list(texts), "max_retries": _Never()}
        del arguments["messages"]
        if dimensions is not None:
            arguments["dimensions"] = dimensions
        try:
            response = await library.aembedding(**arguments)
        except _errors(library) as error:
            self._failed(error)
            raise made(Unreadable, self.name, Told(text_of(error))) from None
        try:
            found = vectors(response, len(texts))
        except Unfit as error:
            body = {"usage": part(response, "usage")}
            raise made(Unreadable, self.name, Told(str(error), body=body)) from None
        usage = split(part(response, "usage"))
        return Embeddings(found, usage, _cost(chunks.price(response)) if usage.total else None, self.name)

    def absent(self) -> str:
        """Why it can't answer, without loading what it needs; "" when that is there."""
        if "litellm" in sys.modules or importlib.util.find_spec("litellm") is not None:
            return ""
        return f"{self.name} needs litellm, which is not installed: {_INSTALL}"

    def wrong(self, settings: Mapping[str, Any]) -> str:
        """Why it can't answer, as far as this machine can know: nobody is asked. "" when nothing is against it."""
        try:
            library = _load()
        except InvalidInput as error:
            return str(error)
        return unknown(library, self.name, settings) or _missing_key(library, self.name, settings)

    def doubt(self, settings: Mapping[str, Any]) -> str:
        """Why its name may be mistaken, after ``wrong``; "" when litellm knows it, or nothing like it."""
        return doubtful(_load(), self.name, settings)

    async def _ready(self, request: Request) -> Any:
        """litellm, when there is a key for what is asked."""
        if self._library is None:
            self._library = await asyncio.to_thread(_load)
        if missing := _missing_key(self._library, self.name, request.settings):
            raise KeyRefused(missing, model=self.name)
        return self._library

    async def _streamed(self, request: Request, pieces: Pieces, without: Without) -> Answer:
        library = await self._ready(request)
        asked = {name: value for name, value in STREAMED.items() if name not in without}
        stream: Any = None
        cost: object = None
        try:
            stream = await library.acompletion(**self._arguments(request), **asked)
            if not hasattr(stream, "__aiter__"):  # some providers answer at once all the same
                return _answer(stream, self.name)
            async for chunk in chunks.tapped(stream, pieces):
                pieces.add(chunks.piece(chunk))
                cost = chunks.price(chunk) if cost is None else cost
        except _errors(library) as error:
            return self._failed(error, _counted(pieces, stream))
        except Unfit as error:
            raise made(Unreadable, self.name, Told(str(error), body=_counted(pieces, stream))) from None
        finally:
            if (close := getattr(stream, "aclose", None)) is not None:
                await close()
        if chunks.unfinished(stream) or not pieces.finish:
            raise made(
                ModelUnavailable, self.name, Told("its answer ended in the middle", body=_counted(pieces, stream))
            )
        return _gathered(pieces, stream, cost, self.name)

    def _failed(self, error: Exception, counted: Mapping[str, Any] = {}) -> Answer:
        """The answer that litellm's ``error`` holds. Raises what it means otherwise."""
        log.debug("the model %s failed", self.name, exc_info=error)  # the journal keeps what the caller can use
        if isinstance(error, self._library.exceptions.BudgetExceededError):
            raise QuotaUsedUp(f"{self.name}: {text_of(error)}", model=self.name) from None
        if (answer := written(self.name, error)) is not None:
            return answer._replace(usage=split(counted.get("usage")))
        raise translated(self.name, error, counted) from None

    def _no_key(self, settings: Mapping[str, Any]) -> dict[str, str]:
        """Something in a key's place for a server of one's own, when there is no key anywhere."""
        wanted = bool(_PLACE & settings.keys()) and "api_key" not in settings
        elsewhere = {name: value for name, value in settings.items() if name not in _PLACE}
        return {"api_key": "none"} if wanted and _missing_key(self._library, self.name, elsewhere) else {}

    def _choosing(self, request: Request) -> dict[str, Any]:
        """Which tool is to be called, as far as litellm knows how to say that to the provider. What it can't, it would
        refuse, and the loop minds it anyway."""
        told = choosing(request)
        known = (self._library.get_supported_openai_params(model=self.name) or ()) if told else ()
        return {name: value for name, value in told.items() if name in known}

    def _arguments(self, request: Request) -> dict[str, Any]:
        settings = opaque.settings_for(request, self.name)
        arguments: dict[str, Any] = {
            "model": self.name,
            "messages": [opaque.shown(message, self.name) for message in request.messages],
            **self._choosing(request),
            **{name: value for name, value in settings.items() if name not in STREAMED},
            **self._no_key(request.settings),
            "num_retries": 0,
            "max_retries": 0,
        }
        if tools := [*map(described, request.tools), *beside(settings)]:
            arguments |= _quirks()
            arguments["tools"] = tools
            if part(settings.get("extra_body"), "tools") is not None:  # or they would take the place of all
                arguments["extra_body"] = {k: v for k, v in settings["extra_body"].items() if k != "tools"}
        output = request.output
        if output is not None and (output.always or self._library.supports_response_schema(model=self.name)):
            form = {"name": output.name, "schema": output.schema, "strict": False}
            arguments["response_format"] = {"type": "json_schema", "json_schema": form}
        return arguments


def _load() -> Any:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or it fetches a price list at import
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")  # or it reads a .env around its own folder, also under serve
    try:
        library: Any = importlib.import_module("litellm")
    except ImportError as error:
        raise InvalidInput(f"models of providers need litellm ({error}): {_INSTALL}") from error
    library.telemetry = False
    library.suppress_debug_info = True
    return library


def _missing_key(library: Any, model: str, settings: Mapping[str, Any]) -> str:
    """What to set when the provider's key is nowhere; "" when it is there, or need not be. Some clients would call
    that a broken connection, which is tried again for an hour."""
    if _ELSEWHERE & settings.keys() or library.api_key:
        return ""
    missing: list[str] = library.validate_environment(model)["missing_keys"]
    keys = [name for name in missing if name.endswith("_API_KEY")]
    own = any(getattr(library, name.lower().replace("_api_key", "_key"), None) for name in keys)
    if not keys or own or len(keys) < len(missing):  # clouds find their credentials in many places
        return ""
    return f"{model} needs the provider's key: set {' or '.join(keys)} in the environment of this process"


def _quirks() -> dict[str, Any]:
    """litellm looks among the tools for those of an MCP gateway, and can't without packages of its proxy. The
    releases that look can be told not to; earlier ones would hand the word on to the provider."""
    looks = importlib.util.find_spec("litellm.responses.mcp.chat_completions_handler")
    return {} if looks is None else {"_skip_mcp_handler": True}


def _errors(library: Any) -> tuple[type[Exception], ...]:
    """What litellm raises: the root of all errors that it maps a provider's to, and one of its own."""
    return (importlib.import_module("openai").OpenAIError, library.exceptions.BudgetExceededError)


def _answer(response: Any, asked: str) -> Answer:
    """What litellm answered, read without trust: an answer without choices is an empty one."""
    counted = split(part(response, "usage"))
    choices: Any = part(response, "choices") or ()
    answer = Answer(model=asked, usage=counted, cost=_cost(chunks.price(response)) if counted.total else None)
    if not choices:
        return answer
    message = part(choices[0], "message")
    extra: Any = part(message, "provider_specific_fields") or {}
    refusal = part(message, "refusal") or extra.get("refusal")
    given: Any = part(message, "tool_calls")
    calls = tuple(_call(call) for call in given or ())
    return answer._replace(
        text=_text(part(message, "content")),
        tool_calls=calls,
        finish=_finish(part(choices[0], "finish_reason"), extra.get("stop_reason")),
        refusal=_text(refusal),
        opaque=opaque.of_message(message, calls),
        reasoning=thought(message)[0],
    )


def _gathered(pieces: Pieces, stream: Any, cost: object, asked: str) -> Answer:
    """The answer whose pieces have come. litellm estimates what the provider did not count, and nobody is charged by
    estimates."""
    told = list(chunks.counts(stream))
    body = pieces.body()
    if hasattr(stream, "chunks") and not told:
        body["usage"] = None
    elif not split(body["usage"]).total:
        body["usage"] = next((usage for usage in reversed(told) if split(usage).total), None)
    answer = _answer(body, asked)
    return answer._replace(cost=_cost(cost) if answer.usage.total else None, reasoning=pieces.reasoning())


def _counted(pieces: Pieces, stream: Any) -> Mapping[str, Any]:
    """What the provider has counted of an answer that broke off."""
    for usage in chunks.counts(stream):
        pieces.count(usage)
    return pieces.counted()


def _finish(finish: object, stopped: object) -> str:
    """Why it ended. litellm calls a pause that the provider makes a cut, and keeps the provider's word beside it."""
    return finished("pause_turn" if stopped == "pause_turn" else finish)


def _call(call: Any) -> ToolCall:
    function = part(call, "function")
    kept = opaque.of_call(call)
    name, arguments = (_text(part(function, field)) for field in ("name", "arguments"))
    return ToolCall(opaque.id_of(call, kept), name, arguments, kept)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _cost(cost: object) -> str | None:
    """The price by litellm's list, that of cached tokens included; None when it knows none. Some models are free: 0."""
    return format(cost, ".12f").rstrip("0").rstrip(".") if isinstance(cost, (int, float)) else None
